// SPDX-License-Identifier: MIT
/*
 * The readers-writer lock: a word (rwmutex_state.h) and two queues in the bucket of its address,
 * writers at the address of the word, readers one byte behind it.
 *
 * All of it is one word, so that the release which lets others in is one store and the last touch.
 * Go's structure (a mutex for writers beside the counts) would unlock that mutex after the readers
 * were let in, when one of them may have freed the lock already.
 *
 * Lock order: the bucket's lock alone. Go: src/sync/rwmutex.go
 */
#include "sync/reader_slots.h"
#include "base/fatal.h"
#include "base/race_hooks.h"
#include "sched/chaos.h"
#include "sched/contention.h"
#include "sched/timer.h"
#include "sched/upcalls.h"
#include "sync/cancel.h"
#include "sync/reader_lines.h"

// As for mutexes: Go's starvationThresholdNs, active_spin and active_spin_cnt.
#define RWMUTEX_STARVING_NS 1000000
#define RWMUTEX_SPIN_ROUNDS 4
#define RWMUTEX_SPIN_RELAXATIONS 30

static const void *readers_of(const tuza_rwmutex *rw) { return (const char *)rw + 1; }

enum {
	// A writer's barrier and look at all lines, some microseconds, are paid for by what so many
	// read locks save; by fewer where readers meet.
	QUIET_READS = TUZA_RWMUTEX_QUIET_,
	READS_BY_A_MEETING = 8,
	BIAS_ONE_IN_CHAOS = 4,
};

static uint32_t era; // any thread, atomic

// The detector is told two stories: "readers let writers in" at readers_of(rw), all else at rw.

// The readers that wait, each as RWMUTEX_READER: what they add to the word when they get the lock.
// Needs: q->lock.
static uint64_t count_readers(struct waitqueue *q, const tuza_rwmutex *rw)
{
	uint64_t count = 0;

	for (const struct queued *w = waitqueue_first(q, readers_of(rw)); w; w = w->next)
		count += RWMUTEX_READER;
	return count;
}

/*
 * A writer has given up. Readers that only waited for it go in, unless a writer has the lock or is
 * on its way, who will let them. Needs: q->lock. Returns them, linked for ready_list.
 */
static struct goroutine *writer_left(tuza_rwmutex *rw, struct waitqueue *q)
{
	// Looked at before, too: behind a writer each of many readers may give up, and is not to
	// count them all. Relaxed: as rwmutex_state_let_in.
	if (waitqueue_first(q, rw) || load_relaxed(&rw->state) & (RWMUTEX_WRITER | RWMUTEX_WOKEN) ||
		!rwmutex_state_let_in(&rw->state, count_readers(q, rw)))
		return NULL;
	return waitqueue_take_all(q, readers_of(rw));
}

// As in mutex.c. Readers may have it: whoever comes would wait for them.
static void forget_dropped(tuza_rwmutex *rw)
{
	// Re-checked below.
	if ((load_relaxed(&rw->state) & (RWMUTEX_WAITING | RWMUTEX_WRITER)) != RWMUTEX_WAITING)
		return;
	struct waitqueue *q = waitqueue_lock(rw);
	if (!waitqueue_first(q, rw) && !waitqueue_first(q, readers_of(rw)))
		(void)rwmutex_state_let_in(&rw->state, 0);
	waitqueue_unlock(q);
}

// ---- readers in slots -----------------------------------------------------------------------

// The caller is a reader, and counted.
static NOINLINE void bias(tuza_rwmutex *rw)
{
	uint64_t next;
	struct waitqueue *q = waitqueue_lock(rw);
	// Some reader may have left an entry in an era that comes again, of a lock that was here
	// before this one.
	do
		next = (add_relaxed(&era, 1) & 0x7fff) + 1; // unique is enough
	while (reader_lines_have(&rw->state, next));
	reader_slots_begin(&rw->state, next);
	waitqueue_unlock(q);
}

// A writer comes.
static NOINLINE void unbias(tuza_rwmutex *rw)
{
	struct waitqueue *q = waitqueue_lock(rw);
	store_relaxed(&rw->reads, (uint16_t)0); // about
	reader_lines_count(&rw->state);
	waitqueue_unlock(q);
}

// The caller has a read lock, the only one or not, and was counted.
static ALWAYS_INLINE void count_read(tuza_rwmutex *rw, bool alone)
{
	uint32_t reads = load_relaxed(&rw->reads) + (alone ? 1 : READS_BY_A_MEETING); // about

	if (unlikely(reads >= QUIET_READS) ||
		(unlikely(chaos_on) && park_random_below(BIAS_ONE_IN_CHAOS) == 0)) {
		if (reader_lines_work()) {
			bias(rw);
			return;
		}
		reads = 0;
	}
	store_relaxed(&rw->reads, (uint16_t)reads); // about
}

