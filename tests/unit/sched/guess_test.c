// SPDX-License-Identifier: MIT
/*
 * When a processor guesses what the kernel would say, and when it asks. Goroutines and records are
 * addresses that are compared, no more.
 */
#include "test.h"

#include "sched/guess.h"

static char goroutines[3], records[3];

static const struct goroutine *goroutine(int i) { return (const struct goroutine *)&goroutines[i]; }

static void reads(struct guess *s, int i)
{
	guess_note(s, (struct guess_whom){(struct netpoll *)&records[i], 1, goroutine(i)});
}

// Goroutines 0 and 1 answer each other `turns` times. Returns how often the kernel was asked.
static int answer_each_other(struct guess *s, int turns)
{
	int asked = 0;

	for (int i = 0; i < turns; i++) {
		const struct goroutine *whom = goroutine(i % 2);
		if (guess_now(s)) {
			CHECK(s->other.g == whom);
		} else {
			asked++;
			guess_learn(s, whom);
		}
		reads(s, i % 2);
	}
	return asked;
}

// 1 has read something, and 0 before.
static struct guess sure(void)
{
	struct guess s = {.sure = GUESS_SURE};

	reads(&s, 0);
	reads(&s, 1);
	return s;
}

TEST_PLAIN(two_that_answer_each_other_are_guessed)
{
	struct guess s = {.sure = 0};

	CHECK_EQ(answer_each_other(&s, GUESS_SURE + 2), GUESS_SURE + 2);
	int turns = 100 * (GUESS_STREAK + 1);
	CHECK_EQ(answer_each_other(&s, turns), 100);
}

TEST_PLAIN(a_wrong_guess_ends_it)
{
	struct guess s = sure();

	CHECK(guess_now(&s));
	CHECK(!guess_now(&s)); // nobody has read anything
	CHECK_EQ(s.sure, 0u);
	reads(&s, 0);
	CHECK(!guess_now(&s));
}

TEST_PLAIN(any_other_answer_of_the_kernel_ends_it)
{
	for (int i = 0; i < 3; i++) {
		struct guess s = sure();
		guess_learn(&s, i == 0 ? NULL : i == 1 ? goroutine(2) : s.last.g);
		CHECK_EQ(s.sure, 0u);
		reads(&s, 0);
		CHECK(!guess_now(&s));
	}
}

TEST_PLAIN(nobody_is_guessed_where_three_take_turns)
{
	struct guess s = {.sure = 0};

	for (int i = 0; i < 100; i++) {
		CHECK(!guess_now(&s));
		guess_learn(&s, goroutine(i % 3));
		reads(&s, i % 3);
	}
}
