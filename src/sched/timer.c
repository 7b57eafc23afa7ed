// SPDX-License-Identifier: MIT
/*
 * The runtime's timers: a 4-ary heap per processor.
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
 *
 * Which heap: a timer that is started goes to the heap of the calling machine's processor; one that
 * is restarted while it runs stays where it is. t->heap changes under the lock of the heap that it
 * names until then, so whoever locked a heap and still reads it in t->heap holds the timer. It
 * stays set when the timer leaves the heap, and a heap's memory is for good.
 *
 * A program's timers may outlive a tuza_run and go on in the next one: in between they lie in a
 * heap that nobody runs (`kept`).
 *
 * The array grows outside the lock and never shrinks: what a burst of timers needed, the next one
 * needs again. It is pages and not malloc's, because it grows on the scheduler's stack, and for the
 * sanitizers it is none of the program's.
 *
 * Locks: one heap's at a time, but for the beginning and the end of the runtime; under it, in fire
 * and also, a channel's.
 * Go: src/runtime/time.go
 */
#include "sched/timer.h"

#include "base/fatal.h"
#include "base/race_hooks.h"
#include "sched/timer_heap.h"
#include "sys/clock.h"
#include "sys/sys.h"

#include <errno.h>

enum {
	CHILDREN = 4,
	FIRST_CAPACITY = 256, // a page; a processor without timers has none
	FIRE_BATCH = 64, // fired before the lock is let go for others: about 5 us' worth, a guess
};

static struct timer_heap kept = {.earliest = INT64_MAX}; // between two runtimes

// ---- the clock -----------------------------------------------------------------------------

int64_t clock_now(void) { return sys_clock_now(); }

int64_t clock_after(int64_t now, int64_t d)
{
	int64_t sum;

	if (d <= 0)
		return now;
	return __builtin_add_overflow(now, d, &sum) ? INT64_MAX : sum;
}

// ---- the heap: all of these need its lock --------------------------------------------------

static ALWAYS_INLINE struct timer_slot slot_of(struct timer *t, int64_t when)
{
	return (struct timer_slot){when, (uintptr_t)t};
}

static ALWAYS_INLINE void slot_put(struct timer_heap *h, uint32_t i, struct timer_slot slot)
{
	h->slots[i] = slot;
	// Under the lock; without it only 0 means something.
	if (!(slot.timer & TIMER_SLOT_FINAL))
		store_relaxed(&timer_slot_timer(slot)->index, i + 1);
}

// Puts `slot` into the hole at i or where its time belongs between i and the root.
static void sift_up(struct timer_heap *h, uint32_t i, struct timer_slot slot)
{
	while (i > 0) {
		uint32_t parent = (i - 1) / CHILDREN;

		if (h->slots[parent].when <= slot.when)
			break;
		slot_put(h, i, h->slots[parent]);
		i = parent;
	}
	slot_put(h, i, slot);
}

// Puts `slot` into the hole at i or where its time belongs below i.
static void sift_down(struct timer_heap *h, uint32_t i, struct timer_slot slot)
{
	// 64 bits: four times the index of the last of 2^32 slots.
	for (uint64_t child; (child = (uint64_t)i * CHILDREN + 1) < h->count;) {
		uint64_t end = child + CHILDREN < h->count ? child + CHILDREN : h->count;
		uint32_t least = (uint32_t)child;

		while (++child < end)
			if (h->slots[child].when < h->slots[least].when)
				least = (uint32_t)child;
		if (slot.when <= h->slots[least].when)
			break;
		slot_put(h, i, h->slots[least]);
		i = least;
	}
	slot_put(h, i, slot);
}

// Puts `slot` where it belongs, given a hole at i.
static void sift(struct timer_heap *h, uint32_t i, struct timer_slot slot)
{
	if (i > 0 && slot.when < h->slots[(i - 1) / CHILDREN].when)
		sift_up(h, i, slot);
	else
		sift_down(h, i, slot);
}

static void heap_remove(struct timer_heap *h, uint32_t i)
{
	struct timer_slot last = h->slots[--h->count];

	// (timer-out) pairs with timer_stop, which may free the timer now: the last touch.
	if (!(h->slots[i].timer & TIMER_SLOT_FINAL))
		store_release(&timer_slot_timer(h->slots[i])->index, 0);
	if (i < h->count)
		sift(h, i, last);
}

// Publishes the time of the root. True when it became earlier: timer_became_earliest must be called
// after unlocking.
static bool earliest_update(struct timer_heap *h)
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

/*
 * Makes room for more than `capacity` timers. Needs: h->lock not held.
 *
 * Returns  0, also when another thread did it meanwhile; -ENOMEM.
 */
static COLD int heap_grow(struct timer_heap *h, uint32_t capacity)
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

// ---- from one runtime to the next ----------------------------------------------------------

bool timer_some_are_kept(void)
{
	// (timers-kept) pairs with park_thread and plain_thread_waits
	return load_seq_cst(&kept.earliest) != INT64_MAX;
}

