# SPDX-License-Identifier: MIT
#
# The library, from one set of objects:
#
#   tuza_objects   the plain objects
#   tuza_plain     an archive of them, every name visible: for white-box tests, which may define some
#                  of the names themselves
#   tuza_static    libtuza.a: one object in which every internal name is local, so that a program may
#                  define its own runq_push
#   tuza_shared    libtuza.so: exports what src/tuza.map lists
#
# libbacktrace (in gcc's own directory) goes into both when it is there, so users link nothing more.
file(GLOB_RECURSE tuza_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/*.c")
list(FILTER tuza_sources EXCLUDE REGEX "/src/(arch/[^/]+|http|tls)/")
file(GLOB_RECURSE tuza_cpu_sources CONFIGURE_DEPENDS
     "${PROJECT_SOURCE_DIR}/src/arch/${TUZA_CPU}/*.c"
     "${PROJECT_SOURCE_DIR}/src/arch/${TUZA_CPU}/*.S")

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# clang uses gcc's copy: it has none of its own.
find_program(TUZA_GCC NAMES "${CMAKE_C_COMPILER_TARGET}-gcc" "${CMAKE_LIBRARY_ARCHITECTURE}-gcc" gcc)
set(TUZA_LIBBACKTRACE "")
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  set(tuza_gcc "${CMAKE_C_COMPILER}")
else()
  set(tuza_gcc "${TUZA_GCC}")
endif()
if(tuza_gcc)
  foreach(file IN ITEMS libbacktrace.a include/backtrace.h)
    execute_process(COMMAND "${tuza_gcc}" -print-file-name=${file}
                    OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    # gcc prints the bare name when it has no such file.
    if(NOT IS_ABSOLUTE "${found}" OR NOT EXISTS "${found}")
      set(found "")
    endif()
    list(APPEND tuza_backtrace_files "${found}")
  endforeach()
  list(GET tuza_backtrace_files 0 tuza_backtrace_archive)
  list(GET tuza_backtrace_files 1 tuza_backtrace_header)
  if(tuza_backtrace_archive AND tuza_backtrace_header)
    # Only this header is taken from there: gcc's other headers are not for clang.
    configure_file("${tuza_backtrace_header}" "${PROJECT_BINARY_DIR}/backtrace/backtrace.h" COPYONLY)
    # A copy that asks the runtime which modules to read (src/debug/symbol_lines.c).
    set(TUZA_LIBBACKTRACE "${PROJECT_BINARY_DIR}/backtrace/libbacktrace.a")
    execute_process(COMMAND "${CMAKE_OBJCOPY}" --redefine-sym dl_iterate_phdr=lines_each_module
                            "${tuza_backtrace_archive}" "${TUZA_LIBBACKTRACE}"
                    COMMAND_ERROR_IS_FATAL ANY)
  endif()
endif()
if(TUZA_LIBBACKTRACE)
  message(STATUS "libbacktrace: ${tuza_backtrace_archive}")
else()
  message(STATUS "libbacktrace: none, stacks have names of functions without lines")
endif()

add_library(tuza_objects OBJECT ${tuza_sources} ${tuza_cpu_sources})
set_target_properties(tuza_objects PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_include_directories(tuza_objects PUBLIC
  "${PROJECT_SOURCE_DIR}/include"
  "${PROJECT_SOURCE_DIR}/src"
  "${PROJECT_SOURCE_DIR}/src/arch/${TUZA_CPU}")
target_link_libraries(tuza_objects PRIVATE Threads::Threads tuza_warnings tuza_codegen)
# The live page becomes part of one object as it is.
set(tuza_page "${PROJECT_SOURCE_DIR}/src/pprof/page")
file(GLOB tuza_page_files CONFIGURE_DEPENDS "${tuza_page}/*")
set_source_files_properties("${PROJECT_SOURCE_DIR}/src/pprof/live.c" PROPERTIES
  COMPILE_DEFINITIONS "PAGE_DIRECTORY=\"${tuza_page}\"" OBJECT_DEPENDS "${tuza_page_files}")
if(TUZA_LIBBACKTRACE)
  target_compile_definitions(tuza_objects PRIVATE TUZA_HAVE_LIBBACKTRACE=1)
  target_include_directories(tuza_objects SYSTEM PRIVATE "${PROJECT_BINARY_DIR}/backtrace")
endif()

add_library(tuza_plain STATIC EXCLUDE_FROM_ALL "$<TARGET_OBJECTS:tuza_objects>")
set_target_properties(tuza_plain PROPERTIES LINKER_LANGUAGE C)
target_include_directories(tuza_plain PUBLIC
  "$<TARGET_PROPERTY:tuza_objects,INTERFACE_INCLUDE_DIRECTORIES>")
target_link_libraries(tuza_plain PUBLIC Threads::Threads ${CMAKE_DL_LIBS} ${TUZA_LIBBACKTRACE})

# One section for all code, so that the runtime knows its own (src/panic/own_code.c).
foreach(section IN ITEMS .text .text.hot .text.unlikely .text.startup)
  list(APPEND tuza_text_sections --rename-section ${section}=tuza_text)
endforeach()

# The archive's only object. Everything but tuza_* becomes local, libbacktrace's names included.
set(tuza_one_object "${PROJECT_BINARY_DIR}/tuza.o")
add_custom_command(OUTPUT "${tuza_one_object}"
  COMMAND "${CMAKE_C_COMPILER}" -r -nostdlib -o "${tuza_one_object}"
          "$<TARGET_OBJECTS:tuza_objects>" ${TUZA_LIBBACKTRACE}
  COMMAND "${CMAKE_OBJCOPY}" --localize-hidden --wildcard "--keep-global-symbol=tuza_*"
          ${tuza_text_sections}
          "${tuza_one_object}"
  DEPENDS tuza_objects "$<TARGET_OBJECTS:tuza_objects>"
  COMMAND_EXPAND_LISTS VERBATIM
  COMMENT "Joining the objects and hiding internal names")

add_library(tuza_static STATIC "${tuza_one_object}")
set_source_files_properties("${tuza_one_object}" PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
set_target_properties(tuza_static PROPERTIES
  LINKER_LANGUAGE C OUTPUT_NAME tuza EXPORT_NAME static)
set(tuza_public_targets tuza_static)

if(TUZA_SHARED)
  add_library(tuza_shared SHARED "$<TARGET_OBJECTS:tuza_objects>")
  set_target_properties(tuza_shared PROPERTIES
    LINKER_LANGUAGE C OUTPUT_NAME tuza EXPORT_NAME tuza
    VERSION "${PROJECT_VERSION}" SOVERSION "${PROJECT_VERSION_MAJOR}"
    LINK_DEPENDS "${PROJECT_SOURCE_DIR}/src/tuza.map")
  # nodelete: machines may still run the library's code after a dlclose.
  target_link_options(tuza_shared PRIVATE
    "-Wl,--version-script=${PROJECT_SOURCE_DIR}/src/tuza.map"
    "LINKER:-z,relro,-z,now,-z,noexecstack,-z,nodelete")
  if(TUZA_SANITIZE_LIBRARY)
    target_link_options(tuza_shared PRIVATE "-fsanitize=${TUZA_SANITIZE_LIBRARY}")
  else()
    target_link_options(tuza_shared PRIVATE "LINKER:-z,defs")
  endif()
  if(TUZA_LIBBACKTRACE)
    target_link_libraries(tuza_shared PRIVATE "$<BUILD_INTERFACE:${TUZA_LIBBACKTRACE}>")
  endif()
  list(APPEND tuza_public_targets tuza_shared)
  add_library(tuza::tuza ALIAS tuza_shared)
endif()
add_library(tuza::static ALIAS tuza_static)

foreach(target IN LISTS tuza_public_targets)
  target_include_directories(${target} PUBLIC
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:include>")
  if(target STREQUAL "tuza_static")
    target_link_libraries(${target} INTERFACE Threads::Threads ${CMAKE_DL_LIBS})
  else()
    target_link_libraries(${target} PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
  endif()
endforeach()
