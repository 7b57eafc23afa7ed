// SPDX-License-Identifier: MIT
/*
 * What ended a context: Go's table of TestCause, without the rows of custom contexts, which C does
 * not have.
 */
#include "../test.h"
#include <tuza/context.h>

enum { PARENT = -EPERM, CHILD = -ENOENT, SLOW = -ESRCH, EARLY = -EINTR };

static const char key;

// The contexts of one row; freed when it has been looked at.
static tuza_context *made[4];
static int made_count;

static tuza_context *keep(tuza_context *ctx) { return made[made_count++] = ctx; }
static tuza_context *with_cancel(tuza_context *parent)
{
	return keep(tuza_context_with_cancel(parent));
}
static tuza_context *with_slow(tuza_context *parent, tuza_duration timeout)
{
	return keep(tuza_context_with_timeout_cause(parent, timeout, SLOW));
}

static tuza_context *background(void) { return tuza_context_background(); }
static tuza_context *todo(void) { return tuza_context_todo(); }

static tuza_context *cancelled(void)
{
	tuza_context *ctx = with_cancel(background());
	tuza_context_cancel(ctx);
	return ctx;
}

static tuza_context *cancelled_with_cause(void)
{
	tuza_context *ctx = with_cancel(background());
	tuza_context_cancel_cause(ctx, PARENT);
	return ctx;
}

static tuza_context *cancelled_with_cause_0(void)
{
	tuza_context *ctx = with_cancel(background());
	tuza_context_cancel_cause(ctx, 0);
	return ctx;
}

// A child whose parent is cancelled first, or last, each with a cause or 0. Returns the child.
static tuza_context *both(bool parent_first, int parent_cause, int child_cause)
{
	tuza_context *parent = with_cancel(background());
	tuza_context *child = with_cancel(parent);

	tuza_context_cancel_cause(
		parent_first ? parent : child, parent_first ? parent_cause : child_cause);
	tuza_context_cancel_cause(
		parent_first ? child : parent, parent_first ? child_cause : parent_cause);
	return child;
}

static tuza_context *parent_then_child(void) { return both(true, PARENT, CHILD); }
static tuza_context *child_then_parent(void) { return both(false, PARENT, CHILD); }
static tuza_context *parent_then_child_0(void) { return both(true, PARENT, 0); }
static tuza_context *child_0_then_parent(void) { return both(false, PARENT, 0); }
static tuza_context *parent_0_then_child(void) { return both(true, 0, CHILD); }
static tuza_context *child_then_parent_0(void) { return both(false, 0, CHILD); }

static tuza_context *timeout(void)
{
	tuza_context *ctx = keep(tuza_context_with_timeout(background(), 0));
	tuza_context_cancel(ctx);
	return ctx;
}

static tuza_context *timeout_cancelled(void)
{
	tuza_context *ctx = keep(tuza_context_with_timeout(background(), TUZA_HOUR));
	tuza_context_cancel(ctx);
	return ctx;
}

static tuza_context *slow(void)
{
	tuza_context *ctx = with_slow(background(), 0);
	tuza_context_cancel(ctx);
	return ctx;
}

static tuza_context *slow_cancelled(void)
{
	tuza_context *ctx = with_slow(background(), TUZA_HOUR);
	tuza_context_cancel(ctx);
	return ctx;
}

static tuza_context *slow_stacked(void)
{
	tuza_context *parent = with_cancel(background()), *ctx = with_slow(parent, 0);
	tuza_context_cancel_cause(parent, EARLY);
	return ctx;
}

static tuza_context *slow_stacked_cancelled(void)
{
	tuza_context *parent = with_cancel(background()), *ctx = with_slow(parent, TUZA_HOUR);
	tuza_context_cancel_cause(parent, EARLY);
	return ctx;
}

static tuza_context *deadline_cause(void)
{
	return keep(tuza_context_with_deadline_cause(background(), tuza_now() - 1, SLOW));
}

static tuza_context *without(void) { return keep(tuza_context_without_cancel(background())); }

