// SPDX-License-Identifier: MIT
/*
 * Deadlines of contexts. After Go's x_test.go.
 */
#include "../test.h"
#include <tuza/context.h>

// X7, T6.3. Never before its time.
TEST(context_ends_at_its_deadline)
{
	for (int i = 0; i < 20; i++) {
		int64_t deadline = tuza_now() + 2 * TUZA_MILLISECOND, said = 0;
		tuza_context *ctx = tuza_context_with_deadline(tuza_context_background(), deadline);

		CHECK(tuza_context_deadline(ctx, &said));
		CHECK_EQ(said, deadline);
		CHECK(!tuza_recv(tuza_context_done(ctx), NULL));
		CHECK(tuza_now() >= deadline);
		CHECK_EQ(tuza_context_err(ctx), -ETIMEDOUT);
		CHECK_EQ(tuza_context_cause(ctx), -ETIMEDOUT);
		tuza_context_free(ctx);
	}
}

TEST(context_ends_at_its_deadline_for_what_is_derived_from_it)
{
	static const char key;
	tuza_context *ctx = tuza_context_with_timeout_cause(
		tuza_context_background(), 5 * TUZA_MILLISECOND, -EPIPE);
	tuza_context *value = tuza_context_with_value(ctx, &key, NULL);
	tuza_context *child = tuza_context_with_cancel(value);
	int64_t a = 0, b = 1;

	CHECK(tuza_context_deadline(ctx, &a) && tuza_context_deadline(child, &b));
	CHECK_EQ(a, b);
	CHECK(!tuza_recv(tuza_context_done(child), NULL));
	CHECK_EQ(tuza_context_err(child), -ETIMEDOUT);
	CHECK_EQ(tuza_context_cause(child), -EPIPE);
	tuza_context_free(ctx);
	tuza_context_free(value);
	tuza_context_free(child);
}

// X7: nested and later, it is the parent's.
TEST(later_deadline_than_the_parents_is_ignored)
{
	tuza_context *parent =
		tuza_context_with_timeout(tuza_context_background(), 5 * TUZA_MILLISECOND);
	tuza_context *child = tuza_context_with_timeout_cause(parent, TUZA_HOUR, -EPIPE);
	int64_t a = 0, b = 1;
	char text[128];

	CHECK(tuza_context_deadline(parent, &a) && tuza_context_deadline(child, &b));
	CHECK_EQ(a, b);
	tuza_context_string(child, text, sizeof(text));
	CHECK_CONTAINS(text, ").WithCancel");
	CHECK(!tuza_recv(tuza_context_done(child), NULL));
	CHECK_EQ(tuza_context_cause(child), -ETIMEDOUT);
	tuza_context_free(parent);
	tuza_context_free(child);
}

// X7.
TEST(earlier_deadline_ends_the_child_alone)
{
	tuza_context *parent = tuza_context_with_timeout(tuza_context_background(), TUZA_HOUR);
	tuza_context *child = tuza_context_with_timeout(parent, TUZA_MILLISECOND);

	CHECK(!tuza_recv(tuza_context_done(child), NULL));
	CHECK_EQ(tuza_context_err(child), -ETIMEDOUT);
	CHECK_EQ(tuza_context_err(parent), 0);
	tuza_context_free(child);
	tuza_context_free(parent);
}

// X7, T6.3.
TEST(deadline_that_has_passed_gives_a_context_that_has_ended)
{
	int64_t past[] = {INT64_MIN, 0, tuza_now() - TUZA_SECOND, tuza_now()};
	tuza_duration timeouts[] = {INT64_MIN, -1, 0};

	for (int i = 0; i < 4; i++) {
		tuza_context *ctx = tuza_context_with_deadline(tuza_context_background(), past[i]);
		CHECK_EQ(tuza_context_err(ctx), -ETIMEDOUT);
		CHECK_EQ(tuza_chan_try_recv(tuza_context_done(ctx), NULL), TUZA_ECLOSED);
		tuza_context_free(ctx);
	}
	for (int i = 0; i < 3; i++) {
		tuza_context *ctx =
			tuza_context_with_timeout(tuza_context_background(), timeouts[i]);
		CHECK_EQ(tuza_context_err(ctx), -ETIMEDOUT);
		tuza_context_free(ctx);
	}
}

