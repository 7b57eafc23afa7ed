# SPDX-License-Identifier: MIT
#
# How everything here is compiled: the interface targets tuza_warnings, tuza_codegen (the libraries) and
# tuza_sanitizers (tests and examples), and the CPU's folder in TUZA_CPU.
include(CheckCCompilerFlag)

string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" TUZA_CPU)
if(TUZA_CPU STREQUAL "amd64")
  set(TUZA_CPU x86_64)
elseif(TUZA_CPU STREQUAL "arm64")
  set(TUZA_CPU aarch64)
endif()
if(NOT TUZA_CPU MATCHES "^(x86_64|aarch64)$")
  message(FATAL_ERROR "tuza runs on x86_64 and aarch64, not on ${CMAKE_SYSTEM_PROCESSOR}")
endif()
if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
  message(FATAL_ERROR "tuza runs on Linux, not on ${CMAKE_SYSTEM_NAME}")
endif()

# Adds each flag that the compiler takes to an interface target.
function(tuza_add_flags target)
  foreach(flag IN LISTS ARGN)
    string(MAKE_C_IDENTIFIER "TUZA_HAS${flag}" variable)
    # A flag that is known and unused on this CPU is only a warning.
    set(CMAKE_REQUIRED_FLAGS "-Werror")
    check_c_compiler_flag("${flag}" ${variable})
    if(${variable})
      target_compile_options(${target} INTERFACE "$<$<COMPILE_LANGUAGE:C>:${flag}>")
    endif()
  endforeach()
endfunction()

add_library(tuza_warnings INTERFACE)
target_compile_options(tuza_warnings INTERFACE
  "$<$<COMPILE_LANGUAGE:C>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wmissing-prototypes>")
if(TUZA_WERROR)
  target_compile_options(tuza_warnings INTERFACE "$<$<COMPILE_LANGUAGE:C,CXX>:-Werror>")
endif()

# -fvisibility=hidden        only what is marked EXPORT leaves the library
# -ftls-model=initial-exec   the current goroutine is one load away; the library is not for late dlopen
# -fno-plt                   calls into libc without a lazy stub that would need stack
# -fstack-clash-protection   a large frame touches each page, so it cannot jump a guard
# -fasynchronous-unwind-tables  dumps walk stacks from any instruction
# -fno-tree-loop-distribute-patterns  loops stay loops: ThreadSanitizer would watch the memcpy made of one
add_library(tuza_codegen INTERFACE)
tuza_add_flags(tuza_codegen
  -fvisibility=hidden
  -ftls-model=initial-exec
  -fno-plt
  -fno-semantic-interposition
  -fstack-clash-protection
  -fasynchronous-unwind-tables
  -fno-tree-loop-distribute-patterns)
target_compile_definitions(tuza_codegen INTERFACE
  TUZA_LIBRARY_ TUZA_DEBUG_CHECKS=$<BOOL:${TUZA_DEBUG_CHECKS}>)

set(tuza_sanitizer_flags -fno-omit-frame-pointer -fno-sanitize-recover=all)
if(TUZA_SANITIZE_LIBRARY)
  target_compile_options(tuza_codegen INTERFACE
    "$<$<COMPILE_LANGUAGE:C>:-fsanitize=${TUZA_SANITIZE_LIBRARY};${tuza_sanitizer_flags}>")
endif()
if(TUZA_COVERAGE)
  target_compile_options(tuza_codegen INTERFACE "$<$<COMPILE_LANGUAGE:C>:--coverage>")
endif()
add_library(tuza_sanitizers INTERFACE)
if(TUZA_COVERAGE)
  target_link_options(tuza_sanitizers INTERFACE --coverage)
endif()
if(TUZA_SANITIZE)
  target_compile_options(tuza_sanitizers INTERFACE
    "$<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${TUZA_SANITIZE};${tuza_sanitizer_flags}>")
  # These faults are for the runtime to catch: that is what some tests are about.
  if(TUZA_SANITIZE MATCHES "undefined")
    target_compile_options(tuza_sanitizers INTERFACE
      "$<$<COMPILE_LANGUAGE:C,CXX>:-fno-sanitize=null,pointer-overflow,integer-divide-by-zero>")
  endif()
  target_link_options(tuza_sanitizers INTERFACE "-fsanitize=${TUZA_SANITIZE}")
  # Their runtimes are large: where LLVM's linker is, hundreds of programs take half as long to link.
  find_program(TUZA_LLD ld.lld)
  if(TUZA_LLD AND CMAKE_C_COMPILER_ID STREQUAL "Clang")
    target_link_options(tuza_sanitizers INTERFACE -fuse-ld=lld LINKER:--threads=1)
  endif()
endif()
