# SPDX-License-Identifier: MIT
#
# Programs for users, from apps/: one file is one program. Those that include tuza/http.h are built
# where libtuza-http is. They carry the libraries in themselves.
file(GLOB tuza_app_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/apps/*.c")
set(tuza_app_targets "")
foreach(source IN LISTS tuza_app_sources)
  file(STRINGS "${source}" with_http REGEX "^#include <tuza/http" LIMIT_COUNT 1)
  if(with_http AND NOT TUZA_HAVE_HTTP)
    continue()
  endif()
  cmake_path(GET source STEM name)
  add_executable(${name} "${source}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/apps")
  if(with_http)
    target_link_libraries(${name} PRIVATE tuza::http_static tuza_warnings)
  else()
    target_link_libraries(${name} PRIVATE tuza::static tuza_warnings)
  endif()
  list(APPEND tuza_app_targets ${name})
endforeach()
add_custom_target(apps DEPENDS ${tuza_app_targets})
