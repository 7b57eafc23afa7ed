// SPDX-License-Identifier: MIT
/*
 * The word of a mutex and all its transitions. Depends on base/atomic.h and <tuza/sync.h> alone, so
 * that tests/model/mutex_model.c tests the very code of the library.
 *
 *   LOCKED    held. Set by whoever takes the lock; cleared by unlock.
 *   PARKED    somebody waits in the queue of the address. Set and cleared under the bucket's lock
 *             only. Never clear while somebody waits, but in a quiet mutex: see below.
 *   WOKEN     one waiter was taken out of the queue and is on its way to take the lock or to park
 *             again: unlocks need wake nobody else. Set under the bucket's lock, by the unlock that
 *             took it out; cleared by that waiter alone.
 *   STARVING  the first waiter has waited too long: nobody takes the lock past the queue, the next
 *             unlock hands it over. Set and cleared under the bucket's lock only; with PARKED,
 *             never with WOKEN.
 *   QUIET     since a waiter was last woken it was taken 32,768 times at once; what stands above
 *             the flags counts them. Set by whoever takes the lock, with LOCKED; cleared by the
 *             unlock that wakes a waiter.
 *
 *           take                          unlock
 *       0 ─────────▶ LOCKED ─────────────────────────────────────────────▶ 0
 *                      │ park                                              ▲
 *                      ▼            unlock           wake           take   │ unlock
 *              LOCKED|PARKED ─────────────▶ PARKED ─────▶ WOKEN ────────▶ LOCKED
 *                      ▲   ▲                  │ │           └─ or a passer-by takes it, and
 *                      │   └─ a passer-by ────┘ │              the woken one parks again
 *                      └──────── hand over ─────┘
 *
 * Unlock lets go first and looks for waiters after: PARKED without LOCKED and WOKEN means that the
 * unlocker is on its way to the bucket, unless a passer-by takes the lock, whose unlock comes then.
 * The unlocker comes to a mutex that may be gone: as long as it finds somebody in the queue of the
 * address, it is not.
 *
 * PARKED also stays behind when the waiters were dropped at the end of a run. An unlock that finds
 * nobody in the queue has let go, and can not take it away; so it has the next unlocks that see
 * PARKED look before they let go (forget_dropped).
 *
 * A quiet mutex is given back by an ordinary store, which costs half of what a locked instruction
 * does. It overwrites a PARKED that came since the word was read. So who waits for a quiet mutex
 * has it looked for: while it waits it is counted among all alarms, and after the store each unlock
 * looks at their number.
 *
 *   (mutex-quiet)  unlock (tuza_mutex_leave_)         waiter
 *                    1. the word is QUIET|LOCKED        1. count an alarm
 *                    2. word = QUIET                    2. membarrier
 *                    3. look at the alarms              3. set PARKED if it is LOCKED, else do
 *                       any: look for a waiter             not wait
 *
 * The waiter's barrier falls between two instructions of the unlocker's thread: before 3, and the
 * alarm is seen; or after 2, and the word is seen, unlocked. QUIET stays in the word with PARKED,
 * since the holder may still be between 1 and 2: each waiter that comes then needs an alarm; the
 * barrier of one that is counted still does for those behind it. An unlock that begins after the
 * barrier finds the alarm in step 1 and subtracts.
 */
#ifndef TUZA_SYNC_MUTEX_STATE_H
#define TUZA_SYNC_MUTEX_STATE_H

#include "base/atomic.h"

#include <tuza/sync.h>

enum {
	MUTEX_LOCKED = TUZA_MUTEX_LOCKED_,
	MUTEX_PARKED = TUZA_MUTEX_PARKED_,
	MUTEX_WOKEN = TUZA_MUTEX_WOKEN_,
	MUTEX_STARVING = 8,
};
_Static_assert(TUZA_MUTEX_CLOSED_ == (MUTEX_LOCKED | MUTEX_STARVING), "as mutex_state_take has it");
#define MUTEX_QUIET TUZA_MUTEX_QUIET_

static ALWAYS_INLINE bool mutex_state_is_quiet(const uint32_t *state)
{
	return load_relaxed(state) & MUTEX_QUIET; // a glimpse
}

