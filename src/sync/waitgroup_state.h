// SPDX-License-Identifier: MIT
/*
 * The word of a waitgroup and all its transitions. Depends on base/atomic.h alone, so that
 * tests/model/waitgroup_model.c tests the very code of the library.
 *
 *   high 32 bits   the counter
 *   bit 0          WAITERS: somebody waits in the queue. Set and cleared under the bucket's lock
 *
 * Done is the word 0, which is what may let others free the waitgroup. An add that brings the
 * counter to zero with WAITERS set has not finished it: that takes one more step of its own, under
 * the bucket's lock. Until then nobody who waits has returned, and a wait that comes late joins the
 * queue, so the waitgroup is alive.
 */
#ifndef TUZA_SYNC_WAITGROUP_STATE_H
#define TUZA_SYNC_WAITGROUP_STATE_H

#include "base/atomic.h"

#define WAITGROUP_WAITERS ((uint64_t)1)

static ALWAYS_INLINE int32_t waitgroup_counter(uint64_t seen) { return (int32_t)(seen >> 32); }

enum waitgroup_added {
	WAITGROUP_ADDED,    // done. The last touch
	WAITGROUP_NEGATIVE, // would be negative, or more than 2^31 - 1: nothing was done
	WAITGROUP_ZERO, // the counter is zero, somebody waits: waitgroup_state_finish has to follow
};

static ALWAYS_INLINE enum waitgroup_added waitgroup_state_add(uint64_t *state, int delta)
{
	uint64_t units = (uint64_t)(int64_t)delta << 32;
	// (waitgroup) pairs with waitgroup_state_is_done, and with this add: who brings the
	// counter to zero comes after all others.
	uint64_t seen = add_acq_rel(state, units);
	int64_t counter = (int64_t)waitgroup_counter(seen) + delta;

	if (unlikely(counter < 0 || counter > INT32_MAX)) {
		sub_relaxed(state, units); // a misuse: orders nothing
		return WAITGROUP_NEGATIVE;
	}
	return counter == 0 && (seen & WAITGROUP_WAITERS) ? WAITGROUP_ZERO : WAITGROUP_ADDED;
}

// Whether there is nothing to wait for, and nobody will touch the waitgroup any more.
static ALWAYS_INLINE bool waitgroup_state_is_done(const uint64_t *state)
{
	// (waitgroup) pairs with waitgroup_state_add: what was done before is seen.
	return load_acquire(state) == 0;
}

/*
 * The last step of the add that returned WAITGROUP_ZERO. Needs: the bucket's lock, the waiters
 * taken out. The last touch.
 */
static ALWAYS_INLINE void waitgroup_state_finish(uint64_t *state)
{
	// (waitgroup) pairs with waitgroup_state_is_done. A counter that is not zero any more is a
	// misuse, which shall not get lost on top.
	(void)and_acq_rel(state, ~WAITGROUP_WAITERS);
}

/*
 * Announces that the caller will wait. Needs: the bucket's lock.
 *
 * Returns  false when it is done: there is nothing to wait for.
 */
static ALWAYS_INLINE bool waitgroup_state_park(uint64_t *state)
{
	// (waitgroup) pairs with waitgroup_state_add and waitgroup_state_finish, if it is done.
	uint64_t seen = load_acquire(state);

	while (seen != 0)
		// (waitgroup) The add that reaches zero sees WAITERS in the word, then takes the
		// bucket's lock.
		if (cas_acquire(state, &seen, seen | WAITGROUP_WAITERS))
			return true;
	return false;
}

#endif
