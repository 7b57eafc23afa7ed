// SPDX-License-Identifier: MIT
/*
 * The mutex: a word (mutex_state.h), and waiters in the queue of its address. WebKit's parking lot
 * with Go's manners.
 *
 * - Taking a lock that nobody else wants is a compare and swap, giving it back a subtraction, or,
 *   when nobody has waited for a long time, a store.
 * - Whoever finds it held spins a bounded while if that may pay, then parks.
 * - Unlock frees the lock, then takes the first waiter out and wakes it. Whoever runs may take the
 *   lock before it: handing it over each time would cost a switch per lock (a convoy). The loser
 *   goes back to the front, its age kept.
 * - A waiter older than 1 ms gets the lock handed over, and runs in the unlocker's place.
 *
 * The clock is read by those who wait and those who wake, never else.
 * Lock order: the bucket's lock alone. Go: src/internal/sync/mutex.go
 */
#include "sync/mutex.h"
#include "base/fatal.h"
#include "base/race_hooks.h"
#include "sched/chaos.h"
#include "sched/contention.h"
#include "sched/timer.h"
#include "sched/upcalls.h"
#include "sync/cancel.h"
#include "sync/mutex_state.h"
#include "sys/sys.h"

// Go: starvationThresholdNs
#define MUTEX_STARVING_NS 1000000
// Go: active_spin rounds of active_spin_cnt relaxations each, about a microsecond.
#define MUTEX_SPIN_ROUNDS 4
#define MUTEX_SPIN_RELAXATIONS 30

// Read by every unlock of a quiet mutex, seldom written. Until the runtime has started, and where
// threads cannot be made to pass a barrier, there is one for ever.
EXPORT CACHE_ALIGNED uint32_t tuza_mutex_alarms_ = 1;

// Any thread, atomic: waiters have to make threads pass a barrier, as there is no alarm for ever.
static uint32_t barriers_count;

void mutex_may_be_quiet(void)
{
	store_relaxed(&barriers_count, 1); // published here:
	// (quiet-start) pairs with mutex_alarm: who counts after this knows of barriers.
	(void)sub_release(&tuza_mutex_alarms_, 1u);
}

// There was no barrier, but time went by: each that is to come would cost as much, under a lock.
// Needs: the caller has counted an alarm before.
static COLD void mutex_is_never_quiet(void)
{
	uint32_t count = 1;

	add_relaxed(&tuza_mutex_alarms_, 1u); // published here:
	// (quiet-end) pairs with mutex_alarm: who finds this needs no barrier.
	if (!cas_acq_rel(&barriers_count, &count, 0))
		sub_relaxed(&tuza_mutex_alarms_, 1u); // another was faster
}

/*
 * The caller will wait for a quiet mutex, behind `first`. Needs: the bucket's lock.
 */
static NOINLINE void mutex_alarm(const struct queued *first)
{
	// (mutex-quiet) ordered by the barrier. (quiet-start) Who counts before the runtime starts
	// passes none: then the number was not zero since.
	(void)add_acquire(&tuza_mutex_alarms_, 1u);
	// (quiet-end) The same from the alarm of the one that passed the last one on.
	if (!(first && first->counter) && load_acquire(&barriers_count) && !sys_membarrier_all())
		mutex_is_never_quiet();
}

static void mutex_relax(void)
{
	for (int i = 0; i < MUTEX_SPIN_RELAXATIONS; i++)
		arch_relax();
}

// An unlock, after some run, has looked for a waiter in vain. A hint, any thread.
static uint32_t looked_in_vain;

// Waiters that were dropped at the end of a run have left the queue, not the word: nobody looks at
// an object then that may be gone. Until this is called each unlock looks for them in vain.
static void forget_dropped(tuza_mutex *m)
{
	if (!(load_relaxed(&m->state) & (MUTEX_PARKED | MUTEX_STARVING))) // re-checked below
		return;
	struct waitqueue *q = waitqueue_lock(m);
	if (!waitqueue_first(q, m))
		mutex_state_clear_parked(&m->state);
	waitqueue_unlock(q);
}

/*
 * Waits for the lock as `w`. `c`: the cancellable that holds w, or NULL.
 *
 * Returns  false when it was cancelled.
 */