// More read locks were ended than taken, as it turns out now.
static void refuse_overdrawn(const tuza_rwmutex *rw)
{
	if (unlikely(rwmutex_is_overdrawn(load_relaxed(&rw->state)))) // stays so
		fatal("sync: RUnlock of unlocked RWMutex");
}

// ---- waiting --------------------------------------------------------------------------------

// In both: waits as `w`; `c` is the cancellable that holds it, or NULL. False: it was cancelled.

NOINLINE static bool rwmutex_rlock_slow(
	tuza_rwmutex *rw, struct queued *w, const struct cancellable *c)
{
	if (unlikely(park_had_other_runs()))
		forget_dropped(rw);
	while (!rwmutex_state_try_rlock(&rw->state)) {
		park_check(WAIT_RWMUTEX_R);
		struct waitqueue *q = waitqueue_lock(rw);
		if (c && c->cancelled) {
			waitqueue_unlock(q);
			return false;
		}
		if (!rwmutex_state_park_reader(&rw->state)) {
			waitqueue_unlock(q);
			continue;
		}
		w->charged = contention_waits();
		waitqueue_push(q, readers_of(rw), w, false);
		park_unlocking(&q->lock, WAIT_RWMUTEX_R, rw);
		w->g->waiting = NULL;     // from here on there is nothing to pass on
		return !c || !c->removed; // a reader that was woken holds the lock
	}
	return true;
}

NOINLINE static bool rwmutex_lock_slow(
	tuza_rwmutex *rw, struct queued *w, const struct cancellable *c)
{
	uint64_t woken = 0;
	int rounds = 0;

	while (!rwmutex_state_lock(&rw->state, woken)) {
		refuse_overdrawn(rw);
		if (load_relaxed(&rw->state) & RWMUTEX_SLOTS) { // re-checked under the lock
			unbias(rw);
			continue;
		}
		if (rounds < RWMUTEX_SPIN_ROUNDS && park_may_spin()) {
			rounds++;
			for (int i = 0; i < RWMUTEX_SPIN_RELAXATIONS; i++)
				arch_relax();
			continue;
		}
		park_check(WAIT_RWMUTEX_W);
		if (!woken)
			w->since = clock_now();
		struct waitqueue *q = waitqueue_lock(rw);
		if (!rwmutex_state_park_writer(&rw->state, woken)) {
			waitqueue_unlock(q);
			continue;
		}
		if (c && c->cancelled) {
			struct goroutine *readers = writer_left(rw, q);
			waitqueue_unlock(q);
			if (readers)
				ready_list(readers);
			return false;
		}
		w->charged = contention_waits();
		waitqueue_push(q, rw, w, woken != 0);
		park_unlocking(&q->lock, WAIT_RWMUTEX_W, rw);
		w->g->waiting = NULL; // from here on there is nothing to pass on
		if (w->granted)
			return true;
		if (c && c->removed)
			return false;
		woken = RWMUTEX_WOKEN;
		rounds = 0;
	}
	return true;
}

// What those who wait are owed, by whoever lets go: contention.h. Needs: q->lock.
static ALWAYS_INLINE int64_t charge(struct waitqueue *q, const tuza_rwmutex *rw, int64_t now)
{
	if (likely(load_relaxed(&contention_mutexes) == NULL)) // a request
		return 0;
	return contention_charge(waitqueue_first(q, rw), now) +
	       contention_charge(waitqueue_first(q, readers_of(rw)), now);
}

/*
 * The last reader has left and somebody may wait: a writer is next. The caller has let go already,
 * so `rw` is looked at only when somebody is found who waits for it.
 */
NOINLINE static void rwmutex_runlock_slow(tuza_rwmutex *rw)
{
	struct waitqueue *q = waitqueue_lock(rw);
	struct queued *w = waitqueue_first(q, rw);
	struct goroutine *readers = NULL;
	uint64_t count = count_readers(q, rw), next = count;
	int64_t charged = charge(q, rw, contention_waits());

	if ((!w && count == 0) || !rwmutex_state_is_free(&rw->state)) {
		waitqueue_unlock(q);
		contention_blame(charged);
		return;
	}
	if (w)
		next = RWMUTEX_WRITER | (w->next || count != 0 ? RWMUTEX_WAITING : 0);
	if (rwmutex_state_give(&rw->state, next)) {
		// From here on, once those are awake, `rw` may be gone.
		if (w) {
			w->granted = true;
			waitqueue_remove(q, w);
		} else {
			readers = waitqueue_take_all(q, readers_of(rw));
		}
	} else {
		w = NULL;
	}
	waitqueue_unlock(q);
	contention_blame(charged);
	if (w)
		ready(w->g);
	else if (readers)
		ready_list(readers);
}

