// SPDX-License-Identifier: MIT
/*
 * What is known of one direction (reading or writing) of a descriptor: one word and all its
 * transitions. Depends on base/atomic.h alone, so that the models (tests/model: poll, drain)
 * run the very code of the library.
 *
 *     63          32 31         2  1 0
 *     | generation  |   events   |E|W|
 *
 *   generation  whose events these are: it grows when the descriptor is forgotten, so an event that
 *               was found before, for the last user of the same number, counts nothing and wakes
 *               nobody.
 *   events      how many were seen, modulo 2^30. Whoever is about to try an operation takes note of
 *               the word; who then has to wait does so only if the word is still the same.
 *   E           one of this generation's events told of an end or a failure, which no later event
 *               need repeat: who has not read up to it must try, whatever the count says.
 *   W           somebody waits, in a list that a lock guards. Set under that lock, by whoever
 *               waits; cleared by whoever counts an event, who then looks at the list under the
 *               lock.
 *
 *         wait                    signal
 *   (n) ───────▶ (n, W)     (n) ─────────▶ (n + 1)        (n, W) ─────────▶ (n + 1), wakes
 *
 * Go's word holds "pending", "ready" or the goroutine. "Ready" is used up by the first who sees it,
 * so there one goroutine may wait per direction; a counter is not, so here any number may.
 * "Pending" is a word that has not changed, "ready" one that has.
 */
#ifndef TUZA_SCHED_POLL_WORD_H
#define TUZA_SCHED_POLL_WORD_H

#include "base/atomic.h"

#define POLL_WORD_WAITED ((uint64_t)1)
#define POLL_WORD_ENDED ((uint64_t)2)
#define POLL_WORD_NONE POLL_WORD_WAITED // what poll_word_see never returns
#define POLL_WORD_EVENT ((uint64_t)4)

static ALWAYS_INLINE uint32_t poll_word_generation(uint64_t word) { return (uint32_t)(word >> 32); }

/*
 * The word as a later poll_word_wait wants to know it. Take it before the operation is tried.
 *
 * An operation that used up all there was (drained it) may keep the word that was taken before it:
 * as long as poll_word_is_drained, the next try would be in vain. Whatever came since the kept word
 * was taken has its event still to come, and will change the word.
 */
static ALWAYS_INLINE uint64_t poll_word_see(const uint64_t *word)
{
	// (poll-word) pairs with poll_word_signal: the operation is tried after this.
	return load_acquire(word) & ~POLL_WORD_WAITED;
}

// Nothing has come since an operation, before which `kept` was taken, used up what there was.
static ALWAYS_INLINE bool poll_word_is_drained(uint64_t kept, uint64_t seen)
{
	return kept == seen && !(seen & POLL_WORD_ENDED);
}

/*
 * Announces a waiter. Needs: the lock of the list, to which the caller adds itself before it
 * unlocks.
 *
 * Returns  false when there was an event since `seen`, or the descriptor was forgotten: no wait.
 */
static ALWAYS_INLINE MUST_USE bool poll_word_wait(uint64_t *word, uint64_t seen)
{
	uint64_t now = seen;

	// (poll-word) pairs with poll_word_signal. Both change the same word, so the event comes
	// either before, and is seen here, or after, and finds the waiter announced.
	while (!cas_acq_rel(word, &now, seen | POLL_WORD_WAITED)) {
		if ((now & ~POLL_WORD_WAITED) != seen)
			return false;
		if (now & POLL_WORD_WAITED)
			return true; // another one has
	}
	return true;
}

enum poll_signal {
	POLL_STALE,  // of a generation that is over: nothing was done
	POLL_NOTED,  // counted
	POLL_WAITED, // counted; somebody waits: look at the list under the lock
};

// Counts an event of this generation. `ended`: it tells of an end or a failure.
static ALWAYS_INLINE enum poll_signal poll_word_signal(
	uint64_t *word, uint32_t generation, bool ended)
{
	uint64_t old = load_relaxed(word), counted; // ordered by the CAS

	do {
		if (poll_word_generation(old) != generation)
			return POLL_STALE;
		// The generation stays when the counter runs over.
		counted = (old & ~(uint64_t)UINT32_MAX) |
			  (uint32_t)((old & ~POLL_WORD_WAITED) + POLL_WORD_EVENT) |
			  (ended ? POLL_WORD_ENDED : 0);
		// (poll-word) pairs with poll_word_wait and poll_word_see.
	} while (!cas_acq_rel(word, &old, counted));
	return old & POLL_WORD_WAITED ? POLL_WAITED : POLL_NOTED;
}

// Ends the generation and begins the next. Needs: the lock of the list, whose waiters the caller
// takes out.
static ALWAYS_INLINE uint32_t poll_word_renew(uint64_t *word)
{
	uint64_t old = load_relaxed(word), next; // ordered by the CAS

	do
		next = (uint64_t)(poll_word_generation(old) + 1) << 32;
	// (poll-word) pairs with poll_word_wait and poll_word_see: who waits from now on waits for
	// the next user.
	while (!cas_acq_rel(word, &old, next));
	return poll_word_generation(next);
}

#endif
