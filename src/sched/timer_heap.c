// SPDX-License-Identifier: MIT
/*
 * A processor's heap of timers, as the scheduler uses it: firing what is due, room for more, and
 * from one runtime to the next.
 *
 * A program's timers may outlive a tuza_run and go on in the next one: in between they lie in a
 * heap that nobody runs (`kept`).
 *
 * The array grows outside the lock and never shrinks: what a burst of timers needed, the next one
 * needs again. It is pages and not malloc's, because it grows on the scheduler's stack, and for the
 * sanitizers it is none of the program's.
 *
 * Locks: one heap's at a time, but for the beginning and the end of the runtime; under it, in fire,
 * also a channel's.
 * Go: src/runtime/time.go
 */
#include "sched/timer_heap.h"

#include "base/race_hooks.h"
#include "sched/simulation.h"
#include "sched/timer_slots.h"
#include "sys/clock.h"
#include "sys/sys.h"

#include <errno.h>

enum {
	FIRST_CAPACITY = 256, // a page; a processor without timers has none
	FIRE_BATCH = 64, // fired before the lock is let go for others: about 5 us' worth, a guess
};

static struct timer_heap kept = {.earliest = INT64_MAX}; // between two runtimes

// ---- the array -----------------------------------------------------------------------------

void timer_heap_init(struct timer_heap *h)
{
	store_relaxed(&h->earliest, INT64_MAX); // nobody looks yet
}

void timer_heap_destroy(struct timer_heap *h)
{
	lock_acquire(&h->lock);
	struct timer_slot *slots = h->slots;
	uint32_t capacity = h->capacity;
	h->slots = NULL;
	h->capacity = 0;
	lock_release(&h->lock);
	sys_pages_free(slots, capacity * sizeof(*slots));
}

int timer_heap_grow(struct timer_heap *h, uint32_t capacity)
{
	uint32_t wanted = capacity ? capacity * 2 : FIRST_CAPACITY;
	uint32_t unused_capacity = wanted;
	struct timer_slot *unused;

	if (wanted > UINT32_MAX / 2)
		return -ENOMEM;
	unused = sys_pages_alloc(wanted * sizeof(*unused));
	if (!unused)
		return -ENOMEM;
	lock_acquire(&h->lock);
	if (h->capacity < wanted) {
		struct timer_slot *old = h->slots;

		// The loop may become a memcpy, which the race detector sees; our lock it does not.
		race_acquire(h);
		for (uint32_t i = 0; i < h->count; i++)
			unused[i] = old[i];
		race_release(h);
		unused_capacity = h->capacity;
		h->slots = unused;
		h->capacity = wanted;
		unused = old;
	}
	lock_release(&h->lock);
	sys_pages_free(unused, unused_capacity * sizeof(*unused));
	return 0;
}

// ---- firing --------------------------------------------------------------------------------

// The next time of a periodic timer that was due at `due` and is served at `now`: the first
// multiple of the period in the future.
static int64_t next_tick(int64_t due, int64_t period, int64_t now)
{
	return clock_after(due + (now - due) / period * period, period);
}

/*
 * Fires up to `most` due timers, appending what they wake at *end. Needs: h->lock.
 *
 * Returns  the new end of the list; *more tells whether others may be due.
 */
static struct goroutine **fire_batch(
	struct timer_heap *h, int64_t now, uint32_t most, struct goroutine **end, bool *more)
{
	*more = false;
	for (uint32_t fired = 0; h->count && h->slots[0].when <= now; fired++) {
		struct timer_slot slot = h->slots[0];
		struct timer *t = timer_slot_timer(slot);
		int64_t due = slot.when;

		if (fired == most) {
			*more = true;
			break;
		}
		struct goroutine *g = t->fire(t, now);
		if (g) {
			*end = g;
			end = &g->next;
		}
		if (t->period > 0)
			t->when = next_tick(due, t->period, now);
		// A `fire` that could not do its work has set a later time itself.
		if (t->when > due)
			timer_sift_down(h, 0, (struct timer_slot){t->when, slot.timer});
		else
			timer_slot_remove(h, 0);
	}
	return end;
}

