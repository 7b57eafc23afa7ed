// SPDX-License-Identifier: MIT
/*
 * The word of a mutex and all its transitions. Depends on base/atomic.h alone, so that
 * tests/model/mutex_model.c tests the very code of the library.
 *
 *   LOCKED    held. Set by whoever takes the lock; cleared by unlock.
 *   PARKED    somebody waits in the queue of the address. Set and cleared under the bucket's lock
 *             only. Never clear while somebody waits.
 *   WOKEN     one waiter was taken out of the queue and is on its way to take the lock or to park
 *             again: unlocks need wake nobody else. Set under the bucket's lock, by the unlock that
 *             took it out; cleared by that waiter alone.
 *   STARVING  the first waiter has waited too long: nobody takes the lock past the queue, the next
 *             unlock hands it over. Set and cleared under the bucket's lock only; with PARKED,
 *             never with WOKEN.
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
 */
#ifndef TUZA_SYNC_MUTEX_STATE_H
#define TUZA_SYNC_MUTEX_STATE_H

#include "base/atomic.h"

enum {
	MUTEX_LOCKED = 1,
	MUTEX_PARKED = 2,
	MUTEX_WOKEN = 4,
	MUTEX_STARVING = 8,
};

// Takes a lock that nobody holds nor waits for: the fast path.
static ALWAYS_INLINE bool mutex_state_take_idle(uint32_t *state)
{
	uint32_t seen = 0;

	// (mutex) pairs with the release in mutex_state_unlock.
	return cas_acquire(state, &seen, MUTEX_LOCKED);
}

// Takes a free lock, passing by those who wait unless one starves. `woken`: MUTEX_WOKEN if the
// caller is the woken waiter, else 0.
static ALWAYS_INLINE bool mutex_state_take(uint32_t *state, uint32_t woken)
{
	uint32_t seen = load_relaxed(state); // ordered by the CAS below

	while (!(seen & (MUTEX_LOCKED | MUTEX_STARVING)))
		// (mutex) pairs with the release in mutex_state_unlock.
		if (cas_acquire(state, &seen, (seen | MUTEX_LOCKED) & ~woken))
			return true;
	return false;
}

// Unlocks. Returns what the word was: without LOCKED a misuse. The last touch, if no waiter has to
// be looked for.
static ALWAYS_INLINE uint32_t mutex_state_unlock(uint32_t *state)
{
	// (mutex) pairs with mutex_state_take, mutex_state_take_idle and mutex_state_pass.
	return sub_release(state, (uint32_t)MUTEX_LOCKED);
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
	// (mutex) pairs with mutex_state_unlock: who is handed the lock comes after all others.
	uint32_t seen = load_acquire(state);

	for (;;) {
		bool grants = starves || (seen & MUTEX_STARVING);
		uint32_t next = (grants ? MUTEX_LOCKED : MUTEX_WOKEN) | rest;

		if (seen & MUTEX_WOKEN)
			return MUTEX_LEFT;
		if (seen & MUTEX_LOCKED) {
			if (!starves || (seen & MUTEX_STARVING))
				return MUTEX_LEFT;
			next = seen | MUTEX_STARVING;
		}
		// (mutex) pairs with mutex_state_unlock, as above.
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
 *
 * Returns  false when the lock may be taken: try again instead.
 */
static ALWAYS_INLINE bool mutex_state_park(uint32_t *state, uint32_t woken, bool first)
{
	uint32_t seen = load_relaxed(state); // ordered by the CAS below

	for (;;) {
		bool waits = (seen & MUTEX_LOCKED) || (!first && (seen & MUTEX_STARVING));
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
