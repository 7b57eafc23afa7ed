# SPDX-License-Identifier: MIT
#
# Tests and examples, found by where they lie. One file is one program. A test's name is its
# path; its label is its kind, the folder under tests/:
#
#   unit/**/X_test.c   white box: links the plain objects as they are needed
#   api/ stress/       black box: links libtuza.a, runs once per TUZA_MAXPROCS
#   http/X_test.c      black box too: links libtuza-http.a besides, runs with 1 and 4 processors
#   tls/X_test.c       the same with libtuza-tls.a, and with libtuza-http.a for those that include it
#   fault/X_fault.c    the n-th allocation or system call fails; links the plain objects, or libtuza-http.a
#   model/X_model.c    all interleavings of a protocol; stands alone
#   die/X.c            must end as its first comment says (tools/run_die.sh)
#   meta/X.sh          about the tree or the installed package, not about one program
#   examples/X.c       prints what its last comment says (tools/run_example.sh)
#   memcheck           a selection of api tests again, under valgrind
#
# Exit status 77 is "skipped". What else is to be known about a test, a line at the top of its source says:
#
#   // not-under: address thread valgrind emulator why   left out of builds with one of these sanitizers, of what
#                                runs under valgrind, or of cross builds
#   // run-alone: why            runs with no other test beside it
#   // mostly-sleeps: why        computes next to nothing, for long: begins before the others, beside any number of them
#   // takes-long: why           begins before the others too, so that nobody waits for it alone at the end
#
# ctest's processors are quarters of a CPU (Makefile: --parallel is four times their number), since most tests wait more
# than they compute: a test takes two of them, one that mostly sleeps one, a stress test four.
# The harness (tests/harness.c, tests/probe.c) is compiled once, and linked into the tests whose main it has.
include(CheckLanguage)

set(TUZA_TEST_KINDS "unit;api;http;tls;stress;fault;model;die;meta;examples;memcheck"
    CACHE STRING "The kinds of tests that this build has")
set(TUZA_TEST_EXCLUDE "" CACHE STRING "Tests whose paths match are not built")
set(TUZA_TEST_DEBUG "" CACHE STRING "TUZA_DEBUG of the api tests, such as chaos")
set(TUZA_TEST_TIMEOUT 300 CACHE STRING "Seconds after which a test has failed")
set(TUZA_MEMCHECK_TESTS
    "^(goroutine|chan|leak|select|sync|mutex|waitgroup|time|panic|context|errgroup|limiter|io|net|pattern|pprof|stats|debug|process)"
    CACHE STRING "Names of the api tests that valgrind runs too")
set(TUZA_MEMCHECK_HTTP_TESTS "^(client|connection|file|hijack|mux|request|shutdown|trailer)_test"
    CACHE STRING "Names of the http tests that valgrind runs too")

# C++ tests need a compiler for the same machine; a cross build has none unless its toolchain file names one.
if(NOT CMAKE_CROSSCOMPILING)
  check_language(CXX)
endif()
if(CMAKE_CXX_COMPILER)
  enable_language(CXX)
  set(CMAKE_CXX_STANDARD 17)
  set(CMAKE_CXX_STANDARD_REQUIRED ON)
endif()

set(tuza_tests_dir "${PROJECT_SOURCE_DIR}/tests")
set(tuza_test_extensions c)
if(CMAKE_CXX_COMPILER)
  list(APPEND tuza_test_extensions cpp)
endif()

# An archive, so that a program with a main of its own has nothing of the harness; what is for every program is an object.
add_library(tuza_test_harness STATIC "${tuza_tests_dir}/harness.c" "${tuza_tests_dir}/probe.c")
add_library(tuza_test_support_objects OBJECT "${tuza_tests_dir}/signals.c")
foreach(target IN ITEMS tuza_test_harness tuza_test_support_objects)
  target_include_directories(${target} PRIVATE "${tuza_tests_dir}" "${PROJECT_SOURCE_DIR}/include")
  target_link_libraries(${target} PRIVATE tuza_warnings tuza_sanitizers)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
endforeach()
add_library(tuza_test_support INTERFACE)
target_include_directories(tuza_test_support INTERFACE "${tuza_tests_dir}")
target_link_libraries(tuza_test_support INTERFACE
  tuza_test_support_objects "$<TARGET_OBJECTS:tuza_test_support_objects>")

