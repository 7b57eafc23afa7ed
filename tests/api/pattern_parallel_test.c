// SPDX-License-Identifier: MIT
/*
 * The bounded loop.
 */
#include "pattern_support.h"

static tuza_context *background;
__attribute__((constructor)) static void setup(void) { background = tuza_context_background(); }

enum { N = 500 };

struct loop {
	int calls[N]; // plain: ordered by the loop's end
	atomic_int now, most, begun;
	int fail_at;
	tuza_chan *go_on;
};

static int count(tuza_context *ctx, size_t i, void *arg)
{
	struct loop *l = arg;
	int now = ++l->now, most = l->most;

	(void)ctx;
	l->begun++;
	while (now > most && !atomic_compare_exchange_weak(&l->most, &most, now))
		;
	l->calls[i]++;
	tuza_yield();
	l->now--;
	return 0;
}

TEST(each_index_is_called_once_within_the_limit)
{
	static const size_t limits[] = {1, 2, 7, N, SIZE_MAX};

	for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++) {
		struct loop l = {.go_on = NULL};

		CHECK_EQ(tuza_parallel(background, N, limits[k], count, &l), 0);
		for (int i = 0; i < N; i++)
			CHECK_EQ(l.calls[i], 1);
		CHECK((size_t)l.most <= limits[k]);
	}
}

static int meet(tuza_context *ctx, size_t i, void *arg)
{
	struct loop *l = arg;

	(void)ctx;
	(void)i;
	if (++l->begun == 20)
		tuza_chan_close(l->go_on);
	tuza_recv(l->go_on, (int *)NULL);
	return 0;
}

TEST(as_many_as_the_limit_run_at_the_same_time)
{
	struct loop l = {.go_on = tuza_chan_new(0, 0)};

	CHECK_EQ(tuza_parallel(background, 20, 20, meet, &l), 0);
	l.begun = 0;
	tuza_chan_release(l.go_on);
	l.go_on = tuza_chan_new(0, 0);
	CHECK_EQ(tuza_parallel(background, 200, 20, meet, &l), 0);
	tuza_chan_release(l.go_on);
}

static int in_order(tuza_context *ctx, size_t i, void *arg)
{
	struct loop *l = arg;

	(void)ctx;
	CHECK_EQ(i, l->begun);
	l->begun++;
	return 0;
}

TEST(limit_of_one_is_a_plain_loop)
{
	struct loop l = {.go_on = NULL};

	CHECK_EQ(tuza_parallel(background, 100, 1, in_order, &l), 0);
	CHECK_EQ(l.begun, 100);
}

TEST(nothing_to_do_is_done)
{
	CHECK_EQ(tuza_parallel(background, 0, 4, count, NULL), 0);
	CHECK_EQ(tuza_parallel(background, 0, 0, count, NULL), 0);
}

static int fail_at(tuza_context *ctx, size_t i, void *arg)
{
	struct loop *l = arg;

	l->begun++;
	if ((int)i == l->fail_at) {
		WAIT_UNTIL(
			l->begun > l->fail_at); // an earlier index may be taken, but not called yet
		return 42;
	}
	if ((int)i > l->fail_at)
		return 0;
	tuza_recv(tuza_context_done(ctx), (int *)NULL); // until the failure
	CHECK_EQ(tuza_context_cause(ctx), 42);
	return tuza_context_err(ctx);
}

TEST(first_failure_cancels_those_that_run_and_no_more_begin)
{
	struct loop l = {.fail_at = 3};

	CHECK_EQ(tuza_parallel(background, N, 4, fail_at, &l), 42);
	CHECK_EQ(l.begun, 4);
}

static int crash(tuza_context *ctx, size_t i, void *arg)
{
	struct loop *l = arg;

	(void)ctx;
	l->begun++;
	if (i == 5 && l->fail_at)
		tuza_goexit();
	if (i == 5)
		tuza_panic("five");
	return 0;
}

TEST(panic_and_goexit_are_failures)
{
	for (int by_goexit = 0; by_goexit < 2; by_goexit++) {
		struct loop l = {.fail_at = by_goexit};

		CHECK_EQ(tuza_parallel(background, N, 1, crash, &l), TUZA_EPANIC);
		CHECK_EQ(l.begun, 6);
	}
}

static int fail_only(tuza_context *ctx, size_t i, void *arg)
{
	const struct loop *l = arg;

	(void)ctx;
	return (int)i == l->fail_at ? -ENOSPC : 0;
}

TEST(failure_of_the_first_or_the_last_index_is_returned)
{
	static const size_t limits[] = {1, 3, N, SIZE_MAX};

	for (int i = 0; i < 8; i++) {
		struct loop l = {.fail_at = i % 2 ? N - 1 : 0};

		CHECK_EQ(tuza_parallel(background, N, limits[i / 2], fail_only, &l), -ENOSPC);
	}
}

// A loop that is over starts no more goroutines, however many indices are left.
TEST(loop_without_end_ends_with_its_first_failure)
{
	tuza_context *ctx = tuza_context_with_cancel(background);
	struct loop l = {.fail_at = 100};

	CHECK_EQ(tuza_parallel(background, SIZE_MAX, SIZE_MAX, fail_only, &l), -ENOSPC);
	tuza_context_cancel(ctx);
	CHECK_EQ(tuza_parallel(ctx, SIZE_MAX, SIZE_MAX, fail_only, &l), -ECANCELED);
	tuza_context_free(ctx);
}

// The kernel may stop the tenth's thread: those behind it wait, else they would be through by then.
static int cancel_at_ten(tuza_context *ctx, size_t i, void *arg)
{
	if (i == 10)
		tuza_context_cancel(arg);
	else if (i > 10)
		tuza_recv(tuza_context_done(ctx), (int *)NULL);
	return 0;
}

TEST(context_ends_the_loop_unless_all_have_begun)
{
	tuza_context *ctx = tuza_context_with_cancel(background);

	CHECK_EQ(tuza_parallel(ctx, 11, 1, cancel_at_ten, ctx), 0);
	CHECK_EQ(tuza_parallel(ctx, 11, 1, cancel_at_ten, ctx), -ECANCELED);
	tuza_context_free(ctx);
	ctx = tuza_context_with_cancel(background);
	CHECK_EQ(tuza_parallel(ctx, 1000, 3, cancel_at_ten, ctx), -ECANCELED);
	tuza_context_free(ctx);
}

static void no_limit(void *unused)
{
	(void)unused;
	(void)tuza_parallel(background, 1, 0, count, NULL);
}
static void no_context(void *unused)
{
	(void)unused;
	(void)tuza_parallel(NULL, 1, 1, count, NULL);
}

TEST(misuse_panics)
{
	CHECK_PANICS("tuza_parallel: a limit of 0", no_limit, NULL);
	CHECK_PANICS("nil context", no_context, NULL);
}

static int nested(tuza_context *ctx, size_t i, void *arg)
{
	struct loop *l = arg;

	(void)i;
	return tuza_parallel(ctx, 10, 2, crash, l);
}

TEST(loops_nest)
{
	struct loop l = {.go_on = NULL};

	CHECK_EQ(tuza_parallel(background, 3, 1, nested, &l), TUZA_EPANIC);
	CHECK(l.begun >= 5); // the other one may have an index in its hands when the sixth fails
}
