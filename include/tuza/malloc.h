// SPDX-License-Identifier: MIT
/*
 * malloc with a heap profile: a program that uses these instead of the C library's functions sees,
 * in the profiles "heap" and "allocs" (tuza/pprof.h), on which stacks memory was allocated and how
 * much of it is still in use.
 *
 *	char *copy = tuza_malloc(n);
 *	…
 *	tuza_free(copy);
 *
 *	$ go tool pprof -top http://127.0.0.1:6060/debug/pprof/heap
 *
 * The memory is malloc's, without a header: one allocation in 512 KiB, on average, is recorded with
 * its stack, and stands for those that were not. So free() may free what tuza_malloc returned, and
 * tuza_free what malloc returned; but the profile does not notice that free(), and compilers warn.
 *
 * Libraries use them through their own allocation hooks, such as sqlite3_mem_methods or
 * curl_global_init_mem.
 */
#ifndef TUZA_MALLOC_H
#define TUZA_MALLOC_H

#include <tuza/macros.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * As the C library's functions of these names, and as fast to a nanosecond or two.
 *
 * Returns  memory, or NULL without; errno then is ENOMEM.
 * Panics   never.
 * Blocks   never parks.
 * Callable from  any goroutine or thread, whether the runtime runs or not; not from a signal
 *          handler.
 * Go       new, make; the profile: runtime.MemProfile
 */
void tuza_free(void *p);
TUZA_MUST_USE void *tuza_malloc(size_t bytes) TUZA_FREED_BY_(tuza_free);
TUZA_MUST_USE void *tuza_calloc(size_t count, size_t bytes) TUZA_FREED_BY_(tuza_free);
TUZA_MUST_USE void *tuza_realloc(void *p, size_t bytes);

/*
 * Sets the sampling rate: on average one allocation is recorded for each `bytes` allocated. The
 * chance of an allocation grows with its size; samples are scaled up, so the profile is unbiased.
 *
 *   bytes  512 KiB at first. 1: every allocation; 0: none; below 0 the rate is only queried.
 *
 * In the text form (debug=1) samples are not scaled, and readers scale them by the rate of the
 * moment: so it is best set once, early.
 *
 * Returns  the rate before.
 * Callable from  any goroutine or thread, before tuza_run, too.
 * Go       runtime.MemProfileRate
 */
int64_t tuza_set_heap_profile_rate(int64_t bytes);

#ifdef __cplusplus
}
#endif
#endif