# The sources of one kind in `result`, below tests/<kind> or, for examples, below examples.
function(tuza_find_sources result kind pattern)
  set(folder "${tuza_tests_dir}/${kind}")
  if(kind STREQUAL "examples")
    set(folder "${PROJECT_SOURCE_DIR}/${kind}")
  endif()
  set(sources "")
  if(kind IN_LIST TUZA_TEST_KINDS)
    foreach(extension IN LISTS tuza_test_extensions)
      file(GLOB_RECURSE found CONFIGURE_DEPENDS "${folder}/${pattern}.${extension}")
      list(APPEND sources ${found})
    endforeach()
    foreach(source IN LISTS sources)
      file(STRINGS "${source}" not_under REGEX "^// not-under:" LIMIT_COUNT 1)
      string(REGEX MATCHALL "address|thread|emulator" not_under "${not_under}")
      string(REGEX MATCHALL "address|thread" under "${TUZA_SANITIZE}")
      if(CMAKE_CROSSCOMPILING_EMULATOR)
        set(under emulator)
      endif()
      if(under AND under IN_LIST not_under)
        list(REMOVE_ITEM sources "${source}")
      endif()
    endforeach()
    if(TUZA_TEST_EXCLUDE)
      list(FILTER sources EXCLUDE REGEX "${TUZA_TEST_EXCLUDE}")
    endif()
  endif()
  set(${result} "${sources}" PARENT_SCOPE)
endfunction()

# Builds `source` against `libraries`; gives the target and the test's name (tests/unit/base/x.c: unit/base/x).
function(tuza_add_program source target_result name_result)
  cmake_path(RELATIVE_PATH source BASE_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE name)
  cmake_path(REMOVE_EXTENSION name)
  set(path "${name}")
  string(REGEX REPLACE "^tests/" "" name "${name}")
  string(REPLACE "/" "-" target "${name}")
  cmake_path(GET path PARENT_PATH folder)
  cmake_path(GET path FILENAME file)
  add_executable(${target} "${source}")
  set(tuza_harness "")
  if("tuza_test_support" IN_LIST ARGN) # before the library that it calls
    set(tuza_harness tuza_test_harness)
  endif()
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME "${file}" RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/${folder}"
    POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(${target} PRIVATE ${tuza_harness} tuza_warnings tuza_sanitizers ${ARGN})
  set(${target_result} ${target} PARENT_SCOPE)
  set(${name_result} "${name}" PARENT_SCOPE)
endfunction()

# What all tests share; further arguments are NAME=VALUE for the environment. `source` may say "// run-alone: why".
# Under the sanitizers a huge malloc returns NULL, as it does without. A test that starts itself again needs the
# emulator that runs it, and all take some ten times as long there; some do under the sanitizers, too.
list(JOIN CMAKE_CROSSCOMPILING_EMULATOR " " tuza_test_emulator)
if(CMAKE_CROSSCOMPILING_EMULATOR)
  list(APPEND tuza_test_environment "TUZA_TEST_EMULATOR=${tuza_test_emulator}" TUZA_TEST_SECONDS=100)
elseif(TUZA_SANITIZE)
  list(APPEND tuza_test_environment TUZA_TEST_SECONDS=100)
endif()
function(tuza_set_test_properties name kind source)
  set(timeout ${TUZA_TEST_TIMEOUT})
  if(kind STREQUAL "meta") # compilers run there, and Go builds its pprof at the first use
    set(timeout 400)
  endif()
  set_tests_properties("${name}" PROPERTIES
    LABELS "${kind}" TIMEOUT ${timeout} SKIP_RETURN_CODE 77
    ENVIRONMENT "ASAN_OPTIONS=allocator_may_return_null=1;TSAN_OPTIONS=allocator_may_return_null=1:atexit_sleep_ms=50:suppressions=${tuza_tests_dir}/thread.supp;UBSAN_OPTIONS=print_stacktrace=1;${tuza_test_environment};${ARGN}")
  file(STRINGS "${source}" run_alone REGEX "^(//|#) run-alone:" LIMIT_COUNT 1)
  if(run_alone)
    set_tests_properties("${name}" PROPERTIES RUN_SERIAL ON)
  endif()
  file(STRINGS "${source}" sleeps REGEX "^(//|#) mostly-sleeps:" LIMIT_COUNT 1)
  file(STRINGS "${source}" takes_long REGEX "^(//|#) takes-long:" LIMIT_COUNT 1)
  set(quarters 2)
  set(cost 0) # what has the highest begins first
  if(sleeps)
    set(quarters 1)
    set(cost 1000)
  elseif(takes_long)
    set(cost 900)
  elseif(kind STREQUAL "meta")
    set(cost 800)
  elseif(kind STREQUAL "stress")
    set(quarters 4)
  endif()
  set_tests_properties("${name}" PROPERTIES PROCESSORS ${quarters} COST ${cost})