NOINLINE static bool mutex_lock_slow(tuza_mutex *m, struct queued *w, struct cancellable *c)
{
	uint32_t woken = 0;
	int rounds = 0;

	if (unlikely(park_had_other_runs()))
		forget_dropped(m);

	while (!mutex_state_take(&m->state, woken)) {
		if (rounds < MUTEX_SPIN_ROUNDS && park_may_spin()) {
			rounds++;
			mutex_relax();
			continue;
		}
		park_check(WAIT_MUTEX);
		if (!woken)
			w->since = clock_now();
		struct waitqueue *q = waitqueue_lock(m);
		struct queued *first = waitqueue_first(q, m);
		bool alarm = mutex_state_is_quiet(&m->state);
		if (alarm)
			mutex_alarm(first);
		bool waits = mutex_state_park(&m->state, woken, !first, alarm);
		if (!waits || (c && c->cancelled)) {
			if (alarm)
				sub_relaxed(&tuza_mutex_alarms_, 1u);
			if (waits && !first)
				mutex_state_clear_parked(&m->state);
			waitqueue_unlock(q);
			if (waits)
				return false;
			continue;
		}
		w->charged = contention_waits();
		waitqueue_push(q, m, w, woken != 0);
		if (alarm)
			w->counter = &tuza_mutex_alarms_;
		park_unlocking(&q->lock, WAIT_MUTEX, m);
		w->g->waiting = NULL; // from here on there is nothing to pass on
		if (w->granted)
			return true;
		if (c && c->removed)
			return false;
		woken = MUTEX_WOKEN;
		rounds = 0;
	}
	return true;
}

// An unlock has let go, and somebody waited then, or may have come in between. `m` may be gone: it
// is looked at only when somebody is found who waits for it.
NOINLINE static void mutex_pass(tuza_mutex *m, bool yields)
{
	int64_t now = clock_now();
	struct waitqueue *q = waitqueue_lock(m);
	struct queued *w = waitqueue_first(q, m);
	if (w && w->g->wait_reason != WAIT_MUTEX)
		w = NULL; // for something else, whose memory was the mutex'
	enum mutex_pass pass = MUTEX_LEFT;
	int64_t charged = contention_charge(w, now);

	if (w) {
		pass = mutex_state_pass(
			&m->state, now - w->since > MUTEX_STARVING_NS, w->next != NULL);
		if (pass != MUTEX_LEFT) {
			w->granted = pass == MUTEX_GRANTS;
			waitqueue_remove(q, w);
		}
	}
	waitqueue_unlock(q);
	contention_blame(charged);
	// From here on `m` may be gone; after the ready `w` too.
	if (unlikely(!w) && park_had_other_runs())
		store_relaxed(&looked_in_vain, 1); // a hint
	if (pass == MUTEX_LEFT)
		return;
	// With one processor the woken one would not run before the caller's time is up, and every
	// lock and unlock until then would find it in the word, and go the slow way. But in chaos
	// the caller may go on, and be the one to take it again.
	if (yields && (pass == MUTEX_GRANTS ||
			      (park_is_alone() && !(chaos_on && park_random_below(2) == 0))))
		ready_and_yield(w->g);
	else
		ready(w->g);
}

// After tuza_mutex_leave_ has returned `seen`.
static ALWAYS_INLINE void mutex_unlocked(tuza_mutex *m, uint32_t seen, bool yields)
{
	if (seen == TUZA_MUTEX_KEPT_) {
		// The one that looked in vain could not look at its mutex any more; this one can.
		if (unlikely(load_relaxed(&looked_in_vain))) {
			store_relaxed(&looked_in_vain, 0); // a hint
			forget_dropped(m);
		}
		seen = tuza_mutex_leave_parked_(&m->state);
	}
	if (unlikely(!(seen & MUTEX_LOCKED)))
		fatal("sync: unlock of unlocked mutex");
	if (unlikely(mutex_state_has_to_pass(seen)))
		mutex_pass(m, yields);
	// Whoever is on the way may wait for the caller's processor, and the caller never park.
	else if (unlikely(seen & MUTEX_WOKEN) && yields)
		preempt_point();
}

