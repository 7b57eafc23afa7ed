// SPDX-License-Identifier: MIT
/*
 * The ready-made patterns: a worker pool, a pipeline of stages, fan-out and fan-in. All watch a
 * context that can be cancelled, as the Go side does by hand.
 */
#include "bench.h"

#include <tuza/tuza.h>

enum { pool_workers = 8, stage_count = 4, fan_width = 4, pattern_buffer = 128 };

static int add_one(tuza_context *ctx, const void *in, void *out, void *arg)
{
	(void)ctx;
	(void)arg;
	*(int64_t *)out = *(const int64_t *)in + 1;
	return 0;
}

static void feed(tuza_context *ctx, tuza_chan *c, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (tuza_chan_send_ctx(c, ctx, &i) != 0)
			break;
	tuza_chan_close(c);
	tuza_chan_release(c);
}

static tuza_chan *source(tuza_context *ctx, size_t capacity, int64_t n)
{
	tuza_chan *c = tuza_chan_new(sizeof(int64_t), capacity);
	TUZA_GO(feed, ctx, tuza_chan_retain(c), n);
	return c;
}

// Receives the numbers from 0 to n - 1, to each of which `added` was added.
static void check_items(tuza_chan *c, int64_t n, int64_t added)
{
	int64_t count = 0, sum = 0, v;
	for (; tuza_recv(c, &v); count++)
		sum += v;
	check(count == n && sum == n * (n - 1) / 2 + n * added,
		"%lld of %lld items came, the sum is %lld", (long long)count, (long long)n,
		(long long)sum);
}

static int64_t pool(size_t capacity, int64_t n)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_chan *jobs = source(ctx, capacity, n);
	tuza_chan *results = tuza_chan_new(sizeof(int64_t), capacity);
	TUZA_GO(tuza_worker_pool, ctx, pool_workers, jobs, results, add_one, NULL);
	check_items(results, n, 1);
	tuza_chan_release(results);
	tuza_chan_release(jobs);
	tuza_context_free(ctx);
	return n;
}

static int64_t pool_unbuffered(int64_t n) { return pool(0, n); }

static int64_t pool_buffered(int64_t n) { return pool(pattern_buffer, n); }

static int64_t pipeline(size_t capacity, int64_t n)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_chan *c = source(ctx, capacity, n);
	for (int i = 0; i < stage_count; i++)
		c = tuza_pipeline_stage(ctx, c, sizeof(int64_t), add_one, NULL);
	check_items(c, n, stage_count);
	tuza_chan_release(c);
	tuza_context_free(ctx);
	return n;
}

static int64_t pipeline_unbuffered(int64_t n) { return pipeline(0, n); }

static int64_t pipeline_buffered(int64_t n) { return pipeline(pattern_buffer, n); }

static int64_t fan(int64_t n)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_chan *outs[fan_width], *in = source(ctx, pattern_buffer, n);
	int code = tuza_fan_out(ctx, in, fan_width, sizeof(int64_t), add_one, NULL, outs);
	check(code == 0, "no fan-out: %s", tuza_strerror(code));
	tuza_chan *all = tuza_fan_in(ctx, fan_width, outs);
	check_items(all, n, 1);
	tuza_chan_release(all);
	tuza_context_free(ctx);
	return n;
}

const struct workload pattern_workloads[] = {
	{.name = "pool-unbuffered",
		.operation = "an item through a pool of 8 workers, no buffers",
		.run = pool_unbuffered},
	{.name = "pool-buffered",
		.operation = "an item through a pool of 8 workers, buffers of 128",
		.run = pool_buffered},
	{.name = "pipeline-unbuffered",
		.operation = "an item through 4 stages, no buffers",
		.run = pipeline_unbuffered},
	{.name = "pipeline-buffered",
		.operation = "an item through 4 stages, buffers of 128",
		.run = pipeline_buffered},
	{.name = "fan-out-in",
		.operation = "an item to one of 4 workers and merged again, buffers of 128",
		.run = fan},
	{0},
};
