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
# A program that uses HTTP or TLS gets their libraries from `pkg-config --libs tuza` as well; no other is linked to them.
set(tuza_pc_if_used)
if(TUZA_HAVE_HTTP)
  string(APPEND tuza_pc_if_used "-ltuza-http ")
endif()
if(TUZA_HAVE_TLS)
  string(APPEND tuza_pc_if_used "-ltuza-tls ")
endif()
if(tuza_pc_if_used)
  set(tuza_pc_if_used "-Wl,--push-state,--as-needed ${tuza_pc_if_used}-Wl,--pop-state ")
endif()
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
install(FILES "${PROJECT_SOURCE_DIR}/docs/man/tuza-vet.1" "${PROJECT_SOURCE_DIR}/docs/man/tuza-chaos.1"
  DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
# What is made when it is installed, in a folder of its own each time: several may install one build at once.
install(CODE "
  string(RANDOM LENGTH 16 name)
  set(tuza_made \"${PROJECT_BINARY_DIR}/made-\${name}\")
  file(MAKE_DIRECTORY \"\${tuza_made}\")
")
# The headers as manual pages.
set(tuza_man_dir "${CMAKE_INSTALL_MANDIR}")
if(NOT IS_ABSOLUTE "${tuza_man_dir}")
  set(tuza_man_dir "\${CMAKE_INSTALL_PREFIX}/${tuza_man_dir}")
endif()
install(CODE "
  execute_process(COMMAND \"${PROJECT_SOURCE_DIR}/tools/gen_man.sh\" \"\${tuza_made}/man3\" ${PROJECT_VERSION}
    RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR \"tools/gen_man.sh: \${status}\")
  endif()
  file(INSTALL TYPE DIRECTORY FILES \"\${tuza_made}/man3\" DESTINATION \"${tuza_man_dir}\")
")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/tools/vet/tuza_vet" DESTINATION "${CMAKE_INSTALL_DATADIR}/tuza/vet"
        FILES_MATCHING PATTERN "*.py")
install(FILES "${PROJECT_SOURCE_DIR}/tools/vet/clang-tidy" DESTINATION "${CMAKE_INSTALL_DATADIR}/tuza")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/tools/bpftrace" DESTINATION "${CMAKE_INSTALL_DATADIR}/tuza"
        FILES_MATCHING PATTERN "*.bt")

# Debuggers. gdb loads by itself what lies in share/gdb/auto-load of its own prefix under the library's path: with
# PREFIX=/usr this does, and `make install` as root puts it there for other prefixes, too. The file only says where the
# extension is. (Not beside the library: ldconfig would take it for one.) Written when the prefix is known.
install(FILES "${PROJECT_SOURCE_DIR}/tools/gdb/tuza-gdb.py" "${PROJECT_SOURCE_DIR}/tools/lldb/tuza_lldb.py"
              "${PROJECT_SOURCE_DIR}/tools/lldb/tuza_lldb_threads.py"
              "${PROJECT_SOURCE_DIR}/tools/debugger/tuza_facts.py"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/tuza")
if(TUZA_SHARED)
  install(CODE "
    set(name libtuza.so.${PROJECT_VERSION}-gdb.py)
    file(WRITE \"\${tuza_made}/\${name}\"
      \"import sys\\n\\nimport gdb\\n\\n\"
      \"sys.path.insert(0, '\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/tuza')\\n\"
      \"gdb.execute('source ' + sys.path[0] + '/tuza-gdb.py')\\n\")
    file(INSTALL TYPE FILE FILES \"\${tuza_made}/\${name}\"
      DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/gdb/auto-load\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}\")
  ")
endif()
install(CODE "
  file(REMOVE_RECURSE \"\${tuza_made}\")
")
