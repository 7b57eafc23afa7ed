// SPDX-License-Identifier: MIT
/*
 * malloc with a heap profile: who uses these instead of the C library's sees, in the profiles
 * "heap" and "allocs" (tuza/pprof.h), by which stacks memory was allocated and how much of it is
 * still there.
 *
 *	char *copy = tuza_malloc(n);
 *	…
 *	tuza_free(copy);
 *
 *	$ go tool pprof -top http://127.0.0.1:6060/debug/pprof/heap
 *
 * The memory is malloc's, and nothing stands in front of it: one allocation in 512 KiB, on average,
 * is remembered with its stack, and stands for those that were not. So free() may take what
 * tuza_malloc gave, and tuza_free what malloc gave; only that free() does not tell the profile, and
 * compilers warn of it.
 *
 * A library is made to use them by its own hooks, such as sqlite3_mem_methods or
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
 * How much is remembered: on average one allocation for so many bytes. The chance of each grows
 * with its size, so that in the profile, where samples are scaled up, none is favoured.
 *
 *   bytes  512 KiB at first. 1: every allocation; 0: none. Less than 0 only asks.
 *
 * In the text form (debug=1) samples are as they were taken, and readers scale them by the rate of
 * that moment: so it is best set once, early.
 *
 * Returns  what it was.
 * Callable from  any goroutine or thread, before tuza_run, too.
 * Go       runtime.MemProfileRate
 */
int64_t tuza_set_heap_profile_rate(int64_t bytes);

#ifdef __cplusplus
}
#endif
#endif