// Takes a free lock, passing by those who wait unless one starves. `woken`: MUTEX_WOKEN if the
// caller is the woken waiter, else 0.
static ALWAYS_INLINE bool mutex_state_take(uint32_t *state, uint32_t woken)
{
	uint32_t seen = load_relaxed(state); // ordered by the CAS below

	while (!(seen & (MUTEX_LOCKED | MUTEX_STARVING)))
		// (mutex) pairs with tuza_mutex_leave_.
		if (cas_acquire(state, &seen, (seen | MUTEX_LOCKED) & ~woken))
			return true;
	return false;
}

// Whether an unlock that found `seen` has to look for a waiter.
static ALWAYS_INLINE bool mutex_state_has_to_pass(uint32_t seen)
{
	return (seen & (MUTEX_PARKED | MUTEX_WOKEN)) == MUTEX_PARKED;
}

enum mutex_pass {
	MUTEX_LEFT,   // it is another's now, who will look for the waiter
	MUTEX_WAKES,  // the waiter is to be taken out and woken, to take the lock itself
	MUTEX_GRANTS, // the same, and it has got the lock
};

/*
 * What becomes of the first waiter after an unlock. Needs: the bucket's lock, a waiter. The last
 * touch.
 *
 *   starves  it has waited too long.
 *   more     others wait behind it.
 */
static ALWAYS_INLINE enum mutex_pass mutex_state_pass(uint32_t *state, bool starves, bool more)
{
	uint32_t rest = more ? MUTEX_PARKED : 0;
	// (mutex) pairs with tuza_mutex_leave_: who is handed the lock comes after all others.
	uint32_t seen = load_acquire(state);

	for (;;) {
		bool grants = starves || (seen & MUTEX_STARVING);
		uint32_t next = (grants ? MUTEX_LOCKED : MUTEX_WOKEN) | rest;

		if (seen & MUTEX_WOKEN)
			return MUTEX_LEFT;
		if (seen & MUTEX_LOCKED) {
			// Whoever gave back a quiet mutex may have overwritten PARKED.
			next = seen | MUTEX_PARKED | (starves ? MUTEX_STARVING : 0);
			if (next == seen)
				return MUTEX_LEFT;
		}
		// (mutex) pairs with tuza_mutex_leave_, as above.
		if (cas_acquire(state, &seen, next))
			return seen & MUTEX_LOCKED ? MUTEX_LEFT
			       : grants            ? MUTEX_GRANTS
						   : MUTEX_WAKES;
	}
}

/*
 * Announces that the caller will wait, and that the woken waiter which it was is awake no more.
 * Needs: the bucket's lock.
 *
 *   first  nobody waits yet. STARVING then was for a waiter that was dropped at the end of a run.
 *   alarm  there is one for the caller, or it will not wait in fact.
 *
 * Returns  false when the lock may be taken, or has become quiet without an alarm: try again.
 */
static ALWAYS_INLINE bool mutex_state_park(uint32_t *state, uint32_t woken, bool first, bool alarm)
{
	uint32_t seen = load_relaxed(state); // ordered by the CAS below

	for (;;) {
		bool waits = ((seen & MUTEX_LOCKED) || (!first && (seen & MUTEX_STARVING))) &&
			     (alarm || !(seen & MUTEX_QUIET));
		uint32_t next = waits ? (seen | MUTEX_PARKED) & ~woken : seen;

		if (first)
			next &= ~(uint32_t)MUTEX_STARVING;
		// Relaxed: the holder's unlock sees PARKED in the word itself, then waits for the
		// bucket's lock.
		if (next == seen ? !waits || (seen & MUTEX_PARKED)
				 : cas_relaxed(state, &seen, next))
			return waits;
	}
}

/*
 * The queue is empty: a waiter was removed, or dropped at the end of a run. Needs: the bucket's
 * lock.
 */
static ALWAYS_INLINE void mutex_state_clear_parked(uint32_t *state)
{
	// Relaxed: who takes the lock, or parks, is ordered by what it does itself.
	(void)and_relaxed(state, ~(uint32_t)(MUTEX_PARKED | MUTEX_STARVING));
}

#endif
