// SPDX-License-Identifier: MIT
/*
 * Whether a connection may be used: one word and all its transitions. Depends on base/atomic.h
 * alone, so that tests/model/conn_model.c tests the very code of the library.
 *
 *     63            21  20  19        0
 *     |  generation   | C | operations |
 *
 *   generation  of the slot, 1 to 2^40 - 1: a handle has the one that it was made with, and fits no
 *               later one. It grows when the slot becomes free.
 *   C           closed: nobody begins an operation any more. A free slot is closed, too.
 *   operations  under way, the close among them. Whoever ends the last one of a closed connection
 *               takes it apart and frees the slot.
 *
 * Go: src/internal/poll/fd_mutex.go, without its locks for reading and writing.
 */
#ifndef TUZA_NET_CONN_WORD_H
#define TUZA_NET_CONN_WORD_H

#include "base/atomic.h"

#define CONN_OPERATIONS (((uint64_t)1 << 20) - 1) // Go's limit: 1048575
#define CONN_CLOSED ((uint64_t)1 << 20)
#define CONN_GENERATIONS ((uint64_t)1 << 40) // what fits a handle beside the slot's number
enum { CONN_GENERATION_SHIFT = 21 };

static ALWAYS_INLINE uint64_t conn_word_generation(uint64_t word)
{
	return word >> CONN_GENERATION_SHIFT;
}

enum conn_begin {
	CONN_BEGUN,
	CONN_IS_CLOSED,
	CONN_TOO_MANY,
};

// Begins an operation on the connection of that generation. `closing`: the one that closes it.
static ALWAYS_INLINE enum conn_begin conn_word_begin(
	uint64_t *word, uint64_t generation, bool closing)
{
	uint64_t old = load_relaxed(word); // ordered by the CAS

	do {
		if (old & CONN_CLOSED || conn_word_generation(old) != generation)
			return CONN_IS_CLOSED;
		if ((old & CONN_OPERATIONS) == CONN_OPERATIONS)
			return CONN_TOO_MANY;
		// (conn-word) pairs with conn_word_open: what the slot holds is seen.
	} while (!cas_acq_rel(word, &old, (old + 1) | (closing ? CONN_CLOSED : 0)));
	return CONN_BEGUN;
}

// Ends an operation. True for the last one of a closed connection: the caller owns the slot.
static ALWAYS_INLINE MUST_USE bool conn_word_end(uint64_t *word)
{
	// (conn-word) pairs with the other ends: what the others did with the slot is done.
	uint64_t old = sub_acq_rel(word, 1);

	return (old & (CONN_OPERATIONS | CONN_CLOSED)) == (CONN_CLOSED | 1);
}

// Opens a free slot, which the caller owns, for a new connection. Returns its generation.
static ALWAYS_INLINE uint64_t conn_word_open(uint64_t *word)
{
	uint64_t generation = conn_word_generation(load_relaxed(word)); // the owner's

	// (conn-word) pairs with conn_word_begin: published here.
	store_release(word, generation << CONN_GENERATION_SHIFT);
	return generation;
}

// Frees a slot that the caller owns: its last handle fits no more.
static ALWAYS_INLINE void conn_word_free(uint64_t *word)
{
	uint64_t generation = conn_word_generation(load_relaxed(word)) + 1; // the owner's

	if (generation >= CONN_GENERATIONS)
		generation = 1;
	// (conn-word) pairs with conn_word_begin, which finds it closed.
	store_release(word, generation << CONN_GENERATION_SHIFT | CONN_CLOSED);
}

// Operations that nobody will end any more are taken off: the goroutines were dropped. True as
// conn_word_end.
static ALWAYS_INLINE MUST_USE bool conn_word_drop(uint64_t *word, uint32_t count)
{
	// (conn-word) pairs with the ends of the others.
	uint64_t old = sub_acq_rel(word, count);

	return (old & (CONN_OPERATIONS | CONN_CLOSED)) == (CONN_CLOSED | count);
}

#endif
