// SPDX-License-Identifier: MIT
/*
 * The heap of one processor, as the scheduler sees it (timer_heap.c; upper layers use
 * sched/timer.h).
 */
#ifndef TUZA_SCHED_TIMER_HEAP_H
#define TUZA_SCHED_TIMER_HEAP_H

#include "sched/lock.h"
#include "sched/timer.h"
#include "sched/visit.h"

struct timer_heap {
	// any thread, atomic: when of the root, INT64_MAX if empty; written under the lock
	int64_t earliest;
	// guarded by lock
	struct lock lock;
	uint32_t count;
	uint32_t capacity;
	struct timer_slot *slots; // timer_slots.h
	bool is_dead; // no room any more: its run has ended, and a straggler has its processor
} CACHE_ALIGNED;

// Makes an empty heap of one that is zero, or was destroyed.
void timer_heap_init(struct timer_heap *h);
// Frees the array. Needs: the heap is empty, and nobody puts timers into it. Its memory stays: who
// stops a timer may be about to lock the heap that it was in.
void timer_heap_destroy(struct timer_heap *h);

/*
 * For timer.c. Makes room for more than `capacity` timers, what there was when the heap was full.
 * Needs: h->lock not held.
 *
 * Returns  0, also when another thread did it meanwhile; -ENOMEM.
 */
COLD MUST_USE int timer_heap_grow(struct timer_heap *h, uint32_t capacity);

// The runtime ends: all timers leave the heap; those that outlive it are kept for the next one.
// Needs: nobody fires them, and only stragglers start others.
void timer_heap_end(struct timer_heap *h, bool dies);
// The runtime starts: those that were kept go to this heap, which is empty.
void timer_heap_begin(struct timer_heap *h);

static ALWAYS_INLINE int64_t timer_heap_earliest(const struct timer_heap *h)
{
	return load_relaxed(&h->earliest); // hint, re-checked under the lock
}

/*
 * Fires what is due at `now`; returns the goroutines to make runnable, linked by next in firing
 * order, NULL if none. If the heap is being run by another machine returns NULL at once.
 */
struct goroutine *timer_heap_run(struct timer_heap *h, int64_t now);

// goroutine.c: maps new descriptors if a timer that fired found none. Needs: no lock held.
void goroutine_provide(void);

// timekeeper.c: the heap that the calling thread's timers go to, until the visit ends; and the call
// after a timer became the earliest of its heap (no lock held).
struct timer_heap *timer_heap_current(enum visit *visit);
// The same for who has found that dead.
struct timer_heap *timer_heap_of_others(enum visit *visit);
void timer_became_earliest(int64_t when);

#endif