/*
 * Ends a read lock of somebody who is counted. If nobody is, one of those in slots is the caller's,
 * on another thread, or of one who has unlocked in its place: then they are counted.
 */
static void end_counted(tuza_rwmutex *rw)
{
	uint64_t seen;

	while (unlikely(!rwmutex_state_runlock(&rw->state, &seen))) {
		if (!(seen & RWMUTEX_SLOTS))
			fatal("sync: RUnlock of unlocked RWMutex");
		unbias(rw); // the caller still holds the lock
	}
	// From here on `rw` may be gone.
	if (rwmutex_was_last(seen))
		rwmutex_runlock_slow(rw);
}

// A writer leaves and somebody waits: all readers are next, else a writer.
NOINLINE static void rwmutex_unlock_slow(tuza_rwmutex *rw)
{
	struct queued *w = NULL;
	int64_t now = clock_now();
	struct waitqueue *q = waitqueue_lock(rw);
	uint64_t woken = load_relaxed(&rw->state) & RWMUTEX_WOKEN; // stable under the bucket's lock
	uint64_t next = count_readers(q, rw);
	int64_t charged = charge(q, rw, now);
	struct goroutine *readers = waitqueue_take_all(q, readers_of(rw));

	if (woken) {
		next |= RWMUTEX_WOKEN | RWMUTEX_WAITING;
	} else if (!readers && (w = waitqueue_pop(q, rw))) {
		w->granted = now - w->since > RWMUTEX_STARVING_NS;
		next = w->granted ? RWMUTEX_WRITER : RWMUTEX_WOKEN | RWMUTEX_WAITING;
	}
	if (waitqueue_first(q, rw))
		next |= RWMUTEX_WAITING;
	rwmutex_state_pass_on(&rw->state, next);
	// From here on `rw` may be gone.
	waitqueue_unlock(q);
	contention_blame(charged);
	if (readers)
		ready_list(readers);
	else if (w && w->granted)
		ready_and_yield(w->g);
	else if (w)
		ready(w->g);
}

_Static_assert((int)TUZA_RWMUTEX_READER_ == (int)RWMUTEX_READER &&
		       (int)TUZA_RWMUTEX_CLOSED_ == (int)(RWMUTEX_WRITER | RWMUTEX_WAITING) &&
		       (int)TUZA_RWMUTEX_BIASED_ == (int)RWMUTEX_BIASED &&
		       (int)TUZA_RWMUTEX_SLOTS_ == (int)RWMUTEX_SLOTS && RWMUTEX_ERA == 1 << 5,
	"tuza/sync.h takes read locks inline");

// A writer is about: the caller's addition has to be taken back.
EXPORT void tuza_rwmutex_rlock_slow_(tuza_rwmutex *rw)
{
	struct queued w = {.since = 0};

	end_counted(rw);
	(void)rwmutex_rlock_slow(rw, &w, NULL);
	race_acquire(rw);
}

// Somebody has it, or readers stand in slots, or shall.
EXPORT void tuza_rwmutex_rlock_shared_(tuza_rwmutex *rw)
{
	uint64_t seen = load_relaxed(&rw->state); // a hint

	if (seen & RWMUTEX_BIASED) {
		reader_lines_listen();
		if (tuza_reader_enter_(&rw->state, seen)) {
			race_acquire(rw);
			return;
		}
	}
	seen = rwmutex_state_rlock(&rw->state);
	if (unlikely(seen & (RWMUTEX_WRITER | RWMUTEX_WAITING))) {
		tuza_rwmutex_rlock_slow_(rw);
		return;
	}
	race_acquire(rw);
	if (!(seen & RWMUTEX_SLOTS))
		count_read(rw, rwmutex_readers(seen) == 0);
}

EXPORT void tuza_rwmutex_rlock(tuza_rwmutex *rw) { tuza_rwmutex_rlock_shared_(rw); }

EXPORT bool tuza_rwmutex_try_rlock(tuza_rwmutex *rw)
{
	if (unlikely(park_had_other_runs()))
		forget_dropped(rw);
	if (!rwmutex_state_try_rlock(&rw->state))
		return false;
	race_acquire(rw);
	return true;
}

// The caller has ended the only read lock there was, when others came.
EXPORT void tuza_rwmutex_runlock_met_(tuza_rwmutex *rw)
{
	rwmutex_runlock_slow(rw);
	preempt_check();
}

