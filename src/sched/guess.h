// SPDX-License-Identifier: MIT
/*
 * Whom a processor without work wakes without asking the kernel.
 *
 * When two goroutines of a processor answer each other through sockets and nothing else is to be
 * done, the kernel's answer to "for whom has something come?" is known before it is asked: for the
 * other one. Asking is a tenth of what such a round trip costs, so after the kernel has said just
 * that some times in a row it is asked now and then only. A wrong guess is an event for nothing,
 * after which a goroutine tries its read once more and waits again; it ends the guessing.
 *
 * A processor guesses only once it has nothing to run, and again only if somebody has found
 * something to read since. So guesses never keep it from going to sleep.
 */
#ifndef TUZA_SCHED_GUESS_H
#define TUZA_SCHED_GUESS_H

#include "base/compiler.h"

struct netpoll;
struct goroutine;

enum {
	GUESS_SURE = 8,    // answers in a row that were as they would have been guessed
	GUESS_STREAK = 16, // guesses until the kernel is asked: others wait for that meanwhile
};

// For whom something came. Only ever compared, but for the record, which is one of the table and
// stays mapped.
struct guess_whom {
	struct netpoll *n;
	uint32_t generation;
	const struct goroutine *g;
};

// A zeroed one is valid. All of it is the processor's owner's.
struct guess {
	struct guess_whom last, other; // who read something last, and who did before
	uint32_t sure;
	uint32_t streak;
	bool useful; // somebody has read something since the last guess
};

// Somebody who had waited has read something.
static ALWAYS_INLINE void guess_note(struct guess *s, struct guess_whom whom)
{
	if (s->last.g != whom.g || s->last.n != whom.n || s->last.generation != whom.generation) {
		s->other = s->last;
		s->last = whom;
	}
	s->useful = true;
}

// Nothing is to be done. True: wake who waits for s->other instead of asking the kernel.
static ALWAYS_INLINE bool guess_now(struct guess *s)
{
	if (likely(s->sure < GUESS_SURE))
		return false;
	if (!s->useful)
		s->sure = 0; // the last guess was wrong
	if (!s->useful || s->streak == GUESS_STREAK) {
		s->streak = 0;
		return false;
	}
	s->useful = false;
	s->streak++;
	return true;
}

// What the kernel said: `only` is the one goroutine that something came for; NULL: none, or many.
static ALWAYS_INLINE void guess_learn(struct guess *s, const struct goroutine *only)
{
	if (!only || only != s->other.g)
		s->sure = 0;
	else if (s->sure < GUESS_SURE)
		s->sure++;
}

#endif
