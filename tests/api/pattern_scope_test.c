// SPDX-License-Identifier: MIT
/*
 * Scopes: no goroutine outlives its scope, whichever way its block is left.
 */
#include "pattern_support.h"

static tuza_context *background;
__attribute__((constructor)) static void setup(void) { background = tuza_context_background(); }

static int add_one(tuza_context *ctx, void *arg)
{
	CHECK_EQ(tuza_context_err(ctx), 0);
	tuza_yield();
	++*(atomic_int *)arg;
	return 0;
}

TEST(close_waits_for_all)
{
	atomic_int n = 0;
	tuza_scope *s = tuza_scope_open(background);

	for (int i = 0; i < 100; i++)
		CHECK_EQ(tuza_scope_go(s, add_one, &n), 0);
	CHECK_EQ(tuza_scope_close(s), 0);
	CHECK_EQ(n, 100);
	CHECK_EQ(tuza_scope_close(tuza_scope_open(background)), 0);
}

TEST(scope_may_be_waited_for_again_and_again)
{
	atomic_int n = 0;
	tuza_scope *s = tuza_scope_open(background);
	TUZA_DEFER(tuza_scope_close, s);

	CHECK_EQ(tuza_scope_wait(s), 0);
	for (int i = 0; i < 5; i++) {
		tuza_scope_go(s, add_one, &n);
		CHECK_EQ(tuza_scope_wait(s), 0);
		CHECK_EQ(n, i + 1);
	}
	CHECK_EQ(tuza_context_err(tuza_scope_context(s)), 0);
}

struct sum_args {
	atomic_int *sum;
	int value;
	char filler[300];
};

static int add_args(tuza_context *ctx, void *args)
{
	struct sum_args *a = args;

	(void)ctx;
	CHECK(((uintptr_t)a & (_Alignof(max_align_t) - 1)) == 0);
	*a->sum += a->value;
	return 0;
}

TEST(arguments_are_copied)
{
	atomic_int sum = 0;
	tuza_scope *s = tuza_scope_open(background);

	for (int i = 1; i <= 100; i++) {
		struct sum_args a = {.sum = &sum, .value = i};
		CHECK_EQ(tuza_scope_go_copy(s, add_args, &a, sizeof a), 0);
	}
	CHECK_EQ(tuza_scope_close(s), 0);
	CHECK_EQ(sum, 5050);
}

static int wait_for_end(tuza_context *ctx, void *arg)
{
	++*(atomic_int *)arg;
	tuza_recv(tuza_context_done(ctx), (int *)NULL);
	--*(atomic_int *)arg;
	return tuza_context_err(ctx);
}

static int fail_when_three_wait(tuza_context *ctx, void *arg)
{
	(void)ctx;
	WAIT_UNTIL(*(atomic_int *)arg == 3);
	return -EPROTO;
}

TEST(first_failure_cancels_the_rest_and_is_returned)
{
	atomic_int waiting = 0;
	tuza_scope *s = tuza_scope_open(background);

	for (int i = 0; i < 3; i++)
		tuza_scope_go(s, wait_for_end, &waiting);
	tuza_scope_go(s, fail_when_three_wait, &waiting);
	CHECK_EQ(tuza_scope_wait(s), -EPROTO);
	CHECK_EQ(waiting, 0);
	CHECK_EQ(tuza_context_cause(tuza_scope_context(s)), -EPROTO);
	// One that is started after the end is told so.
	tuza_scope_go(s, wait_for_end, &waiting);
	CHECK_EQ(tuza_scope_close(s), -EPROTO);
}

TEST(scope_ends_with_its_context)
{
	atomic_int waiting = 0;
	tuza_context *ctx = tuza_context_with_timeout(background, 5 * TUZA_MILLISECOND);
	tuza_scope *s = tuza_scope_open(ctx);

	tuza_scope_go(s, wait_for_end, &waiting);
	CHECK_EQ(tuza_scope_close(s), -ETIMEDOUT);
	tuza_context_free(ctx);
}

static int wait_quietly(tuza_context *ctx, void *arg)
{
	(void)wait_for_end(ctx, arg);
	return 0;
}

TEST(cancel_is_no_failure_by_itself)
{
	atomic_int waiting = 0;
	tuza_scope *s = tuza_scope_open(background);

	tuza_scope_go(s, wait_quietly, &waiting);
	tuza_scope_cancel(s);
	CHECK_EQ(tuza_scope_close(s), 0);
}

