# SPDX-License-Identifier: MIT
#
# What `make install` puts where: headers, libraries, programs, gdb's extension, the pkg-config files and the CMake
# package (targets tuza::tuza and tuza::static, tuza::http and tuza::http_static, tuza::tls and tuza::tls_static). Both describe paths relative to
# themselves, so the tree may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/tuza" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.h")
install(TARGETS ${tuza_public_targets} EXPORT tuzaTargets
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")

if(tuza_app_targets)
  install(TARGETS ${tuza_app_targets} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
if(tuza_app_pages)
  install(FILES ${tuza_app_pages} DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
endif()

set(tuza_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/tuza")
install(EXPORT tuzaTargets NAMESPACE tuza:: DESTINATION "${tuza_cmake_dir}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/tuzaConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/tuzaConfig.cmake" INSTALL_DESTINATION "${tuza_cmake_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/tuzaConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/tuzaConfig.cmake"
              "${PROJECT_BINARY_DIR}/tuzaConfigVersion.cmake" DESTINATION "${tuza_cmake_dir}")

# From lib[/<triplet>]/pkgconfig back to the prefix.
file(RELATIVE_PATH tuza_pc_to_prefix "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
string(REGEX REPLACE "/$" "" tuza_pc_to_prefix "${tuza_pc_to_prefix}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/tuza.pc.in" "${PROJECT_BINARY_DIR}/tuza.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/tuza.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(TUZA_HAVE_HTTP)
  configure_file("${PROJECT_SOURCE_DIR}/cmake/tuza-http.pc.in" "${PROJECT_BINARY_DIR}/tuza-http.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/tuza-http.pc"
          DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endif()
if(TUZA_HAVE_TLS)
  configure_file("${PROJECT_SOURCE_DIR}/cmake/tuza-tls.pc.in" "${PROJECT_BINARY_DIR}/tuza-tls.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/tuza-tls.pc"
          DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endif()

# The checker finds its modules from where it lies.
install(PROGRAMS "${PROJECT_SOURCE_DIR}/tools/vet/tuza-vet" "${PROJECT_SOURCE_DIR}/tools/tuza-chaos" DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/tools/vet/tuza_vet" DESTINATION "${CMAKE_INSTALL_DATADIR}/tuza/vet"
        FILES_MATCHING PATTERN "*.py")
install(FILES "${PROJECT_SOURCE_DIR}/tools/vet/clang-tidy" DESTINATION "${CMAKE_INSTALL_DATADIR}/tuza")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/tools/bpftrace" DESTINATION "${CMAKE_INSTALL_DATADIR}/tuza"
        FILES_MATCHING PATTERN "*.bt")

# gdb loads by itself what lies in its own share/gdb/auto-load under the library's path: that is so with PREFIX=/usr.
install(FILES "${PROJECT_SOURCE_DIR}/tools/gdb/tuza-gdb.py" DESTINATION "${CMAKE_INSTALL_DATADIR}/tuza")
if(TUZA_SHARED)
  install(FILES "${PROJECT_SOURCE_DIR}/tools/gdb/tuza-gdb.py"
    DESTINATION "${CMAKE_INSTALL_DATADIR}/gdb/auto-load${CMAKE_INSTALL_FULL_LIBDIR}"
    RENAME "libtuza.so.${PROJECT_VERSION}-gdb.py")
endif()
