# SPDX-License-Identifier: MIT
#
# libtuza-tls, from src/tls: on top of libtuza's public functions and OpenSSL 3, in the same two kinds
# as libtuza-http (TuzaHttp.cmake): tuza::tls_static, and tuza::tls, which exports what
# src/tls/tuza-tls.map lists. Without OpenSSL there is none: TUZA_HAVE_TLS says so.
find_package(OpenSSL 3.0 QUIET)
set(TUZA_HAVE_TLS "${OPENSSL_FOUND}")
if(NOT TUZA_HAVE_TLS)
  message(STATUS "OpenSSL 3: none, libtuza-tls is not built (Debian: libssl-dev)")
  return()
endif()
message(STATUS "OpenSSL: ${OPENSSL_VERSION}")

file(GLOB_RECURSE tuza_tls_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/tls/*.c")
add_library(tuza_tls_objects OBJECT ${tuza_tls_sources})
set_target_properties(tuza_tls_objects PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_include_directories(tuza_tls_objects PUBLIC
  "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src")
target_link_libraries(tuza_tls_objects PRIVATE
  OpenSSL::SSL Threads::Threads tuza_warnings tuza_codegen)

set(tuza_tls_object "${PROJECT_BINARY_DIR}/tuza-tls.o")
add_custom_command(OUTPUT "${tuza_tls_object}"
  COMMAND "${CMAKE_C_COMPILER}" -r -nostdlib -o "${tuza_tls_object}"
          "$<TARGET_OBJECTS:tuza_tls_objects>"
  COMMAND "${CMAKE_OBJCOPY}" --localize-hidden --wildcard "--keep-global-symbol=tuza_tls_*"
          "${tuza_tls_object}"
  DEPENDS tuza_tls_objects "$<TARGET_OBJECTS:tuza_tls_objects>"
  COMMAND_EXPAND_LISTS VERBATIM
  COMMENT "Joining the objects of TLS and hiding internal names")
add_library(tuza_tls_static STATIC "${tuza_tls_object}")
set_source_files_properties("${tuza_tls_object}" PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
set_target_properties(tuza_tls_static PROPERTIES
  LINKER_LANGUAGE C OUTPUT_NAME tuza-tls EXPORT_NAME tls_static)
target_link_libraries(tuza_tls_static INTERFACE tuza_static
  "$<BUILD_INTERFACE:OpenSSL::SSL>" "$<INSTALL_INTERFACE:ssl;crypto>")
set(tuza_tls_targets tuza_tls_static)
add_library(tuza::tls_static ALIAS tuza_tls_static)

if(TUZA_SHARED)
  add_library(tuza_tls_shared SHARED "$<TARGET_OBJECTS:tuza_tls_objects>")
  set_target_properties(tuza_tls_shared PROPERTIES
    LINKER_LANGUAGE C OUTPUT_NAME tuza-tls EXPORT_NAME tls
    VERSION "${PROJECT_VERSION}" SOVERSION "${PROJECT_VERSION_MAJOR}"
    LINK_DEPENDS "${PROJECT_SOURCE_DIR}/src/tls/tuza-tls.map")
  target_link_options(tuza_tls_shared PRIVATE
    "-Wl,--version-script=${PROJECT_SOURCE_DIR}/src/tls/tuza-tls.map"
    "LINKER:-z,relro,-z,now,-z,noexecstack,-z,nodelete")
  if(TUZA_SANITIZE_LIBRARY)
    target_link_options(tuza_tls_shared PRIVATE "-fsanitize=${TUZA_SANITIZE_LIBRARY}")
  else()
    target_link_options(tuza_tls_shared PRIVATE "LINKER:-z,defs")
  endif()
  target_link_libraries(tuza_tls_shared PUBLIC tuza_shared)
  target_link_libraries(tuza_tls_shared PRIVATE "$<BUILD_INTERFACE:OpenSSL::SSL>")
  list(APPEND tuza_tls_targets tuza_tls_shared)
  add_library(tuza::tls ALIAS tuza_tls_shared)
endif()
foreach(target IN LISTS tuza_tls_targets)
  target_include_directories(${target} PUBLIC
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:include>")
endforeach()
list(APPEND tuza_public_targets ${tuza_tls_targets})
