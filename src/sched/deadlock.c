// SPDX-License-Identifier: MIT
/*
 * Finding cycles of waiters.
 *
 * A lock remembers, beside its word, whose stack it was taken on (tuza/sync.h): that costs its
 * holder an ordinary store, and nobody looks at it but this file. A handle is its goroutine's.
 *
 * A look: those who wait for a lock or a join are noted; from each ways lead to those who have what
 * it waits for, if they are noted as well; a way that comes back is a cycle. Then all in it are
 * held at once (inspect_hold.h), so that none can go on, and everything is looked at again: each
 * still stands in its queue, and what it waits for still has the next one's mark. That is exact but
 * for one thing: any goroutine may unlock for another. So a cycle has to last for a second before
 * it is reported.
 *
 * Locks that are held for reading have no mark: several have them, and who reads must not write.
 * With TUZA_DEBUG=lockorder it is known all the same, of programs that are watched (lock_order.c).
 * Waits that may be given up, by a context, make no cycle.
 *
 * A look at descriptors costs some nanoseconds each, all of them: a hundredth of the time at most
 * is spent so.
 */
#include "sched/deadlock.h"

#include "base/hash.h"
#include "sched/config.h"
#include "sched/global_queue.h"
#include "sched/goroutine_list.h"
#include "sched/inspect_hold.h"
#include "sched/runtime.h"
#include "sched/schedule.h"
#include "sched/stack.h"
#include "sched/upcalls.h"
#include "sched/waitqueue.h"
#include "sys/clock.h"

#include <string.h>
#include <tuza/sync.h>

enum {
	WAITERS_MAX = 1024,     // that are looked at; of more the others are left out
	REPORTED_MAX = 64,      // cycles; nobody reads more
	MARK_SHIFT = 12,        // TUZA_STACK_MARK_
	RWMUTEX_HAS_WRITER = 1, // sync/rwmutex_state.h
};
static const int64_t LOOK_EVERY = 500 * TUZA_MILLISECOND; // a guess
static const int64_t LASTS = TUZA_SECOND;                 // how long before it is told: a guess

struct waiter {
	struct goroutine *g;
	uint64_t id;
	enum wait_reason reason;
	const void *object;
	int32_t next;   // index of one who has it, on the way that is being followed; -1: none
	uint32_t tried; // those below were tried as next
	int32_t before; // on the way; -1: it begins here
	bool is_on_way, is_known; // it leads to no cycle that counts, or is on the way
};

// The monitor's alone.
static struct looker {
	uint32_t count; // of waiters
	int64_t next_look;
	bool is_settled;  // the last look found nothing
	uint64_t parks;   // of goroutines, before the last look
	uint64_t suspect; // the cycle_name of one that may be; 0: none
	int64_t suspected_since;
	uint64_t reported[REPORTED_MAX];
	uint32_t reported_count;
	struct waiter waiters[WAITERS_MAX];
} looker APART;

static struct deadlock found; // written by the monitor, read by the reporter that it starts
static uint32_t is_reporting; // atomic: 1 while a reporter reads `found`

// ---- who waits, and for whom -----------------------------------------------------------------

static bool is_watched(enum wait_reason reason)
{
	return reason == WAIT_MUTEX || reason == WAIT_RWMUTEX_R || reason == WAIT_RWMUTEX_W ||
	       reason == WAIT_JOIN;
}

// A glimpse: it may go on meanwhile.
static void note(struct goroutine *g)
{
	enum wait_reason reason = load_relaxed(&g->wait_reason); // as it says

	if (looker.count < WAITERS_MAX && is_watched(reason))
		looker.waiters[looker.count++] = (struct waiter){.g = g,
			.id = load_relaxed(&g->id), // as above
			.reason = reason,
			.object = load_relaxed(&g->wait_object), // as above
			.next = -1};
}

static void note_waiters(void)
{
	looker.count = 0;
	// (chunks) pairs with add_chunk in goroutine.c
	for (struct goroutine_chunk *c = load_acquire(&rt.chunks); c; c = c->next)
		for (uint32_t i = 0; i < goroutine_chunk_used(c); i++)
			// (parked) pairs with the stores in schedule.c
			if (load_acquire(&c->goroutines[i].state) == GOROUTINE_WAITING)
				note(&c->goroutines[i]);
}

