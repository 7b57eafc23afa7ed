// SPDX-License-Identifier: MIT
/*
 * The limits of the word of a connection: what model/conn_model.c cannot reach. After Go's
 * internal/poll/fd_mutex_test.go.
 */
#include "test.h"

#include "net/conn_word.h"

static uint64_t opened(uint64_t *word)
{
	*word = CONN_CLOSED;
	conn_word_free(word);
	return conn_word_open(word);
}

// N4.
TEST_PLAIN(operations_are_limited)
{
	uint64_t word, generation = opened(&word);
	const uint64_t most = 1048575;

	for (uint64_t i = 0; i < most; i++)
		if (conn_word_begin(&word, generation, false) != CONN_BEGUN && !CHECK(false))
			return;
	CHECK_EQ(conn_word_begin(&word, generation, false), CONN_TOO_MANY);
	CHECK_EQ(conn_word_begin(&word, generation, true), CONN_TOO_MANY);
	CHECK(!conn_word_end(&word));
	CHECK_EQ(conn_word_begin(&word, generation, true), CONN_BEGUN);
	CHECK_EQ(conn_word_begin(&word, generation, false), CONN_IS_CLOSED);
	for (uint64_t i = 0; i + 1 < most; i++)
		if (conn_word_end(&word) && !CHECK(false))
			return;
	CHECK(conn_word_end(&word));
}

TEST_PLAIN(dropped_operations_end_at_once)
{
	uint64_t word, generation = opened(&word);

	for (int i = 0; i < 5; i++)
		CHECK_EQ(conn_word_begin(&word, generation, i == 4), CONN_BEGUN);
	CHECK(!conn_word_drop(&word, 3));
	CHECK(!conn_word_end(&word));
	CHECK(conn_word_end(&word));
	generation = opened(&word);
	CHECK_EQ(conn_word_begin(&word, generation, false), CONN_BEGUN);
	CHECK(!conn_word_drop(&word, 1)); // open: nobody takes it apart
	CHECK_EQ(conn_word_begin(&word, generation, true), CONN_BEGUN);
	CHECK(conn_word_drop(&word, 1));
}

// A generation fits a handle and is never 0, so that no handle is NULL.
TEST_PLAIN(generations_come_round)
{
	uint64_t word = (CONN_GENERATIONS - 1) << CONN_GENERATION_SHIFT | CONN_CLOSED;

	CHECK_EQ(conn_word_open(&word), CONN_GENERATIONS - 1);
	CHECK_EQ(conn_word_begin(&word, CONN_GENERATIONS - 1, true), CONN_BEGUN);
	CHECK(conn_word_end(&word));
	conn_word_free(&word);
	CHECK_EQ(conn_word_begin(&word, CONN_GENERATIONS - 1, false), CONN_IS_CLOSED);
	CHECK_EQ(conn_word_open(&word), 1);
}
