# SPDX-License-Identifier: MIT
#
# libtuza-http, from src/http: on top of libtuza's public functions alone, so that either kind of one
# goes with either kind of the other. As there (TuzaLibrary.cmake): one set of objects, joined into
# one object without internal names for the archive (tuza::http_static), and a shared library that
# exports what src/http/tuza-http.map lists (tuza::http).
#
# Requests are parsed by llhttp, whose C sources come with Debian's node-llhttp and are compiled in.
# Without them there is no libtuza-http: TUZA_HAVE_HTTP says so.
#
# The client (src/http/client*) is libcurl's multi interface under tuza's scheduler. Without libcurl
# there is a library without the client: TUZA_HAVE_HTTP_CLIENT.
set(TUZA_LLHTTP_SOURCES "/usr/share/llhttp" CACHE PATH "Where llhttp's api.c, http.c and llhttp.c are")
set(TUZA_LLHTTP_INCLUDE "/usr/share/include/llhttp" CACHE PATH "Where llhttp.h is")
set(TUZA_HAVE_HTTP OFF)
if(NOT EXISTS "${TUZA_LLHTTP_SOURCES}/llhttp.c" OR NOT EXISTS "${TUZA_LLHTTP_INCLUDE}/llhttp.h")
  message(STATUS "llhttp: none, libtuza-http is not built (Debian: node-llhttp)")
  return()
endif()
message(STATUS "llhttp: ${TUZA_LLHTTP_SOURCES}")
set(TUZA_HAVE_HTTP ON)

# Not ours: without our warnings.
add_library(tuza_llhttp OBJECT
  "${TUZA_LLHTTP_SOURCES}/api.c" "${TUZA_LLHTTP_SOURCES}/http.c" "${TUZA_LLHTTP_SOURCES}/llhttp.c")
