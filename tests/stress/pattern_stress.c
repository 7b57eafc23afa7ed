// SPDX-License-Identifier: MIT
/*
 * Patterns of random shapes, several at a time: pipelines, pools, loops, scopes and supervisors
 * whose work fails, panics, exits or dawdles, whose readers are slow or turn away, and which are
 * cancelled midway. Each returns, and nobody is left behind. A tenth of the time of other stress
 * tests.
 */
#include "stress.h"

#include <limits.h>
#include <tuza/context.h>
#include <tuza/pattern.h>
#include <tuza/sync.h>

enum { AT_ONCE = 6, ENDLESS = 1 << 30 };

static atomic_uint_fast64_t dice;

static unsigned roll(unsigned sides)
{
	uint64_t state = atomic_fetch_add(&dice, 0x9e3779b97f4a7c15u);

	return (unsigned)(test_random(&state) % sides);
}

// One call in `odds`, if that is not NULL, does not end well.
static int work(tuza_context *ctx, const void *in, void *out, void *odds)
{
	if (out)
		*(int *)out = *(const int *)in;
	if (roll(7) == 0)
		tuza_yield();
	if (!odds || roll((unsigned)(uintptr_t)odds) != 0)
		return 0;
	switch (roll(4)) {
	case 0:
		return -EIO;
	case 1:
		tuza_panic("work");
	case 2:
		tuza_goexit();
	default:
		return tuza_sleep_ctx(ctx, 200 * TUZA_MICROSECOND);
	}
}

static int work_at(tuza_context *ctx, size_t i, void *odds) { return work(ctx, &i, NULL, odds); }

static int work_on(tuza_context *ctx, void *odds)
{
	int code = 0;

	for (int i = 0; i < 20 && code == 0; i++) {
		code = work(ctx, NULL, NULL, odds);
		if (code == 0)
			code = tuza_context_err(ctx);
	}
	return code;
}

static void feed(tuza_context *ctx, tuza_chan *c, int n)
{
	for (int i = 0; i < n && tuza_chan_send_ctx(c, ctx, &i) == 0; i++)
		;
	tuza_chan_close(c);
	tuza_chan_release(c);
	tuza_context_release(ctx);
}

static tuza_chan *fed(tuza_context *ctx, int n)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), roll(4));

	TUZA_GO(feed, tuza_context_retain(ctx), tuza_chan_retain(c), n);
	return c;
}

// Receives all, or turns away.
static void drain(tuza_chan *c)
{
	unsigned most = roll(3) ? UINT_MAX : roll(20);

	for (unsigned i = 0; i < most && tuza_recv(c, NULL); i++)
		if (roll(50) == 0)
			tuza_sleep(20 * TUZA_MICROSECOND);
	tuza_chan_release(c);
}

static void drain_all(tuza_chan *c)
{
	while (tuza_recv(c, NULL))
		;
	tuza_chan_release(c);
}

static tuza_chan *add_stage(tuza_context *ctx, tuza_chan *c, void *odds)
{
	tuza_chan *outs[5];
	size_t n = 1 + roll(5);

	switch (roll(5)) {
	case 0:
		return tuza_or_done(ctx, c);
	case 1:
		CHECK_EQ(tuza_fan_out(ctx, c, n, sizeof(int), work, odds, outs), 0);
		return tuza_fan_in(ctx, n, outs);
	case 2:
		CHECK_EQ(tuza_tee(ctx, c, n, outs, NULL), 0);
		return tuza_fan_in(ctx, n, outs);
	case 3:
		CHECK_EQ(tuza_tee(ctx, c, 2, outs, NULL), 0);
		TUZA_GO(drain_all, outs[0]);
		return outs[1];
	default:
		return tuza_pipeline_stage(ctx, c, sizeof(int), work, odds);
	}
}

static void use_pipeline(tuza_context *ctx, int n, void *odds)
{
	tuza_chan *c = fed(ctx, n);

	for (unsigned stages = 1 + roll(5); stages > 0; stages--)
		c = add_stage(ctx, c, odds);
	drain(c);
}

static void run_pool(tuza_context *ctx, tuza_chan *jobs, tuza_chan *results, void *odds)
{
	size_t workers = roll(5) ? 1 + roll(8) : 300;

	(void)tuza_worker_pool(ctx, workers, jobs, results, work, odds);
	tuza_chan_release(jobs);
	tuza_chan_release(results);
	tuza_context_release(ctx);
}

static void use_pool(tuza_context *ctx, int n, void *odds)
{
	tuza_chan *results = tuza_chan_new(sizeof(int), roll(3));

	TUZA_GO(run_pool, tuza_context_retain(ctx), fed(ctx, n), tuza_chan_retain(results), odds);
	drain(results);
}

static void use_loop(tuza_context *ctx, int n, void *odds)
{
	(void)tuza_parallel(ctx, (size_t)n, roll(2) ? SIZE_MAX : 1 + roll(9), work_at, odds);
}

static void use_scope(tuza_context *ctx, int n, void *odds)
{
	tuza_scope *s = tuza_scope_open(ctx);

	for (int i = 0; i < n % 20; i++)
		tuza_scope_go(s, work_on, odds);
	if (roll(4) == 0)
		tuza_scope_cancel(s);
	tuza_scope_close(s);
}

static void use_supervisor(tuza_context *ctx, int n, void *odds)
{
	tuza_supervisor_options o = {
		.restarts = roll(2) ? 1 + (size_t)n % 20 : SIZE_MAX - roll(2),
		.within = TUZA_HOUR,
		.backoff = TUZA_MICROSECOND,
		.backoff_max = 20 * TUZA_MICROSECOND,
	};

	(void)tuza_supervise(ctx, &o, work_on, odds);
}

static void cancel_soon(tuza_context *ctx)
{
	tuza_sleep(roll(400) * TUZA_MICROSECOND);
	tuza_context_cancel(ctx);
	tuza_context_release(ctx);
}

static void use_one(void *unused)
{
	static void (*const uses[])(tuza_context * ctx, int n, void *odds) = {
		use_pipeline, use_pipeline, use_pool, use_loop, use_scope, use_supervisor};
	tuza_context *root = tuza_context_background();
	tuza_context *ctx = roll(3) ? tuza_context_with_cancel(root)
				    : tuza_context_with_timeout(root, roll(500) * TUZA_MICROSECOND);
	bool endless = roll(4) == 0;
	uintptr_t odds = roll(3) ? 0 : 5 + roll(200);

	(void)unused;
	if (endless || roll(2))
		TUZA_GO(cancel_soon, tuza_context_retain(ctx));
	uses[roll(6)](ctx, endless ? ENDLESS : (int)roll(200), (void *)odds);
	tuza_context_free(ctx); // ends what has been turned away from
}

TEST(patterns_of_any_shape_end_and_leave_nobody_behind)
{
	int64_t end = tuza_now() + (test_stress_end() - tuza_now()) / 10;
	int rounds = 0;

	atomic_store(&dice, test_seed());
	do {
		tuza_waitgroup wg = {0};

		for (int i = 0; i < AT_ONCE; i++)
			tuza_waitgroup_go(&wg, use_one, NULL);
		tuza_waitgroup_wait(&wg);
		WAIT_UNTIL(tuza_num_goroutine() == 1);
		rounds++;
	} while (tuza_now() < end);
	printf("  %d rounds\n", rounds);
}
