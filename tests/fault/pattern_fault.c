// SPDX-License-Identifier: MIT
/*
 * Each allocation of a pattern fails in turn: it says so, has taken nothing, and leaves nothing
 * behind.
 */
#include "allocation_support.h"

#include <tuza/pattern.h>

static tuza_context *background(void) { return tuza_context_background(); }

static int copy_work(tuza_context *ctx, const void *in, void *out, void *arg)
{
	(void)ctx;
	(void)arg;
	*(int *)out = *(const int *)in;
	return 0;
}

static int drain(tuza_chan *c)
{
	int n = 0;

	for (; tuza_recv(c, (int *)NULL); n++)
		;
	tuza_chan_release(c);
	return n;
}

static int try_stage(tuza_chan *in)
{
	CHECK_EQ(drain(tuza_pipeline_stage(background(), in, sizeof(int), copy_work, NULL)), 3);
	return 0;
}

static int try_or_done(tuza_chan *in)
{
	CHECK_EQ(drain(tuza_or_done(background(), in)), 3);
	return 0;
}

// Two outputs that together, or each, give what came in.
static int drain_two(int code, tuza_chan *outs[2], int want)
{
	if (code != 0) {
		CHECK(!outs[0] && !outs[1]);
		return code;
	}
	CHECK_EQ(drain(outs[0]) + drain(outs[1]), want);
	return 0;
}

static int try_fan_out(tuza_chan *in)
{
	tuza_chan *outs[2];
	int code = tuza_fan_out(background(), in, 2, sizeof(int), copy_work, NULL, outs);

	return drain_two(code, outs, 3);
}

static int try_tee(tuza_chan *in)
{
	tuza_chan *outs[2];
	int code = tuza_tee(background(), in, 2, outs, NULL);

	return drain_two(code, outs, 6); // the buffers hold all three
}

static int try_pool(tuza_chan *in)
{
	tuza_chan *results;
	int code = tuza_chan_try_new(sizeof(int), 8, &results);

	if (code != 0)
		return code;
	code = tuza_worker_pool(background(), 1, in, results, copy_work, NULL);
	CHECK_EQ(drain(results), code == 0 ? 3 : 0);
	return code;
}

static int count_index(tuza_context *ctx, size_t i, void *arg)
{
	(void)ctx;
	(void)i;
	++*(atomic_int *)arg;
	return 0;
}

static int count_run(tuza_context *ctx, void *arg) { return count_index(ctx, 0, arg); }

static int try_parallel(tuza_chan *in)
{
	atomic_int calls = 0;
	int code = tuza_parallel(background(), 10, 3, count_index, &calls);

	(void)in;
	CHECK_EQ(calls, code == 0 ? 10 : 0);
	return code;
}

static int try_scope(tuza_chan *in)
{
	atomic_int calls = 0;
	int started = 0;
	tuza_scope *s = tuza_scope_open(background());

	(void)in;
	for (int i = 0; i < 3; i++)
		started += tuza_scope_go(s, count_run, &calls) == 0;
	started += tuza_scope_supervise(s, NULL, count_run, &calls) == 0;
	int code = tuza_scope_close(s);
	CHECK(started == 4 || code == -ENOMEM);
	CHECK(calls == started || code == -ENOMEM);
	return code;
}

// The first time, so that it is restarted.
static int fail_first(tuza_context *ctx, void *calls)
{
	return count_run(ctx, calls) != 0 || *(atomic_int *)calls == 1 ? -EIO : 0;
}

static int try_supervise(tuza_chan *in)
{
	atomic_int calls = 0;
	tuza_supervisor_options o = {.backoff = TUZA_MICROSECOND};
	int code = tuza_supervise(background(), &o, fail_first, &calls);

	(void)in;
	CHECK(calls == 2 || (code == -ENOMEM && calls < 2));
	return code;
}

static void free_broadcast(tuza_broadcast *b) { tuza_broadcast_free(b); }

static int try_broadcast(tuza_chan *in)
{
	tuza_broadcast *b = tuza_broadcast_new(sizeof(int));
	TUZA_DEFER(free_broadcast, b);
	tuza_subscription *s = tuza_subscribe(b, 1, TUZA_SLOW_WAIT);
	TUZA_DEFER(tuza_unsubscribe, s);
	int v = 1;

	(void)in;
	return tuza_broadcast_send(b, background(), &v);
}

static struct attempt attempts[] = {
	{.name = "tuza_pipeline_stage", .fn = try_stage, .takes = true},
	{.name = "tuza_or_done", .fn = try_or_done, .takes = true},
	{.name = "tuza_fan_out", .fn = try_fan_out, .takes = true},
	{.name = "tuza_tee", .fn = try_tee, .takes = true},
	{.name = "tuza_worker_pool", .fn = try_pool},
	{.name = "tuza_parallel", .fn = try_parallel},
	{.name = "tuza_scope", .fn = try_scope},
	{.name = "tuza_supervise", .fn = try_supervise},
	{.name = "tuza_broadcast", .fn = try_broadcast},
};

TEST(each_allocation_that_fails_is_told_and_leaves_nothing)
{
	attempt_all(attempts, sizeof attempts / sizeof attempts[0]);
}