set_target_properties(tuza_llhttp PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_include_directories(tuza_llhttp SYSTEM PUBLIC "${TUZA_LLHTTP_INCLUDE}")
target_compile_definitions(tuza_llhttp PUBLIC LLHTTP_STRICT_MODE=1)
target_compile_options(tuza_llhttp PRIVATE -w)
target_link_libraries(tuza_llhttp PRIVATE tuza_codegen)

file(GLOB_RECURSE tuza_http_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/http/*.c")
set(tuza_http_client_sources ${tuza_http_sources})
list(FILTER tuza_http_sources EXCLUDE REGEX "/src/http/client")
list(FILTER tuza_http_client_sources INCLUDE REGEX "/src/http/client")
find_package(CURL 7.87 QUIET) # CURLOPT_QUICK_EXIT
set(TUZA_HAVE_HTTP_CLIENT "${CURL_FOUND}")
if(TUZA_HAVE_HTTP_CLIENT)
  message(STATUS "libcurl: ${CURL_VERSION_STRING}")
else()
  message(STATUS "libcurl: none, libtuza-http has no client (Debian: libcurl4-openssl-dev)")
endif()

add_library(tuza_http_objects OBJECT ${tuza_http_sources})
target_include_directories(tuza_http_objects SYSTEM PUBLIC "${TUZA_LLHTTP_INCLUDE}")
target_compile_definitions(tuza_http_objects PUBLIC LLHTTP_STRICT_MODE=1)
set(tuza_http_objects tuza_http_objects)
if(TUZA_HAVE_HTTP_CLIENT)
  add_library(tuza_http_client_objects OBJECT ${tuza_http_client_sources})
  target_link_libraries(tuza_http_client_objects PRIVATE CURL::libcurl)
  list(APPEND tuza_http_objects tuza_http_client_objects)
endif()
foreach(target IN LISTS tuza_http_objects)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_include_directories(${target} PUBLIC
    "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src")
  target_link_libraries(${target} PRIVATE Threads::Threads tuza_warnings tuza_codegen)
endforeach()

# Joins the objects of targets into one, `file`, and makes names that are not public local.
function(tuza_http_join file)
  set(objects "")
  foreach(target IN LISTS ARGN)
    list(APPEND objects "$<TARGET_OBJECTS:${target}>")
  endforeach()
  add_custom_command(OUTPUT "${file}"
    COMMAND "${CMAKE_C_COMPILER}" -r -nostdlib -o "${file}" ${objects}
    COMMAND "${CMAKE_OBJCOPY}" --localize-hidden --wildcard "--keep-global-symbol=tuza_http_*"
            "${file}"
    DEPENDS ${ARGN} ${objects}
    COMMAND_EXPAND_LISTS VERBATIM
    COMMENT "Joining the objects of HTTP and hiding internal names")
endfunction()

# In the archive the client is an object of its own: who has no use for it needs no libcurl, so a
# server may be linked statically altogether.
set(tuza_http_archive "${PROJECT_BINARY_DIR}/tuza-http.o")
tuza_http_join("${PROJECT_BINARY_DIR}/tuza-http.o" tuza_http_objects tuza_llhttp)
if(TUZA_HAVE_HTTP_CLIENT)
  tuza_http_join("${PROJECT_BINARY_DIR}/tuza-http-client.o" tuza_http_client_objects)
  list(APPEND tuza_http_archive "${PROJECT_BINARY_DIR}/tuza-http-client.o")
endif()
add_library(tuza_http_static STATIC ${tuza_http_archive})
set_source_files_properties(${tuza_http_archive} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
set_target_properties(tuza_http_static PROPERTIES
  LINKER_LANGUAGE C OUTPUT_NAME tuza-http EXPORT_NAME http_static)
target_link_libraries(tuza_http_static INTERFACE tuza_static)
if(TUZA_HAVE_HTTP_CLIENT)
  target_link_libraries(tuza_http_static INTERFACE
    "$<BUILD_INTERFACE:CURL::libcurl>" "$<INSTALL_INTERFACE:curl>")
endif()
set(tuza_http_targets tuza_http_static)
add_library(tuza::http_static ALIAS tuza_http_static)

if(TUZA_SHARED)
  add_library(tuza_http_shared SHARED
    "$<TARGET_OBJECTS:tuza_http_objects>" "$<TARGET_OBJECTS:tuza_llhttp>")
  if(TUZA_HAVE_HTTP_CLIENT)
    target_sources(tuza_http_shared PRIVATE "$<TARGET_OBJECTS:tuza_http_client_objects>")
  endif()
  set_target_properties(tuza_http_shared PROPERTIES
    LINKER_LANGUAGE C OUTPUT_NAME tuza-http EXPORT_NAME http
    VERSION "${PROJECT_VERSION}" SOVERSION "${PROJECT_VERSION_MAJOR}"
    LINK_DEPENDS "${PROJECT_SOURCE_DIR}/src/http/tuza-http.map")
  target_link_options(tuza_http_shared PRIVATE
    "-Wl,--version-script=${PROJECT_SOURCE_DIR}/src/http/tuza-http.map"
    "LINKER:-z,relro,-z,now,-z,noexecstack,-z,nodelete")
  if(TUZA_SANITIZE_LIBRARY)
    target_link_options(tuza_http_shared PRIVATE "-fsanitize=${TUZA_SANITIZE_LIBRARY}")
  else()
    target_link_options(tuza_http_shared PRIVATE "LINKER:-z,defs")
  endif()
  target_link_libraries(tuza_http_shared PUBLIC tuza_shared)
  if(TUZA_HAVE_HTTP_CLIENT)
    target_link_libraries(tuza_http_shared PRIVATE "$<BUILD_INTERFACE:CURL::libcurl>")
  endif()
  list(APPEND tuza_http_targets tuza_http_shared)
  add_library(tuza::http ALIAS tuza_http_shared)
endif()
foreach(target IN LISTS tuza_http_targets)
  target_include_directories(${target} PUBLIC
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:include>")
endforeach()
list(APPEND tuza_public_targets ${tuza_http_targets})
