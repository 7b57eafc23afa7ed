// SPDX-License-Identifier: MIT
/*
 * The three ways to stop, and the assertions. Implemented in panic/fatal.c, because a good end
 * needs stacks.
 *
 *   tuza_panic (tuza/panic.h)  the caller's bug that a tuza_try may contain: Go's panic
 *   fatal                      the caller's bug or the world's that nothing may contain
 *   throw                      our bug: "fatal error: tuza: …", everything is dumped
 */
#ifndef TUZA_BASE_FATAL_H
#define TUZA_BASE_FATAL_H

#include "base/compiler.h"

// "fatal error: <text>", the calling goroutine's stack; status 2 (abort with TUZA_TRACEBACK=crash).
NORETURN COLD void fatal(const char *format, ...) PRINTF(1, 2);

// The same with every goroutine: for a deadlock and for what went wrong with the whole program.
NORETURN COLD void fatal_all(const char *format, ...) PRINTF(1, 2);

// "fatal error: tuza: <text>", every goroutine. For broken invariants.
NORETURN COLD void throw(const char *format, ...) PRINTF(1, 2);

// Always checked: cheap, and what follows would destroy memory.
#define check(condition)                                                                           \
	do {                                                                                       \
		if (unlikely(!(condition)))                                                        \
			throw("check failed: %s (%s:%d)", #condition, __FILE__, __LINE__);         \
	} while (0)

// Checked in debug builds.
#if TUZA_DEBUG_CHECKS
#define debug_check(condition) check(condition)
#else
#define debug_check(condition) ((void)sizeof(condition))
#endif

#endif