static int crash(tuza_context *ctx, void *by_goexit)
{
	(void)ctx;
	if (by_goexit)
		tuza_goexit();
	tuza_panic("in a scope");
}

TEST(panic_and_goexit_are_failures)
{
	for (int by_goexit = 0; by_goexit < 2; by_goexit++) {
		atomic_int waiting = 0;
		tuza_scope *s = tuza_scope_open(background);

		tuza_scope_go(s, wait_for_end, &waiting);
		tuza_scope_go(s, crash, by_goexit ? s : NULL);
		CHECK_EQ(tuza_scope_close(s), TUZA_EPANIC);
	}
}

// ---- the ways out of the block -------------------------------------------------------------

static void leave_by_panic(void *arg)
{
	tuza_scope *s = tuza_scope_open(background);
	TUZA_DEFER(tuza_scope_close, s);

	tuza_scope_go(s, wait_quietly, arg);
	WAIT_UNTIL(*(atomic_int *)arg == 1);
	tuza_panic("out");
}

static void leave_by_goexit(atomic_int *waiting)
{
	tuza_scope *s = tuza_scope_open(background);
	TUZA_DEFER(tuza_scope_close, s);

	tuza_scope_go(s, wait_quietly, waiting);
	WAIT_UNTIL(*waiting == 1);
	tuza_goexit();
}

TEST(panic_in_the_block_cancels_and_joins)
{
	atomic_int waiting = 0;

	CHECK_PANICS("out", leave_by_panic, &waiting);
	CHECK_EQ(waiting, 0);
	TUZA_GO(leave_by_goexit, &waiting);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	CHECK_EQ(waiting, 0);
}

// A whole scope inside a deferred call is not the one that the panic leaves.
static void scope_in_a_defer(atomic_int *n)
{
	tuza_scope *s = tuza_scope_open(background);

	tuza_scope_go(s, add_one, n);
	CHECK_EQ(tuza_scope_close(s), 0);
}

static void panic_over_a_scope(void *n)
{
	TUZA_DEFER(scope_in_a_defer, (atomic_int *)n);
	tuza_panic("out");
}

TEST(scope_inside_a_deferred_call_is_not_cancelled)
{
	for (int i = 0; i < 50; i++) {
		atomic_int n = 0;

		CHECK_PANICS("out", panic_over_a_scope, &n);
		CHECK_EQ(n, 1);
	}
}

// ---- families ------------------------------------------------------------------------------

struct node {
	tuza_scope *scope;
	int depth;
	atomic_int *leaves;
};

static int grow(tuza_context *ctx, void *args)
{
	struct node *n = args;

	(void)ctx;
	if (n->depth == 0) {
		++*n->leaves;
		return 0;
	}
	struct node child = {n->scope, n->depth - 1, n->leaves};
	int code = tuza_scope_go_copy(n->scope, grow, &child, sizeof child);
	return code ? code : tuza_scope_go_copy(n->scope, grow, &child, sizeof child);
}

TEST(goroutines_of_a_scope_may_start_more)
{
	atomic_int leaves = 0;
	tuza_scope *s = tuza_scope_open(background);
	struct node root = {s, 8, &leaves};

	tuza_scope_go_copy(s, grow, &root, sizeof root);
	CHECK_EQ(tuza_scope_close(s), 0);
	CHECK_EQ(leaves, 256);
}

static int inner(tuza_context *ctx, void *waiting)
{
	tuza_scope *s = tuza_scope_open(ctx);

	for (int i = 0; i < 3; i++)
		tuza_scope_go(s, wait_for_end, waiting);
	return tuza_scope_close(s);
}

TEST(failure_outside_cancels_the_scopes_within)
{
	atomic_int waiting = 0;
	tuza_scope *s = tuza_scope_open(background);

	tuza_scope_go(s, inner, &waiting);
	tuza_scope_go(s, fail_when_three_wait, &waiting);
	CHECK_EQ(tuza_scope_close(s), -EPROTO);
	CHECK_EQ(waiting, 0);
}

static void no_context(void *unused)
{
	(void)unused;
	(void)!tuza_scope_open(NULL);
}

TEST(misuse_panics) { CHECK_PANICS("nil context", no_context, NULL); }

TEST_PLAIN(plain_thread_may_have_a_scope)
{
	atomic_int n = 0;
	tuza_scope *s = tuza_scope_open(background);

	tuza_scope_go(s, add_one, &n);
	CHECK_EQ(tuza_scope_close(s), 0);
	CHECK_EQ(n, 1);
}
