// SPDX-License-Identifier: MIT
/*
 * Claim: with the transitions of net/conn_word.h a connection is taken apart once, when it was
 * closed and nobody uses it; a handle never fits the next connection in its slot; of several closes
 * one succeeds.
 *
 * Two users begin and end operations with a handle until it is closed, two closers close it.
 * Whoever ends the last operation frees the slot, and makes the next connection in it.
 */
#include "net/conn_word.h"
#include "parking.h"

enum { USERS = 2, CLOSERS = 2 };

static uint64_t word = CONN_CLOSED;
static uint64_t handle; // constant in a round
static int payload;     // what the slot holds: plain, ordered by the word
static int taken_apart; // plain: the last one alone
static uint32_t closes; // atomic

static void end(void)
{
	if (!conn_word_end(&word))
		return;
	assert(payload == 42);
	payload = 0;
	taken_apart++;
	conn_word_free(&word);
	model_pause();
	(void)conn_word_open(&word); // the next one
}

static void *user(void *arg)
{
	while (conn_word_begin(&word, handle, false) == CONN_BEGUN) {
		assert(payload == 42);
		model_pause();
		end();
		model_pause();
	}
	return arg;
}

static void *closer(void *arg)
{
	for (intptr_t i = (intptr_t)arg; i > 0; i--)
		model_pause();
	if (conn_word_begin(&word, handle, true) == CONN_BEGUN) {
		add_relaxed(&closes, 1); // counted after the round
		model_pause();
		end();
	}
	assert(conn_word_begin(&word, handle, false) == CONN_IS_CLOSED);
	return arg;
}

static void one_round(void)
{
	static model_thread *const threads[] = {user, user, closer, closer};

	_Static_assert(COUNT_OF(threads) == USERS + CLOSERS, "all of them");
	word = (conn_word_generation(word) + 1) % (CONN_GENERATIONS - 1) << CONN_GENERATION_SHIFT |
	       CONN_CLOSED;
	payload = 42;
	taken_apart = 0;
	closes = 0;
	handle = conn_word_open(&word);
	model_run(threads, COUNT_OF(threads));
	assert(closes == 1);
	assert(taken_apart == 1);
	assert((word & (CONN_CLOSED | CONN_OPERATIONS)) == 0); // the next one is open and unused
	assert(conn_word_generation(word) != handle);
}

int main(void)
{
	model_rounds(one_round);
	return 0;
}
