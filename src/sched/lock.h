// SPDX-License-Identifier: MIT
/*
 * The runtime's own lock: guards a few dozen instructions, never held across a park, malloc or user
 * code.
 *
 * A test-and-set lock: releasing is a plain store, half the price of a lock that must look for
 * sleepers. Whoever finds it taken spins, then yields the CPU, then sleeps in growing steps (a
 * holder can lose its CPU). Nobody panics with one held: the report of the panic may take it.
 */
#ifndef TUZA_SCHED_LOCK_H
#define TUZA_SCHED_LOCK_H

#include "base/atomic.h"

struct lock {
	uint32_t word; // 0 free, 1 held
};

/*
 * The order in which locks are taken, first to last. Channels among themselves: by creation number.
 *
 *   shard of all contexts (context/)    first
 *   context (context/)
 *   wait queue bucket (waitqueue.c)
 *   lines of readers (sync/reader_lines.c)
 *   timer heap (timer_heap.h)
 *   channel (chan/), record of a descriptor (netpoll.c), flow of a pipe (net/)
 *   runtime lists (runtime.lock)
 *   stack arena (stack.c)               last
 */

void lock_acquire_slow(struct lock *l);

static ALWAYS_INLINE bool lock_try(struct lock *l)
{
	// (lock) pairs with the release in lock_release: what the last holder wrote is seen.
	return load_relaxed(&l->word) == 0 && exchange_acquire(&l->word, 1) == 0;
}

static ALWAYS_INLINE void lock_acquire(struct lock *l)
{
	// (lock) pairs with the release in lock_release.
	if (unlikely(exchange_acquire(&l->word, 1) != 0))
		lock_acquire_slow(l);
}

static ALWAYS_INLINE void lock_release(struct lock *l)
{
	// (lock) pairs with lock_acquire and lock_try.
	store_release(&l->word, 0);
}

#endif