// The word is not that of a lock with one reader.
EXPORT void tuza_rwmutex_runlock_shared_(tuza_rwmutex *rw)
{
	uint64_t seen = load_relaxed(&rw->state); // SLOTS stays while the caller stands in one

	race_release(readers_of(rw));
	if (!(seen & RWMUTEX_SLOTS) || !tuza_reader_leave_(&rw->state, seen))
		end_counted(rw);
	preempt_check(); // readers need not park, however long they keep others waiting
}

EXPORT void tuza_rwmutex_runlock(tuza_rwmutex *rw)
{
	if (unlikely(load_relaxed(&rw->state) != RWMUTEX_READER)) { // a hint
		tuza_rwmutex_runlock_shared_(rw);
		return;
	}
	race_release(readers_of(rw));
	if (unlikely(!rwmutex_state_runlock_only(&rw->state)))
		tuza_rwmutex_runlock_met_(rw);
}

// The caller has it for writing.
static ALWAYS_INLINE void rwmutex_has_writer(tuza_rwmutex *rw)
{
	store_relaxed(&rw->holder, TUZA_STACK_MARK_()); // the holder's own; others only compare it
	store_relaxed(&rw->reads, (uint16_t)0);         // about
}

EXPORT void tuza_rwmutex_lock(tuza_rwmutex *rw)
{
	preempt_check();
	if (unlikely(!rwmutex_state_lock(&rw->state, 0))) {
		struct queued w = {.since = 0};
		(void)rwmutex_lock_slow(rw, &w, NULL);
	}
	rwmutex_has_writer(rw);
	race_acquire(rw);
	race_acquire(readers_of(rw));
}

EXPORT bool tuza_rwmutex_try_lock(tuza_rwmutex *rw)
{
	if (load_relaxed(&rw->state) & RWMUTEX_SLOTS) // re-checked under the lock
		unbias(rw);
	if (!rwmutex_state_lock(&rw->state, 0)) {
		refuse_overdrawn(rw);
		return false;
	}
	rwmutex_has_writer(rw);
	race_acquire(rw);
	race_acquire(readers_of(rw));
	return true;
}

EXPORT void tuza_rwmutex_unlock(tuza_rwmutex *rw)
{
	uint64_t seen;

	race_release(rw);
	store_relaxed(&rw->holder, 0); // its own
	if (unlikely(!rwmutex_state_unlock_idle(&rw->state, &seen))) {
		if (!(seen & RWMUTEX_WRITER))
			fatal("sync: Unlock of unlocked RWMutex");
		rwmutex_unlock_slow(rw);
	}
	chaos_point();
}

// ---- with a cancel ----------------------------------------------------------------------------

static struct goroutine *rwmutex_left(struct cancellable *c, struct waitqueue *q)
{
	struct goroutine *g = c->queued.g;

	g->next = writer_left(c->object, q); // or a reader: then nobody waits for it
	return g;
}

void rwmutex_cancellable_init(struct cancellable *c, tuza_rwmutex *rw)
{
	*c = (struct cancellable){
		.queued = {.can_give_up = true}, .object = rw, .left = rwmutex_left};
}

bool rwmutex_lock_cancellable(struct cancellable *c)
{
	tuza_rwmutex *rw = c->object;

	if (!rwmutex_lock_slow(rw, &c->queued, c))
		return false;
	rwmutex_has_writer(rw);
	race_acquire(rw);
	race_acquire(readers_of(rw));
	return true;
}

bool rwmutex_rlock_cancellable(struct cancellable *c)
{
	tuza_rwmutex *rw = c->object;

	if (!rwmutex_rlock_slow(rw, &c->queued, c))
		return false;
	race_acquire(rw);
	return true;
}

// ---- a dropped waiter -------------------------------------------------------------------------

// Does what the waiter would have done, and gives the lock back at once.
void rwmutex_pass_on(void *waiting, const void *object, bool is_writer)
	TUZA_TSA_(no_thread_safety_analysis)
{
	const struct queued *w = waiting;
	tuza_rwmutex *rw = (tuza_rwmutex *)object;

	if (!is_writer) {
		end_counted(rw);
		return;
	}
	while (!w->granted && !rwmutex_state_lock(&rw->state, RWMUTEX_WOKEN)) {
		struct waitqueue *q = waitqueue_lock(rw);
		bool is_held = rwmutex_state_park_writer(&rw->state, RWMUTEX_WOKEN);
		waitqueue_unlock(q);
		if (is_held) // whoever holds it looks for waiters when it unlocks
			return;
	}
	tuza_rwmutex_unlock(rw);
}