static bool has_mark(const struct goroutine *g, uint32_t mark)
{
	const char *slot = load_relaxed(&g->stack);     // held, or a glimpse
	uint32_t class = load_relaxed(&g->stack_class); // as above
	uint32_t low = (uint32_t)((uintptr_t)slot >> MARK_SHIFT);

	return slot && mark - low < stack_slot_bytes(class) >> MARK_SHIFT;
}

/*
 * Whether `w` has waited for longer than g exists, and for the same owner of what it waits for: an
 * unlock would have taken the first in the queue out. Then the owner is another goroutine, which
 * has ended, and g has its stack. Needs: w is held.
 */
static bool is_older(const struct waiter *w, const struct goroutine *g)
{
	const struct queued *q = w->g->waiting;

	return link_is_linked(&q->root) && load_relaxed(&g->started_at) > w->g->wait_since; // stays
}

// Of a lock that readers have, and no writer: whether `w` waits for `by`.
static bool is_had_for_reading(const struct waiter *w, const struct waiter *by)
{
	uint64_t state = load_relaxed(&((const tuza_rwmutex *)w->object)->state); // a glimpse

	if (state & RWMUTEX_HAS_WRITER || state / TUZA_RWMUTEX_READER_ == 0)
		return false;
	// A reader is kept out by a writer that waits, and that by all readers that are in.
	if (w->reason == WAIT_RWMUTEX_R)
		return by->reason == WAIT_RWMUTEX_W && by->object == w->object && by != w;
	return config.lockorder && lock_order_is_held(by->id, w->object);
}

// Whether `by` has what `w` waits for. Needs: w is held, so its object lives while it waits.
static bool is_had(const struct waiter *w, const struct waiter *by)
{
	uint32_t mark;

	if (w->reason == WAIT_JOIN)
		return load_relaxed(&by->g->handle) == w->object; // only compared
	if (is_older(w, by->g))
		return false;
	if (w->reason == WAIT_MUTEX)
		mark = load_relaxed(&((const tuza_mutex *)w->object)->holder); // changed by its
									       // holder alone
	else
		mark = load_relaxed(&((const tuza_rwmutex *)w->object)->holder); // as above
	if (mark == 0)
		return w->reason != WAIT_MUTEX && is_had_for_reading(w, by);
	return has_mark(by->g, mark);
}

// Still waits as it was noted, cannot give up, and nobody has taken it out of its queue. Held.
static bool is_still_waiting(const struct waiter *w)
{
	const struct queued *q = w->g->waiting;

	return load_relaxed(&w->g->state) == GOROUTINE_WAITING && w->g->id == w->id &&
	       load_relaxed(&w->g->wait_reason) == w->reason && w->g->wait_object == w->object &&
	       q && load_relaxed(&q->address) != NULL && !q->can_give_up; // held
}

// The next one of those who have what it waits for. False: there is none any more.
static bool find_next(struct waiter *w)
{
	w->next = -1;
	if (!inspect_hold(w->g))
		return false;
	if (is_still_waiting(w))
		for (; w->next < 0 && w->tried < looker.count; w->tried++)
			if (is_had(w, &looker.waiters[w->tried]))
				w->next = (int32_t)w->tried;
	inspect_release(w->g);
	return w->next >= 0;
}

// ---- cycles -----------------------------------------------------------------------------------

// What tells a cycle from another: the same from whichever member.
static uint64_t cycle_name(uint32_t first)
{
	uint64_t name = 0;
	uint32_t i = first;

	do {
		const struct waiter *w = &looker.waiters[i];

		name += (w->id * HASH_FACTOR) ^ (uintptr_t)w->object;
		i = (uint32_t)w->next;
	} while (i != first);
	return name | 1;
}

static bool was_reported(uint64_t name)
{
	for (uint32_t i = 0; i < looker.reported_count; i++)
		if (looker.reported[i] == name)
			return true;
	return false;
}

// Holds all members, and looks at everything once more. True: it is one, and *d describes it.
static bool confirm(uint32_t first, struct deadlock *d)
{
	uint32_t held = 0, i = first;
	bool is_one = true;

	d->count = 0;
	do {
		const struct waiter *w = &looker.waiters[i];

		if (!inspect_hold(w->g))
			break;
		held++;
		if (d->count < DEADLOCK_CIRCLE_MAX)
			d->members[d->count++] =
				(struct deadlock_member){w->id, w->reason, w->object};
		i = (uint32_t)w->next;
	} while (i != first);
	is_one = i == first && held > 0;
	uint32_t k = first;
	for (uint32_t n = 0; is_one && n < held; n++, k = (uint32_t)looker.waiters[k].next) {
		const struct waiter *w = &looker.waiters[k];

		is_one = is_still_waiting(w) && is_had(w, &looker.waiters[w->next]);
	}
	for (k = first; held > 0; held--, k = (uint32_t)looker.waiters[k].next)
		inspect_release(looker.waiters[k].g);
	return is_one;
}