endfunction()

# Sets `out` to what `source` is linked with: `without`, or libtuza-http if it includes that library's headers; to NO
# where it is not built.
function(tuza_library_of source without out)
  file(STRINGS "${source}" with_http REGEX "^#include <tuza/http")
  set(library "${without}")
  if(with_http AND NOT TUZA_HAVE_HTTP)
    set(library NO)
  elseif(with_http MATCHES "http_client" AND NOT TUZA_HAVE_HTTP_CLIENT)
    set(library NO)
  elseif(with_http)
    set(library tuza::http_static)
  endif()
  set(${out} "${library}" PARENT_SCOPE)
endfunction()

foreach(kind IN ITEMS unit fault)
  tuza_find_sources(sources ${kind} "*_*")
  foreach(source IN LISTS sources)
    tuza_library_of("${source}" tuza_plain library)
    if(library STREQUAL "NO")
      continue()
    endif()
    tuza_add_program("${source}" target name ${library} tuza_test_support)
    add_test(NAME "${name}" COMMAND ${target})
    tuza_set_test_properties("${name}" ${kind} "${source}")
    if(name MATCHES "^unit/arch/")
      list(APPEND tuza_arch_targets ${target})
    endif()
  endforeach()
endforeach()
add_custom_target(unit_arch DEPENDS ${tuza_arch_targets})

tuza_find_sources(sources model "*_model")
foreach(source IN LISTS sources)
  tuza_add_program("${source}" target name Threads::Threads tuza_test_support)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/include")
  add_test(NAME "${name}" COMMAND ${target})
  tuza_set_test_properties("${name}" model "${source}")
endforeach()

find_program(TUZA_VALGRIND valgrind)
# `source`, built as `target`, under valgrind as memcheck/NAME, unless it says "// not-under: valgrind why".
function(tuza_add_memcheck name target source)
  if(NOT "memcheck" IN_LIST TUZA_TEST_KINDS OR NOT TUZA_VALGRIND)
    return()
  endif()
  file(STRINGS "${source}" not_under_valgrind REGEX "^// not-under:.*valgrind" LIMIT_COUNT 1)
  if(not_under_valgrind)
    return()
  endif()
  # Names of inlined functions would only be for reports, and take a fifth of a second to read.
  add_test(NAME "memcheck/${name}" COMMAND "${TUZA_VALGRIND}" --quiet --error-exitcode=99 --read-inline-info=no
    --leak-check=full "--errors-for-leak-kinds=definite,possible" --fair-sched=yes
    $<TARGET_FILE:${target}>)
  tuza_set_test_properties("memcheck/${name}" memcheck "${source}" TUZA_MAXPROCS=2
    TUZA_TEST_SECONDS=100)
endfunction()
foreach(kind IN ITEMS api stress)
  tuza_find_sources(sources ${kind} "*_*")
  foreach(source IN LISTS sources)
    tuza_add_program("${source}" target name tuza::static tuza_test_support)
    foreach(processors IN LISTS TUZA_TEST_MAXPROCS)
      add_test(NAME "${name}.p${processors}" COMMAND ${target})
      tuza_set_test_properties("${name}.p${processors}" ${kind} "${source}"
        "TUZA_MAXPROCS=${processors};TUZA_DEBUG=${TUZA_TEST_DEBUG}")
    endforeach()
    cmake_path(GET source FILENAME file)
    if(kind STREQUAL "api" AND file MATCHES "${TUZA_MEMCHECK_TESTS}")
      string(REGEX REPLACE "^api/" "" short "${name}")
      tuza_add_memcheck("${short}" ${target} "${source}")
    endif()
  endforeach()
endforeach()

if(TUZA_HAVE_HTTP)
  tuza_find_sources(sources http "*_test")
  if(NOT TUZA_HAVE_HTTP_CLIENT)
    list(FILTER sources EXCLUDE REGEX "/client")
  endif()
else()
  set(sources "")