void timer_heap_end(struct timer_heap *h)
{
	bool has_room = true;

	while (has_room && h->count > kept.capacity - kept.count) // nobody else adds any
		has_room = heap_grow(&kept, kept.capacity) == 0;
	lock_acquire(&h->lock);
	lock_acquire(&kept.lock);
	for (uint32_t i = 0; i < h->count; i++) {
		struct timer *t = timer_slot_timer(h->slots[i]);
		if (h->slots[i].timer & TIMER_SLOT_FINAL)
			continue;
		if (t->outlives && kept.count < kept.capacity) {
			store_relaxed(&t->heap, &kept); // under the lock of both
			sift_up(&kept, kept.count++, slot_of(t, h->slots[i].when));
		} else {
			// (timer-out) pairs with timer_stop: as heap_remove.
			store_release(&t->index, 0);
		}
	}
	h->count = 0;
	(void)earliest_update(h);
	(void)earliest_update(&kept);
	lock_release(&kept.lock);
	lock_release(&h->lock);
}

void timer_keep(struct timer *t, int64_t when)
{
	// Without memory it is dropped, as in timer_heap_end. Nobody else adds any.
	if (kept.count == kept.capacity && heap_grow(&kept, kept.capacity) != 0)
		return;
	lock_acquire(&kept.lock);
	t->when = when;
	store_relaxed(&t->heap, &kept); // under the lock
	sift_up(&kept, kept.count++, slot_of(t, when));
	(void)earliest_update(&kept);
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
	(void)earliest_update(h);
	(void)earliest_update(&kept);
	lock_release(&h->lock);
	lock_release(&kept.lock);
}

// ---- firing --------------------------------------------------------------------------------

// The next time of a periodic timer that was due at `due` and is served at `now`: the first
// multiple of the period in the future.
static int64_t next_tick(int64_t due, int64_t period, int64_t now)
{
	return clock_after(due + (now - due) / period * period, period);
}

/*
 * Fires up to FIRE_BATCH due timers, appending what they wake at *end. Needs: h->lock.
 *
 * Returns  the new end of the list; *more tells whether others may be due.
 */
static struct goroutine **fire_batch(
	struct timer_heap *h, int64_t now, struct goroutine **end, bool *more)
{
	*more = false;
	for (int fired = 0; h->count && h->slots[0].when <= now; fired++) {
		struct timer_slot slot = h->slots[0];
		struct timer *t = timer_slot_timer(slot);
		int64_t due = slot.when;

		if (fired == FIRE_BATCH) {
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
			sift_down(h, 0, (struct timer_slot){t->when, slot.timer});
		else
			heap_remove(h, 0);
	}
	return end;
}

struct goroutine *timer_heap_run(struct timer_heap *h, int64_t now)
{
	struct goroutine *first = NULL, **end = &first;
	bool more = true;

	// If somebody else holds the lock, the next look at `earliest` finds what is still due.
	while (more && lock_try(&h->lock)) {
		end = fire_batch(h, now, end, &more);
		(void)earliest_update(h); // later or the same: only timer_restart makes it earlier
		lock_release(&h->lock);
		goroutine_provide();
	}
	*end = NULL;
	return first;
}

// ---- starting and stopping -----------------------------------------------------------------

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
	bool is_earlier;

	if (when == INT64_MAX) // as in timer_restart
		when--;
	lock_acquire(&h->lock);
	while (unlikely(h->count == h->capacity)) {
		uint32_t capacity = h->capacity;
		lock_release(&h->lock);
		int error = heap_grow(h, capacity);
		if (error) {
			visit_end(visit);
			return error;
		}
		lock_acquire(&h->lock);
	}
	t->when = when;
	sift_up(h, h->count++, (struct timer_slot){when, (uintptr_t)t | TIMER_SLOT_FINAL});
	is_earlier = earliest_update(h);
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
	// (timer-out) pairs with heap_remove: it is in no heap, and its fire has returned.
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
		heap_remove(h, t->index - 1);
		(void)earliest_update(h); // later or the same
	}
	if (also && also(t))
		stopped = true;
	lock_release(&h->lock);
	return stopped;
}

// Locks the heap in which the timer runs, or the one that it is to be put into, where there is room
// for it; the caller ends the visit. NULL and -ENOMEM in *error: no heap can grow, and nothing is
// locked.
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
		lock_release(&h->lock);
		*error = heap_grow(h, capacity);
		if (*error)
			return NULL;
	}
}

// Puts the timer where `when` belongs. As earliest_update. Needs: h->lock, by lock_with_room.
static bool put(struct timer_heap *h, struct timer *t, int64_t when)
{
	t->when = when;
	if (t->index != 0)
		sift(h, t->index - 1, slot_of(t, when));
	else
		sift_up(h, h->count++, slot_of(t, when));
	return earliest_update(h);
}

// INT64_MAX is an empty heap: a timer that is never due still counts as one.
static int64_t in_time(int64_t when) { return when == INT64_MAX ? when - 1 : when; }

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