static tuza_context *without_cancelled(void)
{
	tuza_context *parent = with_cancel(background());
	tuza_context *ctx = keep(tuza_context_without_cancel(parent));
	tuza_context_cancel_cause(parent, EARLY);
	return ctx;
}

static tuza_context *without_timeout(void)
{
	tuza_context *parent = with_slow(background(), 0);
	return keep(tuza_context_without_cancel(parent));
}

static tuza_context *value_of_cancelled(void)
{
	tuza_context *parent = with_cancel(background());
	tuza_context *ctx = keep(tuza_context_with_value(parent, &key, NULL));
	tuza_context_cancel_cause(parent, PARENT);
	return ctx;
}

static tuza_context *ended_parent(void)
{
	tuza_context *parent = with_cancel(background());
	tuza_context_cancel_cause(parent, PARENT);
	return with_slow(parent, 0);
}

// X3, X4, X6, X7, X8, X12, T6.7.
TEST(first_end_decides_error_and_cause)
{
	static const struct row {
		const char *name;
		tuza_context *(*make)(void);
		int error, cause;
	} rows[] = {
		{"background", background, 0, 0},
		{"todo", todo, 0, 0},
		{"cancelled", cancelled, -ECANCELED, -ECANCELED},
		{"cancelled with a cause", cancelled_with_cause, -ECANCELED, PARENT},
		{"cancelled with 0", cancelled_with_cause_0, -ECANCELED, -ECANCELED},
		{"parent, then child", parent_then_child, -ECANCELED, PARENT},
		{"child, then parent", child_then_parent, -ECANCELED, CHILD},
		{"parent, then child without", parent_then_child_0, -ECANCELED, PARENT},
		{"child without, then parent", child_0_then_parent, -ECANCELED, -ECANCELED},
		{"parent without, then child", parent_0_then_child, -ECANCELED, -ECANCELED},
		{"child, then parent without", child_then_parent_0, -ECANCELED, CHILD},
		{"timeout", timeout, -ETIMEDOUT, -ETIMEDOUT},
		{"timeout, cancelled before", timeout_cancelled, -ECANCELED, -ECANCELED},
		{"timeout with a cause", slow, -ETIMEDOUT, SLOW},
		{"the same, cancelled before", slow_cancelled, -ECANCELED, -ECANCELED},
		{"the same, then its parent", slow_stacked, -ETIMEDOUT, SLOW},
		{"its parent, then the same", slow_stacked_cancelled, -ECANCELED, EARLY},
		{"deadline with a cause", deadline_cause, -ETIMEDOUT, SLOW},
		{"without cancel", without, 0, 0},
		{"without cancel, cancelled", without_cancelled, 0, 0},
		{"without cancel, timeout", without_timeout, 0, 0},
		{"value", value_of_cancelled, -ECANCELED, PARENT},
		{"timeout below an ended one", ended_parent, -ECANCELED, PARENT},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tuza_context *ctx = rows[i].make();

		bool right = CHECK_EQ(tuza_context_err(ctx), rows[i].error);
		if (!CHECK_EQ(tuza_context_cause(ctx), rows[i].cause) || !right)
			printf("  in row \"%s\"\n", rows[i].name);
		while (made_count > 0)
			tuza_context_free(made[--made_count]);
	}
}

static void cancel_as(tuza_context *ctx, int code)
{
	tuza_context_cancel_cause(ctx, code);
	tuza_context_release(ctx);
}

// T6.7, Go: TestCauseRace: the cause is there as soon as it is not 0, and is one only.
TEST(cause_that_is_polled_is_whole_and_stays)
{
	for (int round = 0; round < 300; round++) {
		tuza_context *ctx = tuza_context_with_cancel(background());
		int cause;

		for (int i = 1; i <= 3; i++)
			TUZA_GO(cancel_as, tuza_context_retain(ctx), -100 - i);
		while ((cause = tuza_context_cause(ctx)) == 0)
			tuza_yield();
		CHECK(cause <= -101 && cause >= -103);
		WAIT_UNTIL(tuza_num_goroutine() == 1);
		CHECK_EQ(tuza_context_cause(ctx), cause);
		tuza_context_free(ctx);
	}
}
