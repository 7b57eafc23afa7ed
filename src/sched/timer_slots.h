// SPDX-License-Identifier: MIT
/*
 * The order within a heap of timers, for timer.c, which starts and stops them, and timer_heap.c,
 * which fires them. All of these need the heap's lock.
 *
 * Each slot holds a copy of the time beside the timer, so sifting compares within the array; four
 * children are one cache line. A timer knows its position, so stopping one costs O(log n) and
 * leaves nothing behind: no zombies to sweep, and a timer on a stack may go as soon as timer_stop
 * returns.
 *
 * Invariants, under a heap's lock:
 *   slots[i].when <= slots[c].when for each child c of i, 4i + 1 to 4i + 4
 *   slots[i].timer->index == i + 1 and slots[i].timer->heap is this heap, unless slots[i] is final
 *   earliest == slots[0].when, or INT64_MAX when the heap is empty
 *
 * A final slot holds a timer that nobody will stop or start again, as a sleeping goroutine's: it
 * does not know its position. With a million sleepers each move of one would otherwise miss the
 * cache and the TLB, as each timer is on a stack of its own.
 */
#ifndef TUZA_SCHED_TIMER_SLOTS_H
#define TUZA_SCHED_TIMER_SLOTS_H

#include "sched/timer_heap.h"

enum { TIMER_CHILDREN = 4 };

struct timer_slot {
	int64_t when;    // a copy, so that sifting stays in the array
	uintptr_t timer; // its address; TIMER_SLOT_FINAL: it does not know its place
};

#define TIMER_SLOT_FINAL ((uintptr_t)1)

static ALWAYS_INLINE struct timer *timer_slot_timer(struct timer_slot slot)
{
	return (struct timer *)(slot.timer & ~TIMER_SLOT_FINAL);
}

static ALWAYS_INLINE struct timer_slot timer_slot_of(struct timer *t, int64_t when)
{
	return (struct timer_slot){when, (uintptr_t)t};
}

static ALWAYS_INLINE void timer_slot_put(struct timer_heap *h, uint32_t i, struct timer_slot slot)
{
	h->slots[i] = slot;
	// Under the lock; without it only 0 means something.
	if (!(slot.timer & TIMER_SLOT_FINAL))
		store_relaxed(&timer_slot_timer(slot)->index, i + 1);
}

// Puts `slot` into the hole at i or where its time belongs between i and the root.
static inline void timer_sift_up(struct timer_heap *h, uint32_t i, struct timer_slot slot)
{
	while (i > 0) {
		uint32_t parent = (i - 1) / TIMER_CHILDREN;

		if (h->slots[parent].when <= slot.when)
			break;
		timer_slot_put(h, i, h->slots[parent]);
		i = parent;
	}
	timer_slot_put(h, i, slot);
}

// Puts `slot` into the hole at i or where its time belongs below i.
static inline void timer_sift_down(struct timer_heap *h, uint32_t i, struct timer_slot slot)
{
	// 64 bits: four times the index of the last of 2^32 slots.
	for (uint64_t child; (child = (uint64_t)i * TIMER_CHILDREN + 1) < h->count;) {
		uint64_t end =
			child + TIMER_CHILDREN < h->count ? child + TIMER_CHILDREN : h->count;
		uint32_t least = (uint32_t)child;

		while (++child < end)
			if (h->slots[child].when < h->slots[least].when)
				least = (uint32_t)child;
		if (slot.when <= h->slots[least].when)
			break;
		timer_slot_put(h, i, h->slots[least]);
		i = least;
	}
	timer_slot_put(h, i, slot);
}

// Puts `slot` where it belongs, given a hole at i.
static inline void timer_sift(struct timer_heap *h, uint32_t i, struct timer_slot slot)
{
	if (i > 0 && slot.when < h->slots[(i - 1) / TIMER_CHILDREN].when)
		timer_sift_up(h, i, slot);
	else
		timer_sift_down(h, i, slot);
}

static inline void timer_slot_remove(struct timer_heap *h, uint32_t i)
{
	struct timer_slot last = h->slots[--h->count];

	// (timer-out) pairs with timer_stop, which may free the timer now: the last touch.
	if (!(h->slots[i].timer & TIMER_SLOT_FINAL))
		store_release(&timer_slot_timer(h->slots[i])->index, 0);
	if (i < h->count)
		timer_sift(h, i, last);
}

// Publishes the time of the root. True when it became earlier: timer_became_earliest must be called
// after unlocking.
static inline bool timer_earliest_update(struct timer_heap *h)
{
	int64_t when = h->count ? h->slots[0].when : INT64_MAX;
	int64_t before = load_relaxed(&h->earliest); // only written under the lock, which is held

	if (when >= before) {
		// A hint: who reads the earlier one wakes too early and looks again.
		if (when > before)
			store_relaxed(&h->earliest, when);
		return false;
	}
	/*
	 * (idle-wake) pairs with the look at all heaps of a machine that goes to sleep
	 * (timekeeper_become):
	 *   starting a timer                        going to sleep
	 *   1. store earliest      (seq_cst)        1. exchange poll_until          (seq_cst)
	 *   2. read poll_until in                   2. load earliest of each heap   (seq_cst)
	 *      timer_became_earliest (seq_cst)
	 * Not both may miss, or the timer fires when the machine happens to wake. All orders of
	 * this: tests/model/timer_model.c.
	 */
	store_seq_cst(&h->earliest, when);
	return true;
}

#endif
