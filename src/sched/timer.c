// SPDX-License-Identifier: MIT
/*
 * The runtime's timers: starting and stopping them. (Their order: timer_slots.h. Firing them:
 * timer_heap.c.)
 *
 * Which heap: a timer that is started goes to the heap of the calling machine's processor; one that
 * is restarted while it runs stays where it is. t->heap changes under the lock of the heap that it
 * names until then, so whoever locked a heap and still reads it in t->heap holds the timer. It
 * stays set when the timer leaves the heap, and a heap's memory is for good.
 *
 * Locks: one heap's at a time; under it, in `also`, also a channel's.
 * Go: src/runtime/time.go
 */
#include "sched/timer.h"

#include "sched/simulation.h"
#include "sched/timer_heap.h"
#include "sched/timer_slots.h"
#include "sys/clock.h"

// ---- the clock -----------------------------------------------------------------------------

int64_t clock_now(void)
{
	int64_t simulated = load_relaxed(&simulated_now); // changes while nobody runs
	return likely(simulated == 0) ? sys_clock_now() : simulated;
}

int64_t clock_coarse(void)
{
	int64_t simulated = load_relaxed(&simulated_now); // as above
	return likely(simulated == 0) ? sys_clock_coarse() : simulated;
}

int64_t clock_after(int64_t now, int64_t d)
{
	int64_t sum;

	if (d <= 0)
		return now;
	return __builtin_add_overflow(now, d, &sum) ? INT64_MAX : sum;
}

// ---- starting and stopping -----------------------------------------------------------------

// INT64_MAX is an empty heap: a timer that is never due still counts as one.
static int64_t in_time(int64_t when) { return when == INT64_MAX ? when - 1 : when; }

// Locks the heap in which the timer is or was last. NULL, and nothing locked: it was never started.
static struct timer_heap *timer_lock(struct timer *t)
{
	for (;;) {
		struct timer_heap *h = load_relaxed(&t->heap); // re-checked under the lock

		if (unlikely(!h))
			return NULL;
		lock_acquire(&h->lock);
		// Stable from now on: it changes under this lock only.
		if (likely(load_relaxed(&t->heap) == h))
			return h;
		lock_release(&h->lock);
	}
}

int timer_start_final(struct timer *t, int64_t when)
{
	enum visit visit;
	struct timer_heap *h = timer_heap_current(&visit);

	when = in_time(when);
	lock_acquire(&h->lock);
	while (unlikely(h->count == h->capacity)) {
		uint32_t capacity = h->capacity;
		bool is_dead = h->is_dead;
		lock_release(&h->lock);
		if (unlikely(is_dead))
			return 0; // a straggler's own, who leaves when it parks; visits nobody
		int error = timer_heap_grow(h, capacity);
		if (error) {
			visit_end(visit);
			return error;
		}
		lock_acquire(&h->lock);
	}
	t->when = when;
	timer_sift_up(h, h->count++, (struct timer_slot){when, (uintptr_t)t | TIMER_SLOT_FINAL});
	bool is_earlier = timer_earliest_update(h);
	lock_release(&h->lock);
	// *t may be gone, as in timer_restart.
	if (is_earlier)
		timer_became_earliest(when);
	visit_end(visit);
	return 0;
}

int timer_start(struct timer *t, int64_t when)
{
	int error;

	(void)timer_restart(t, when, t->period, NULL, &error);
	return error;
}

bool timer_stop(struct timer *t)
{
	// (timer-out) pairs with timer_slot_remove: it is in no heap, and its fire has returned.
	return load_acquire(&t->index) != 0 && timer_stop_and(t, NULL);
}

bool timer_stop_and(struct timer *t, bool (*also)(struct timer *t))
{
	struct timer_heap *h = timer_lock(t);
	bool stopped;

	if (!h) // nobody can be firing it
		return also && also(t);
	stopped = t->index != 0;
	if (stopped) {
		timer_slot_remove(h, t->index - 1);
		(void)timer_earliest_update(h); // later or the same
	}
	if (also && also(t))
		stopped = true;
	lock_release(&h->lock);
	return stopped;
}

// Locks the heap in which the timer runs, or the one that it is to be put into, where there is room
// for it; the caller ends the visit. NULL, and nothing is locked: no heap can grow (-ENOMEM in
// *error), or it needs none (0).
static struct timer_heap *lock_with_room(struct timer *t, enum visit *visit, int *error)
{
	struct timer_heap *home = timer_heap_current(visit), *h, *none = NULL;
	bool may_move = true;

	*error = 0;
	// Two may start a descriptor's timer for the first time; others are known to one then.
	if (unlikely(!load_relaxed(&t->heap)))
		(void)cas_relaxed(&t->heap, &none, home); // heaps are for good
	for (;;) {
		h = timer_lock(t);
		if (t->index != 0)
			return h;
		if (h != home && may_move) {
			// It is in no heap, so nobody can tell that it moves between two locks.
			store_relaxed(&t->heap, home); // ordered by h's lock
			lock_release(&h->lock);
			may_move = false; // once: two callers shall not play ball with it
			continue;
		}
		if (likely(h->count < h->capacity))
			return h;
		uint32_t capacity = h->capacity;
		bool is_dead = h->is_dead;
		lock_release(&h->lock);
		if (unlikely(is_dead)) {
			// The caller is a straggler, with no visit until now, or met another one.
			if (h == home && !t->outlives)
				return NULL; // its own; it leaves when it parks
			if (h == home)
				home = timer_heap_of_others(visit);
			may_move = true;
			continue;
		}
		*error = timer_heap_grow(h, capacity);
		if (*error)
			return NULL;
	}
}

// Puts the timer where `when` belongs. As timer_earliest_update. Needs: h->lock, by lock_with_room.
static bool put(struct timer_heap *h, struct timer *t, int64_t when)
{
	t->when = when;
	if (t->index != 0)
		timer_sift(h, t->index - 1, timer_slot_of(t, when));
	else
		timer_sift_up(h, h->count++, timer_slot_of(t, when));
	return timer_earliest_update(h);
}

bool timer_restart(
	struct timer *t, int64_t when, int64_t period, bool (*also)(struct timer *t), int *error)
{
	enum visit visit;
	struct timer_heap *h = lock_with_room(t, &visit, error);

	if (!h) {
		visit_end(visit);
		return timer_stop_and(t, also);
	}
	when = in_time(when);
	bool answer = t->index != 0;
	if (also && also(t))
		answer = true;
	t->period = period;
	bool is_earlier = put(h, t, when);
	lock_release(&h->lock);
	// *t may be gone: it was on the stack of a goroutine that another machine has woken.
	if (is_earlier)
		timer_became_earliest(when);
	visit_end(visit);
	return answer;
}

int timer_start_by(struct timer *t, int64_t when, void (*also)(struct timer *t))
{
	int error;
	enum visit visit;
	struct timer_heap *h = lock_with_room(t, &visit, &error);

	if (!h) {
		visit_end(visit);
		return error;
	}
	when = in_time(when);
	bool is_earlier = (t->index == 0 || when < t->when) && put(h, t, when);
	also(t);
	lock_release(&h->lock);
	if (is_earlier)
		timer_became_earliest(when);
	visit_end(visit);
	return 0;
}
