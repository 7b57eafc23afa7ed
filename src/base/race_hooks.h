// SPDX-License-Identifier: MIT
/*
 * What ThreadSanitizer must be told, because the library itself is not instrumented: its atomics
 * are invisible to the detector, so each happens-before edge of the API is announced here, and so
 * is each access to the user's memory. The symbols are weak: in a program without the detector a
 * call is one test of a constant.
 */
#ifndef TUZA_BASE_RACE_HOOKS_H
#define TUZA_BASE_RACE_HOOKS_H

#include "base/compiler.h"

WEAK void __tsan_acquire(void *address);
WEAK void __tsan_release(void *address);
WEAK void __tsan_read_range(void *address, unsigned long bytes);
WEAK void __tsan_write_range(void *address, unsigned long bytes);
WEAK void __tsan_func_entry(void *call);
WEAK void __tsan_func_exit(void);
WEAK void __tsan_ignore_thread_begin(void);
WEAK void __tsan_ignore_thread_end(void);
WEAK void *__tsan_get_current_fiber(void);
WEAK void *__tsan_create_fiber(unsigned flags);
WEAK void __tsan_destroy_fiber(void *fiber);
WEAK void __tsan_switch_to_fiber(void *fiber, unsigned flags);
WEAK void __tsan_set_fiber_name(void *fiber, const char *name);

static ALWAYS_INLINE bool race_is_on(void) { return unlikely(__tsan_acquire != NULL); }

// What was done before race_release(p) is visible after a later race_acquire(p).
static ALWAYS_INLINE void race_acquire(const void *p)
{
	if (race_is_on())
		__tsan_acquire((void *)(uintptr_t)p);
}
static ALWAYS_INLINE void race_release(const void *p)
{
	if (race_is_on())
		__tsan_release((void *)(uintptr_t)p);
}
/*
 * The library reads or writes the user's bytes on behalf of the calling goroutine. The detector's
 * stacks have instrumented functions only; they are told of the call of this one, or the report
 * would not name the line with the send.
 */
static ALWAYS_INLINE void race_read(const void *p, size_t bytes)
{
	if (race_is_on() && p && bytes) {
		__tsan_func_entry(__builtin_return_address(0));
		__tsan_read_range((void *)(uintptr_t)p, bytes);
		__tsan_func_exit();
	}
}
static ALWAYS_INLINE void race_write(const void *p, size_t bytes)
{
	if (race_is_on() && p && bytes) {
		__tsan_func_entry(__builtin_return_address(0));
		__tsan_write_range((void *)(uintptr_t)p, bytes);
		__tsan_func_exit();
	}
}

/*
 * Around calls of a library that shares memory between threads under a lock of its own, which the
 * detector does not see, while it sees memcpy and the like. Nests.
 */
static ALWAYS_INLINE void race_ignore_begin(void)
{
	if (__tsan_ignore_thread_begin)
		__tsan_ignore_thread_begin();
}
static ALWAYS_INLINE void race_ignore_end(void)
{
	if (__tsan_ignore_thread_end)
		__tsan_ignore_thread_end();
}

#endif
