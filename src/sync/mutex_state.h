// SPDX-License-Identifier: MIT
/*
 * The word of a mutex and all its transitions. Depends on base/atomic.h alone, so that
 * tests/model/mutex_model.c proves the code that the library runs.
 *
 *   LOCKED   held. Set by whoever takes the lock; cleared by unlock, unless it hands the lock over.
 *   PARKED   somebody waits in the queue of the address. Set and cleared under the bucket's lock
 *            only. Never clear while somebody waits.
 *   WOKEN    one waiter was taken out of the queue and is on its way to take the lock or to park
 *            again: unlocks need wake nobody else. Set by the unlock that took it out; cleared by
 *            that waiter alone.
 *
 *           take                          unlock
 *       0 ─────────▶ LOCKED ────────────────────────────────────────▶ 0
 *                      │ park                                         ▲
 *                      ▼           release (wakes)          take      │ unlock
 *              LOCKED|PARKED ──────────────────▶ WOKEN[|PARKED] ──▶ LOCKED[|PARKED]
 *                      │  ▲ hand_over                  │
 *                      └──┘ (stays LOCKED)             └─ or a passer-by takes it, and
 *                                                         the woken one parks again
 *
 * Who holds LOCKED and the bucket's lock, with WOKEN clear, is the only one who may change the
 * word: it is stored to without a read-modify-write then, and never touched again.
 */
#ifndef TUZA_SYNC_MUTEX_STATE_H
#define TUZA_SYNC_MUTEX_STATE_H

#include "base/atomic.h"

enum {
	MUTEX_LOCKED = 1,
	MUTEX_PARKED = 2,
	MUTEX_WOKEN = 4,
};

// Takes a lock that nobody holds nor waits for: the fast path.
static ALWAYS_INLINE bool mutex_state_take_idle(uint32_t *state)
{
	uint32_t seen = 0;

	// (mutex) pairs with the releases in mutex_state_unlock_idle, mutex_state_unlock and
	// mutex_state_release.
	return cas_acquire(state, &seen, MUTEX_LOCKED);
}

// Takes a free lock, passing by those who wait. `woken`: MUTEX_WOKEN if the caller is the woken
// waiter, else 0.
static ALWAYS_INLINE bool mutex_state_take(uint32_t *state, uint32_t woken)
{
	uint32_t seen = load_relaxed(state); // ordered by the CAS below

	while (!(seen & MUTEX_LOCKED))
		// (mutex) pairs with the releases in mutex_state_unlock_idle, mutex_state_unlock
		// and mutex_state_release.
		if (cas_acquire(state, &seen, (seen | MUTEX_LOCKED) & ~woken))
			return true;
	return false;
}

// Unlocks if nobody waits: the fast path. Else false, with what the word was in *seen.
static ALWAYS_INLINE bool mutex_state_unlock_idle(uint32_t *state, uint32_t *seen)
{
	*seen = MUTEX_LOCKED;
	// (mutex) pairs with mutex_state_take and mutex_state_take_idle.
	return cas_release(state, seen, 0);
}

/*
 * Unlocks if nobody has to be woken.
 *
 * Returns  false when nothing was done: the word in *seen has no LOCKED (a misuse), or a waiter
 *          must be taken out.
 */
static ALWAYS_INLINE bool mutex_state_unlock(uint32_t *state, uint32_t *seen)
{
	while ((*seen & MUTEX_LOCKED) && (*seen & (MUTEX_PARKED | MUTEX_WOKEN)) != MUTEX_PARKED)
		// (mutex) pairs with mutex_state_take and mutex_state_take_idle.
		if (cas_release(state, seen, *seen & ~(uint32_t)MUTEX_LOCKED))
			return true;
	return false;
}

/*
 * Announces that the caller will wait, and that the woken waiter which it was is awake no more.
 * Needs: the bucket's lock.
 *
 * Returns  false when the lock is free: try again instead.
 */
static ALWAYS_INLINE bool mutex_state_park(uint32_t *state, uint32_t woken)
{
	uint32_t seen = load_relaxed(state); // ordered by the CAS below

	while (seen & MUTEX_LOCKED)
		// Relaxed: the holder's unlock sees PARKED in the word itself, then waits for the
		// bucket's lock.
		if (cas_relaxed(state, &seen, (seen | MUTEX_PARKED) & ~woken))
			return true;
	return false;
}

// Unlocks after taking a waiter out of the queue (woken), `more` left in it. Needs: the lock and
// the bucket's. The last touch.
static ALWAYS_INLINE void mutex_state_release(uint32_t *state, bool woken, bool more)
{
	// (mutex) pairs with mutex_state_take and mutex_state_take_idle.
	store_release(state, (woken ? MUTEX_WOKEN : 0u) | (more ? MUTEX_PARKED : 0u));
}

// Leaves the lock to a waiter taken out of the queue. Needs: the lock and the bucket's. The last
// touch.
static ALWAYS_INLINE void mutex_state_hand_over(uint32_t *state, bool more)
{
	// Relaxed: ordered by the waiter's wake-up.
	store_relaxed(state, MUTEX_LOCKED | (more ? MUTEX_PARKED : 0u));
}

/*
 * The caller's removal of a waiter left the queue empty. Needs: the bucket's lock.
 */
static ALWAYS_INLINE void mutex_state_clear_parked(uint32_t *state)
{
	uint32_t seen = load_relaxed(state);

	while (!cas_relaxed(state, &seen, seen & ~(uint32_t)MUTEX_PARKED))
		;
}

#endif