endif()
foreach(source IN LISTS sources)
  tuza_add_program("${source}" target name tuza::http_static tuza_test_support)
  foreach(processors IN ITEMS 1 4)
    add_test(NAME "${name}.p${processors}" COMMAND ${target})
    tuza_set_test_properties("${name}.p${processors}" http "${source}"
      "TUZA_MAXPROCS=${processors};TUZA_DEBUG=${TUZA_TEST_DEBUG}")
  endforeach()
  cmake_path(GET source FILENAME file)
  if(file MATCHES "${TUZA_MEMCHECK_HTTP_TESTS}")
    tuza_add_memcheck("${name}" ${target} "${source}")
  endif()
endforeach()

set(sources "")
if(TUZA_HAVE_TLS)
  tuza_find_sources(sources tls "*_test")
endif()
# Hundreds of configurations with all of the system's authorities would take most of these tests' time: there is one.
set(tuza_tls_environment "")
set(tuza_authorities /etc/ssl/certs/ca-certificates.crt)
if(sources AND EXISTS "${tuza_authorities}")
  file(READ "${tuza_authorities}" text LIMIT 20000)
  if(text MATCHES "-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n")
    file(WRITE "${PROJECT_BINARY_DIR}/one_authority.pem" "${CMAKE_MATCH_0}")
    set(tuza_tls_environment ";SSL_CERT_FILE=${PROJECT_BINARY_DIR}/one_authority.pem")
  endif()
endif()
foreach(source IN LISTS sources)
  tuza_library_of("${source}" "" http)
  if(http STREQUAL "NO")
    continue()
  endif()
  tuza_add_program("${source}" target name tuza::tls_static ${http} OpenSSL::Crypto tuza_test_support)
  foreach(processors IN ITEMS 1 4)
    add_test(NAME "${name}.p${processors}" COMMAND ${target})
    tuza_set_test_properties("${name}.p${processors}" tls "${source}"
      "TUZA_MAXPROCS=${processors};TUZA_DEBUG=${TUZA_TEST_DEBUG}${tuza_tls_environment}")
  endforeach()
endforeach()

tuza_find_sources(sources die "*")
foreach(source IN LISTS sources)
  tuza_library_of("${source}" tuza::static library)
  if(library STREQUAL "NO")
    continue()
  endif()
  tuza_add_program("${source}" target name ${library} tuza_test_support)
  add_test(NAME "${name}" COMMAND "${PROJECT_SOURCE_DIR}/tools/run_die.sh" "${source}"
    ${CMAKE_CROSSCOMPILING_EMULATOR} $<TARGET_FILE:${target}>)
  tuza_set_test_properties("${name}" die "${source}")
endforeach()

tuza_find_sources(sources examples "*")
foreach(source IN LISTS sources)
  set(library tuza::static)
  # tuza/http.h declares the client as well: what tells is its use.
  file(STRINGS "${source}" with_http REGEX "^#include <tuza/http|tuza_http_response")
  if(with_http MATCHES "http_(client|response)" AND NOT TUZA_HAVE_HTTP_CLIENT)
    continue()
  elseif(with_http AND TUZA_HAVE_HTTP)
    set(library tuza::http_static)
  elseif(with_http)
    continue()
  endif()
  file(STRINGS "${source}" with_tls REGEX "^#include <tuza/tls")
  if(with_tls AND TUZA_HAVE_TLS)
    list(APPEND library tuza::tls_static)
  elseif(with_tls)
    continue()
  endif()
  tuza_add_program("${source}" target name ${library})
  add_test(NAME "${name}" COMMAND "${PROJECT_SOURCE_DIR}/tools/run_example.sh" "${source}"
    ${CMAKE_CROSSCOMPILING_EMULATOR} $<TARGET_FILE:${target}>)
  tuza_set_test_properties("${name}" examples "${source}")
  list(APPEND tuza_example_targets ${target})
endforeach()
add_custom_target(examples DEPENDS ${tuza_example_targets})

if("meta" IN_LIST TUZA_TEST_KINDS AND NOT CMAKE_CROSSCOMPILING)
  file(GLOB sources CONFIGURE_DEPENDS "${tuza_tests_dir}/meta/*.sh")
  foreach(source IN LISTS sources)
    cmake_path(GET source STEM name)
    add_test(NAME "meta/${name}" COMMAND sh "${source}")
    tuza_set_test_properties("meta/${name}" meta "${source}"
      "TUZA_SOURCE_DIR=${PROJECT_SOURCE_DIR}" "TUZA_BUILD_DIR=${PROJECT_BINARY_DIR}"
      "CC=${CMAKE_C_COMPILER}")
  endforeach()
endif()