/*
 * A member of a cycle that ways from `start` lead into and that counts; -1: none. Whoever has been
 * on a way before and was left is not gone to again.
 */
static int32_t cycle_from(uint32_t start, struct deadlock *d)
{
	int32_t at = (int32_t)start;

	looker.waiters[at].before = -1;
	while (at >= 0) {
		struct waiter *w = &looker.waiters[at];

		w->is_known = w->is_on_way = true;
		if (!find_next(w)) {
			w->is_on_way = false;
			at = w->before;
			continue;
		}
		struct waiter *next = &looker.waiters[w->next];

		if (next->is_on_way) {
			if (!was_reported(cycle_name((uint32_t)w->next)) &&
				confirm((uint32_t)w->next, d))
				return w->next;
		} else if (!next->is_known) {
			next->before = at;
			at = w->next;
		}
	}
	return -1;
}

static int32_t find_cycle(struct deadlock *d)
{
	int32_t cycle = -1;

	inspect_begin();
	for (uint32_t i = 0; cycle < 0 && i < looker.count; i++)
		if (!looker.waiters[i].is_known)
			cycle = cycle_from(i, d);
	inspect_end();
	return cycle;
}

// ---- telling -----------------------------------------------------------------------------------

static void report(void *unused)
{
	(void)unused;
	deadlock_report(&found, config.deadlock == LEAKCHECK_FATAL);
	store_release(&is_reporting, 0); // (deadlock-report) pairs with tell
}

// In a goroutine: a report may have to wait for others, and the monitor must not.
static bool tell(const struct deadlock *d)
{
	struct goroutine *g;

	if (load_acquire(&is_reporting)) // (deadlock-report)
		return false;
	found = *d;
	g = goroutine_new(report, NULL, 0);
	if (!g)
		return false;
	store_relaxed(&is_reporting, 1); // only the monitor sets it
	global_queue_submit(g);
	return true;
}

// Nobody becomes part of a cycle but by parking.
uint64_t deadlock_count_parks(void)
{
	uint64_t parks = 0;

	for (uint32_t i = 0; i < processor_count(); i++)
		// (deadlock-parks) pairs with schedule_parked: who is counted is seen to wait
		parks += load_acquire(&processor_at(i)->parks);
	return parks;
}

bool deadlock_is_missed(void)
{
	return config.deadlock != LEAKCHECK_OFF && looker.is_settled &&
	       deadlock_count_parks() != looker.parks;
}

int64_t deadlock_look(int64_t now)
{
	struct deadlock d;
	int32_t cycle;
	uint64_t name;

	if (config.deadlock == LEAKCHECK_OFF || (looker.is_settled && !deadlock_is_missed()))
		return INT64_MAX;
	looker.is_settled = false;
	if (now < looker.next_look)
		return looker.next_look;
	int64_t took = -sys_clock_burnt(); // on a busy machine a look lasts longer than it takes
	looker.parks = deadlock_count_parks(); // who parks from here on may close another cycle
	note_waiters();
	cycle = looker.count > 0 ? find_cycle(&d) : -1;
	took += sys_clock_burnt();
	looker.next_look = now + (took * 100 > LOOK_EVERY ? took * 100 : LOOK_EVERY);
	if (cycle < 0) {
		looker.suspect = 0;
		looker.is_settled = true;
		return INT64_MAX;
	}
	name = cycle_name((uint32_t)cycle);
	if (name != looker.suspect) {
		looker.suspect = name;
		looker.suspected_since = now;
	} else if (now - looker.suspected_since >= LASTS && tell(&d)) {
		if (looker.reported_count < REPORTED_MAX)
			looker.reported[looker.reported_count++] = name;
		looker.suspect = 0;
	}
	return looker.next_look;
}

void deadlock_each_hidden(void (*fn)(const void *low, size_t bytes, void *arg), void *arg)
{
	fn(&looker, sizeof(looker), arg);
	fn(&found, sizeof(found), arg);
}

void deadlock_reset(void)
{
	memset(&looker, 0, offsetof(struct looker, waiters)); // those are many pages
	store_relaxed(&is_reporting, 0);                      // nobody runs
}
