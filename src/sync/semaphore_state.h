// SPDX-License-Identifier: MIT
/*
 * The word of a weighted semaphore and its transitions. Depends on base/atomic.h alone.
 *
 *   bit 0      WAITING: somebody waits in the queue of the address. Set and cleared under the
 *              bucket's lock. While it is set the word is changed under that lock only: nobody
 *              passes those who wait
 *   the rest   what is free, in units of SEMAPHORE_ONE
 */
#ifndef TUZA_SYNC_SEMAPHORE_STATE_H
#define TUZA_SYNC_SEMAPHORE_STATE_H

#include "base/atomic.h"

#define SEMAPHORE_WAITING ((int64_t)1)
#define SEMAPHORE_ONE ((int64_t)2)
#define SEMAPHORE_MAX (INT64_MAX / SEMAPHORE_ONE)

static ALWAYS_INLINE int64_t semaphore_available(int64_t seen) { return seen >> 1; }

// Takes n if nobody waits and so much is free.
static ALWAYS_INLINE bool semaphore_state_take(int64_t *state, int64_t n)
{
	int64_t seen = load_relaxed(state); // ordered by the CAS below

	while (!(seen & SEMAPHORE_WAITING) && semaphore_available(seen) >= n)
		// (semaphore) pairs with semaphore_state_give and semaphore_state_settle.
		if (cas_acquire(state, &seen, seen - n * SEMAPHORE_ONE))
			return true;
	return false;
}

enum semaphore_given {
	SEMAPHORE_GIVEN,    // done. The last touch
	SEMAPHORE_TOO_MUCH, // more than `size` would be free: nothing was done
	SEMAPHORE_CROWDED,  // somebody waits: nothing was done; take the bucket's lock
};

// Gives n back if nobody waits.
static ALWAYS_INLINE enum semaphore_given semaphore_state_give(
	int64_t *state, int64_t n, int64_t size)
{
	int64_t seen = load_relaxed(state); // ordered by the CAS below

	do {
		if (n > size - semaphore_available(seen))
			return SEMAPHORE_TOO_MUCH;
		if (seen & SEMAPHORE_WAITING)
			return SEMAPHORE_CROWDED;
		// (semaphore) pairs with semaphore_state_take and semaphore_state_free.
	} while (!cas_release(state, &seen, seen + n * SEMAPHORE_ONE));
	return SEMAPHORE_GIVEN;
}

/*
 * Announces that the caller will wait for n. Needs: the bucket's lock.
 *
 * Returns  false when n can be taken now: try again instead.
 */
static ALWAYS_INLINE bool semaphore_state_park(int64_t *state, int64_t n)
{
	int64_t seen = load_relaxed(state); // ordered by the CAS below

	while ((seen & SEMAPHORE_WAITING) || semaphore_available(seen) < n)
		// Relaxed: who gives back sees WAITING in the word itself, then waits for the
		// bucket's lock.
		if (cas_relaxed(state, &seen, seen | SEMAPHORE_WAITING))
			return true;
	return false;
}

// What is free and nobody can take meanwhile. Needs: the bucket's lock, WAITING set.
static ALWAYS_INLINE int64_t semaphore_state_free(const int64_t *state)
{
	// (semaphore) pairs with semaphore_state_give: who gets what others gave before comes after
	// them.
	return semaphore_available(load_acquire(state));
}

// Sets what is free after the waiters were served. Needs: the bucket's lock, WAITING set. The last
// touch.
static ALWAYS_INLINE void semaphore_state_settle(int64_t *state, int64_t available, bool more)
{
	// (semaphore) pairs with semaphore_state_take.
	store_release(state, available * SEMAPHORE_ONE | (more ? SEMAPHORE_WAITING : 0));
}

#endif
