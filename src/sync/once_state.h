// SPDX-License-Identifier: MIT
/*
 * The word of a once and all its transitions. Depends on base/atomic.h alone, so that
 * tests/model/once_model.c tests the very code of the library.
 *
 *	NEW ──start──▶ RUNNING ──park──▶ RUNNING|WAITERS
 *	                  │ finish              │ finish, under the bucket's lock
 *	                  └───────▶ DONE ◀──────┘
 */
#ifndef TUZA_SYNC_ONCE_STATE_H
#define TUZA_SYNC_ONCE_STATE_H

#include "base/atomic.h"

enum {
	ONCE_NEW,
	ONCE_DONE = 1,    // final
	ONCE_RUNNING = 2, // the first caller is in its function
	ONCE_WAITERS = 4, // with RUNNING: others wait. Set under the bucket's lock
};

static ALWAYS_INLINE bool once_state_is_done(const uint32_t *state)
{
	// (once) pairs with once_state_finish and once_state_finish_locked.
	return load_acquire(state) == ONCE_DONE;
}

// True for the first caller.
static ALWAYS_INLINE bool once_state_start(uint32_t *state)
{
	uint32_t seen = ONCE_NEW;

	return cas_relaxed(state, &seen, ONCE_RUNNING); // nothing to see before the first call
}

// The first caller's function has ended. False when others wait: finish under the bucket's lock.
// True: the last touch.
static ALWAYS_INLINE bool once_state_finish(uint32_t *state)
{
	uint32_t seen = ONCE_RUNNING;

	// (once) pairs with once_state_is_done and once_state_park.
	return cas_release(state, &seen, ONCE_DONE);
}

// The same under the bucket's lock, the waiters being the caller's to wake. The last touch.
static ALWAYS_INLINE void once_state_finish_locked(uint32_t *state)
{
	// (once) pairs with once_state_is_done and once_state_park.
	store_release(state, ONCE_DONE);
}

// Announces that the caller will wait. Needs: the bucket's lock. False when it is done.
static ALWAYS_INLINE bool once_state_park(uint32_t *state)
{
	uint32_t seen = ONCE_RUNNING;

	// (once) pairs with once_state_finish: the failure that finds DONE acquires.
	if (cas_acq_rel(state, &seen, ONCE_RUNNING | ONCE_WAITERS))
		return true;
	return seen != ONCE_DONE;
}

#endif
