// SPDX-License-Identifier: MIT
/*
 * Attributes and builtins used anywhere, and the one place (with arch/ and sys/) for compiler #if.
 */
#ifndef TUZA_BASE_COMPILER_H
#define TUZA_BASE_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Whether the expensive internal checks are compiled in: the build says so.
#ifndef TUZA_DEBUG_CHECKS
#define TUZA_DEBUG_CHECKS 0
#endif

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define NOINLINE __attribute__((noinline))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NORETURN __attribute__((noreturn))
#define MUST_USE __attribute__((warn_unused_result))
#define COLD __attribute__((cold, noinline))
#define PRINTF(at, first) __attribute__((format(printf, at, first)))
// A symbol of the public API: everything else is hidden.
#define EXPORT __attribute__((visibility("default")))
// On the declaration of a variable that hot paths read: the library's own, so its address needs no
// look into a table.
#define HIDDEN __attribute__((visibility("hidden")))
// Resolved only where a sanitizer's runtime (or libstdc++) is in the program; NULL otherwise.
#define WEAK __attribute__((weak))
// A function that reads what sanitizers would not have it read.
#define UNSANITIZED __attribute__((no_sanitize("address", "thread")))

// For large zeroed tables of which most programs touch little: the small variables around them
// share their pages, of which each costs the start of a program a fault.
#define APART __attribute__((section(".bss.tuza_tables")))

// 64 bytes on every supported CPU; two lines are kept apart where the neighbour prefetcher matters.
#define CACHE_LINE 64
#define CACHE_ALIGNED __attribute__((aligned(CACHE_LINE)))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static ALWAYS_INLINE size_t align_up(size_t n, size_t to) { return (n + to - 1) & ~(to - 1); }

#endif