// The caller has the lock now.
static ALWAYS_INLINE void mutex_is_held(tuza_mutex *m)
{
	store_relaxed(&m->holder, TUZA_STACK_MARK_()); // the holder's own; others only compare it
}

// The lock could not be had at once.
EXPORT void tuza_mutex_lock_slow_(tuza_mutex *m)
{
	preempt_check();
	struct queued w = {.granted = false};
	mutex_lock_slow(m, &w, NULL);
	mutex_is_held(m);
	race_acquire(m);
}

EXPORT void tuza_mutex_lock(tuza_mutex *m)
{
	if (unlikely(!tuza_mutex_take_(&m->state))) {
		tuza_mutex_lock_slow_(m);
	} else {
		mutex_is_held(m);
		race_acquire(m);
	}
}

EXPORT bool tuza_mutex_try_lock(tuza_mutex *m)
{
	chaos_point();
	if (unlikely(park_had_other_runs()))
		forget_dropped(m);
	if (!mutex_state_take(&m->state, 0))
		return false;
	mutex_is_held(m);
	race_acquire(m);
	return true;
}

// Somebody waits or was woken, or it was not locked. `seen`: from tuza_mutex_leave_.
EXPORT void tuza_mutex_unlock_slow_(tuza_mutex *m, uint32_t seen)
{
	if (seen == TUZA_MUTEX_KEPT_)
		race_release(m); // else the program's own code has let go
	mutex_unlocked(m, seen, true);
}

EXPORT void tuza_mutex_unlock(tuza_mutex *m)
{
	race_release(m);
	store_relaxed(&m->holder, 0); // its own
	mutex_unlocked(m, tuza_mutex_leave_(&m->state), true);
	chaos_point();
}

// With its number in TUZA_DEBUG=lockorder (debug/lock_order.c).
EXPORT void tuza_mutex_unlock_leaving_(tuza_mutex *m, uint32_t number)
{
	race_release(m);
	store_relaxed(&m->holder, number); // its own
	mutex_unlocked(m, tuza_mutex_leave_(&m->state), true);
	chaos_point(); // as tuza_mutex_unlock: a seed stands for the same order with and without
}

void mutex_unlock_to_park(tuza_mutex *m)
{
	race_release(m);
	store_relaxed(&m->holder, 0); // its own
	mutex_unlocked(m, tuza_mutex_leave_(&m->state), false);
}

// ---- a dropped waiter -------------------------------------------------------------------------

// Does what the waiter would have done, and gives the lock back at once. (One that was cancelled
// was given nothing: then this wakes the next one in vain.)
void mutex_pass_on(void *waiting, const void *object) TUZA_TSA_(no_thread_safety_analysis)
{
	const struct queued *w = waiting;
	tuza_mutex *m = (tuza_mutex *)object;

	while (!w->granted && !mutex_state_take(&m->state, MUTEX_WOKEN)) {
		struct waitqueue *q = waitqueue_lock(m);
		bool is_last = !waitqueue_first(q, m);
		bool is_held = mutex_state_park(&m->state, MUTEX_WOKEN, is_last, true);
		if (is_held && is_last)
			mutex_state_clear_parked(&m->state);
		waitqueue_unlock(q);
		if (is_held) // whoever holds it looks for waiters when it unlocks
			return;
	}
	tuza_mutex_unlock(m);
}

// ---- with a cancel ----------------------------------------------------------------------------

static struct goroutine *mutex_left(struct cancellable *c, struct waitqueue *q)
{
	tuza_mutex *m = c->object;

	if (!waitqueue_first(q, m))
		mutex_state_clear_parked(&m->state);
	c->queued.g->next = NULL;
	return c->queued.g;
}

void mutex_cancellable_init(struct cancellable *c, tuza_mutex *m)
{
	*c = (struct cancellable){.queued = {.can_give_up = true}, .object = m, .left = mutex_left};
}

bool mutex_lock_cancellable(struct cancellable *c)
{
	tuza_mutex *m = c->object;

	if (!mutex_lock_slow(m, &c->queued, c))
		return false;
	mutex_is_held(m);
	race_acquire(m);
	return true;
}
