// SPDX-License-Identifier: MIT
/*
 * Valgrind's requests, where its header was found at compile time; they cost a few nanoseconds
 * outside of valgrind.
 */
#ifndef TUZA_SYS_VALGRIND_H
#define TUZA_SYS_VALGRIND_H

#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif
#endif

#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_STACK_REGISTER(low, high) 0
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#define VALGRIND_MAKE_MEM_UNDEFINED(at, bytes) ((void)(at))
#endif

#endif