struct goroutine *timer_heap_run(struct timer_heap *h, int64_t now)
{
	struct goroutine *first = NULL, **end = &first;
	bool more = true, simulated = simulation_is_on();
	uint32_t most = simulated ? simulation_fires() : FIRE_BATCH;

	// If somebody else holds the lock, the next look at `earliest` finds what is still due.
	while (more && lock_try(&h->lock)) {
		end = fire_batch(h, now, most, end, &more);
		(void)timer_earliest_update(
			h); // later or the same: only timer_restart makes it earlier
		lock_release(&h->lock);
		goroutine_provide();
		more &= !simulated; // the next look finds them
	}
	*end = NULL;
	return first;
}

// ---- from one runtime to the next ----------------------------------------------------------

bool timer_some_are_kept(void)
{
	// (timers-kept) pairs with park_thread and plain_thread_waits
	return load_seq_cst(&kept.earliest) != INT64_MAX;
}

// Needs: h->lock, and the heap is empty. Returns the array, of *capacity.
static struct timer_slot *die(struct timer_heap *h, uint32_t *capacity)
{
	struct timer_slot *slots = h->slots;
	*capacity = h->capacity;
	h->is_dead = true;
	h->slots = NULL;
	h->capacity = 0;
	return slots;
}

void timer_heap_end(struct timer_heap *h, bool dies)
{
	struct timer_slot *unused = NULL;
	uint32_t unused_capacity = 0;
	bool has_room = true, simulated = simulation_is_on();

	while (has_room && h->count > kept.capacity - kept.count) // nobody else adds any
		has_room = timer_heap_grow(&kept, kept.capacity) == 0;
	lock_acquire(&h->lock);
	lock_acquire(&kept.lock);
	for (uint32_t i = 0; i < h->count; i++) {
		struct timer *t = timer_slot_timer(h->slots[i]);
		if (h->slots[i].timer & TIMER_SLOT_FINAL)
			continue;
		// Simulated time ends with its run.
		bool keeps = simulated ? t->thread_waits : t->outlives;
		if (keeps && kept.count < kept.capacity) {
			if (simulated)
				t->when = clock_after(
					sys_clock_now(), h->slots[i].when - clock_now());
			store_relaxed(&t->heap, &kept); // under the lock of both
			timer_sift_up(&kept, kept.count++,
				timer_slot_of(t, simulated ? t->when : h->slots[i].when));
		} else {
			// (timer-out) pairs with timer_stop: as timer_slot_remove.
			store_release(&t->index, 0);
		}
	}
	h->count = 0;
	(void)timer_earliest_update(h);
	(void)timer_earliest_update(&kept);
	if (dies)
		unused = die(h, &unused_capacity);
	lock_release(&kept.lock);
	lock_release(&h->lock);
	if (unused)
		sys_pages_free(unused, unused_capacity * sizeof(*unused));
}

void timer_keep(struct timer *t, int64_t when)
{
	if (simulation_is_on()) // its time ends
		return;
	// Without memory it is dropped, as in timer_heap_end. Nobody else adds any.
	if (kept.count == kept.capacity && timer_heap_grow(&kept, kept.capacity) != 0)
		return;
	lock_acquire(&kept.lock);
	t->when = when;
	store_relaxed(&t->heap, &kept); // under the lock
	timer_sift_up(&kept, kept.count++, timer_slot_of(t, when));
	(void)timer_earliest_update(&kept);
	lock_release(&kept.lock);
}

void timer_heap_begin(struct timer_heap *h)
{
	lock_acquire(&kept.lock);
	lock_acquire(&h->lock);
	if (kept.count != 0) {
		struct timer_slot *unused = h->slots;
		uint32_t unused_capacity = h->capacity;
		h->slots = kept.slots;
		h->count = kept.count;
		h->capacity = kept.capacity;
		kept.slots = unused;
		kept.count = 0;
		kept.capacity = unused_capacity;
		for (uint32_t i = 0; i < h->count; i++)
			store_relaxed(&timer_slot_timer(h->slots[i])->heap, h); // as above
	}
	(void)timer_earliest_update(h);
	(void)timer_earliest_update(&kept);
	lock_release(&h->lock);
	lock_release(&kept.lock);
}