TEST(deadline_at_the_end_of_time_is_none)
{
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), INT64_MAX);

	CHECK(!tuza_context_deadline(ctx, NULL));
	CHECK_EQ(tuza_context_err(ctx), 0);
	tuza_context_cancel(ctx);
	CHECK_EQ(tuza_context_err(ctx), -ECANCELED);
	tuza_context_free(ctx);
}

// X5, X7: the timer goes with the cancel. Go's WithTimeoutCause: the cause does not apply.
TEST(cancel_before_the_deadline_wins)
{
	for (int i = 0; i < 1000; i++) {
		tuza_context *ctx = tuza_context_with_timeout_cause(
			tuza_context_background(), TUZA_HOUR, -EPIPE);
		tuza_context_cancel(ctx);
		CHECK_EQ(tuza_context_err(ctx), -ECANCELED);
		CHECK_EQ(tuza_context_cause(ctx), -ECANCELED);
		tuza_context_free(ctx);
	}
}

static void free_at(int64_t when, tuza_context *ctx)
{
	while (tuza_now() < when)
		;
	tuza_context_free(ctx);
}

// The deadline, the parent's end, the owner's free and the last release meet.
TEST(ends_that_race_leave_one_error_and_free_once)
{
	for (int round = 0; round < 300; round++) {
		tuza_context *parent = tuza_context_with_cancel(tuza_context_background());
		int64_t when = tuza_now() + 50 * TUZA_MICROSECOND;
		tuza_context *ctx = tuza_context_with_deadline(parent, when);
		tuza_context *held = tuza_context_retain(ctx);

		TUZA_GO(free_at, when, ctx);
		TUZA_GO(free_at, when + round % 7 * TUZA_MICROSECOND, parent);
		(void)tuza_recv(tuza_context_done(held), NULL);
		int error = tuza_context_err(held);
		CHECK(error == -ECANCELED || error == -ETIMEDOUT);
		CHECK_EQ(tuza_context_cause(held), error);
		WAIT_UNTIL(tuza_num_goroutine() == 1);
		CHECK_EQ(tuza_context_err(held), error);
		tuza_context_release(held);
	}
}

static int leave_with_deadline(void *arg)
{
	*(tuza_context **)arg =
		tuza_context_with_timeout(tuza_context_background(), TUZA_MILLISECOND);
	return 0;
}

static int await_end(void *ctx)
{
	(void)tuza_chan_recv(tuza_context_done(ctx), NULL);
	CHECK_EQ(tuza_context_err(ctx), -ETIMEDOUT);
	return 0;
}

static int leave_with_late_deadline(void *arg)
{
	*(tuza_context **)arg =
		tuza_context_with_timeout(tuza_context_background(), 200 * TUZA_MILLISECOND);
	return 0;
}

TEST_PLAIN(deadline_comes_in_a_later_run)
{
	tuza_context *ctx = NULL, *child;

	CHECK_EQ(tuza_run(leave_with_late_deadline, &ctx), 0);
	child = tuza_context_with_cancel(ctx);
	CHECK_EQ(tuza_run(await_end, child), 0);
	tuza_context_free(child);
	tuza_context_free(ctx);
}

// A context outlives the run in which it was made.
TEST_PLAIN(context_may_be_freed_after_its_run)
{
	for (int i = 0; i < 20; i++) {
		tuza_context *ctx = NULL;

		CHECK_EQ(tuza_run(leave_with_deadline, &ctx), 0);
		tuza_context_cancel(ctx);
		CHECK(tuza_context_err(ctx) != 0);
		tuza_context_free(ctx);
	}
}
