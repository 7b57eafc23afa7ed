// SPDX-License-Identifier: MIT
/*
 * The worker pool: all jobs are done, by as many as there should be; it ends early with its context
 * or by a failure, joined and with nothing lost.
 */
#include "pattern_support.h"

static tuza_context *background;
__attribute__((constructor)) static void setup(void) { background = tuza_context_background(); }

struct pool_call {
	tuza_context *ctx;
	size_t workers;
	tuza_chan *jobs, *results;
	tuza_work_fn work;
	void *arg;
	atomic_bool returned;
	int code;
};

static void pool_call(void *arg)
{
	struct pool_call *c = arg;

	c->code = tuza_worker_pool(c->ctx, c->workers, c->jobs, c->results, c->work, c->arg);
	c->returned = true;
}

TEST(every_job_is_done_once_and_the_results_are_closed)
{
	enum { N = 1000 };
	for (size_t workers = 1; workers <= 16; workers *= 4) {
		struct pool_call c = {.ctx = background,
			.workers = workers,
			.jobs = numbers(background, N, workers % 3),
			.results = tuza_chan_new(sizeof(int), workers % 2 * 8),
			.work = square};
		bool seen[N] = {false};
		int count = 0;

		TUZA_GO(pool_call, &c);
		for (int v; tuza_recv(c.results, &v); count++) {
			int root = 0;
			while (root * root < v)
				root++;
			CHECK(root < N && root * root == v && !seen[root]);
			seen[root] = true;
		}
		CHECK_EQ(count, N);
		WAIT_UNTIL(c.returned);
		CHECK_EQ(c.code, 0);
		tuza_chan_release(c.jobs);
		tuza_chan_release(c.results);
	}
}

struct gauge {
	atomic_int now, most;
	atomic_int calls;
	tuza_chan *go_on; // NULL: nothing is waited for
};

static int measure(tuza_context *ctx, const void *in, void *out, void *arg)
{
	struct gauge *g = arg;
	int now = ++g->now, most = g->most;

	(void)in;
	CHECK(out == NULL);
	g->calls++;
	while (now > most && !atomic_compare_exchange_weak(&g->most, &most, now))
		;
	if (g->go_on)
		(void)TUZA_SELECT(TUZA_RECV(g->go_on, NULL), TUZA_DONE(ctx));
	else
		tuza_yield();
	g->now--;
	return 0;
}

TEST(all_workers_work_at_the_same_time_and_no_more)
{
	struct gauge g = {.go_on = tuza_chan_new(0, 0)};
	struct pool_call c = {.ctx = background,
		.workers = 6,
		.jobs = numbers_ready(100),
		.work = measure,
		.arg = &g};

	TUZA_GO(pool_call, &c);
	WAIT_UNTIL(g.now == 6);
	CHECK_EQ(tuza_chan_len(c.jobs), 94);
	tuza_chan_close(g.go_on);
	WAIT_UNTIL(c.returned);
	CHECK_EQ(c.code, 0);
	CHECK_EQ(g.calls, 100);
	CHECK_EQ(g.most, 6);
	tuza_chan_release(c.jobs);
	tuza_chan_release(g.go_on);
}

TEST(closed_jobs_make_no_work)
{
	tuza_chan *jobs = numbers_ready(0), *results = tuza_chan_new(sizeof(int), 0);

	CHECK_EQ(tuza_worker_pool(background, 3, jobs, results, square, NULL), 0);
	CHECK(!tuza_recv(results, (int *)NULL));
	tuza_chan_release(jobs);
	tuza_chan_release(results);
}

TEST(jobs_and_results_may_carry_nothing)
{
	struct gauge g = {0};
	tuza_chan *jobs = tuza_chan_new(0, 10);

	for (int i = 0; i < 10; i++)
		tuza_chan_send(jobs, NULL);
	tuza_chan_close(jobs);
	CHECK_EQ(tuza_worker_pool(background, 2, jobs, NULL, measure, &g), 0);
	CHECK_EQ(g.calls, 10);
	tuza_chan_release(jobs);
}

// ---- early ends ----------------------------------------------------------------------------

TEST(ended_context_does_nothing_and_keeps_the_jobs)
{
	tuza_context *ctx = tuza_context_with_cancel(background);
	tuza_chan *jobs = numbers_ready(5), *results = tuza_chan_new(sizeof(int), 5);

	tuza_context_cancel(ctx);
	CHECK_EQ(tuza_worker_pool(ctx, 2, jobs, results, square, NULL), -ECANCELED);
	CHECK_EQ(tuza_chan_len(jobs), 5);
	CHECK(!tuza_recv(results, (int *)NULL));
	tuza_chan_release(jobs);
	tuza_chan_release(results);
	tuza_context_free(ctx);
}

TEST(deadline_ends_a_pool_that_waits_for_jobs)
{
	tuza_context *ctx = tuza_context_with_timeout(background, 5 * TUZA_MILLISECOND);
	tuza_chan *jobs = tuza_chan_new(sizeof(int), 0), *results = tuza_chan_new(sizeof(int), 0);

	CHECK_EQ(tuza_worker_pool(ctx, 4, jobs, results, square, NULL), -ETIMEDOUT);
	CHECK(!tuza_recv(results, (int *)NULL));
	tuza_chan_release(jobs);
	tuza_chan_release(results);
	tuza_context_free(ctx);
}

TEST(cancel_reaches_work_that_is_under_way)
{
	tuza_context *ctx = tuza_context_with_cancel(background);
	struct gauge g = {.go_on = tuza_chan_new(0, 0)};
	struct pool_call c = {
		.ctx = ctx, .workers = 3, .jobs = numbers(ctx, -1, 0), .work = measure, .arg = &g};

	TUZA_GO(pool_call, &c);
	WAIT_UNTIL(g.now == 3);
	tuza_context_cancel(ctx);
	WAIT_UNTIL(c.returned);
	CHECK_EQ(c.code, -ECANCELED);
	CHECK_EQ(g.now, 0);
	tuza_chan_release(c.jobs);
	tuza_chan_release(g.go_on);
	tuza_context_free(ctx);
}

// The results that nobody receives are dropped, in the pool or with the channel.
TEST(values_are_owned_by_somebody_at_each_moment)
{
	for (int taken = 0; taken < 12; taken++) {
		tuza_context *ctx = tuza_context_with_cancel(background);
		struct pool_call c = {.ctx = ctx,
			.workers = 4,
			.jobs = owned_ready(40),
			.results = tuza_chan_new(sizeof(int *), (size_t)taken % 3),
			.work = owned_square};
		int *p;

		tuza_chan_on_drop(c.results, owned_drop);
		TUZA_GO(pool_call, &c);
		for (int i = 0; i < taken; i++)
			if (CHECK(tuza_recv(c.results, &p)))
				owned_free(p);
		tuza_context_cancel(ctx);
		WAIT_UNTIL(c.returned);
		CHECK_EQ(c.code, -ECANCELED);
		tuza_chan_release(c.jobs);
		tuza_chan_release(c.results);
		tuza_context_free(ctx);
		CHECK_EQ(owned_now, 0);
	}
}

static int fail_at_seven(tuza_context *ctx, const void *in, void *out, void *arg)
{
	atomic_int *saw = arg;

	if (*(const int *)in == 7)
		return -EIO;
	*(int *)out = 1;
	// The others stay until the failure has ended their context: its cause is the failure's.
	if (tuza_context_done(ctx) != NULL)
		tuza_recv(tuza_context_done(ctx), (int *)NULL);
	CHECK_EQ(tuza_context_err(ctx), -ECANCELED);
	CHECK_EQ(tuza_context_cause(ctx), -EIO);
	++*saw;
	return tuza_context_err(ctx);
}

TEST(first_failure_ends_the_others_and_is_returned)
{
	atomic_int saw = 0;
	tuza_chan *jobs = numbers_ready(20), *results = tuza_chan_new(sizeof(int), 20);

	CHECK_EQ(tuza_worker_pool(background, 8, jobs, results, fail_at_seven, &saw), -EIO);
	CHECK(saw <= 7);
	CHECK(tuza_chan_len(jobs) >= 12);
	while (tuza_recv(results, (int *)NULL))
		CHECK(!"a result of failed work");
	tuza_chan_release(jobs);
	tuza_chan_release(results);
}

static int crash_at_three(tuza_context *ctx, const void *in, void *out, void *arg)
{
	int n = *(const int *)in;

	(void)ctx;
	if (n == 3 && arg)
		tuza_goexit();
	if (n == 3)
		tuza_panic("three");
	*(int *)out = n;
	return 0;
}

TEST(panic_and_goexit_are_failures)
{
	for (int by_goexit = 0; by_goexit < 2; by_goexit++) {
		tuza_chan *jobs = numbers_ready(10), *results = tuza_chan_new(sizeof(int), 10);

		CHECK_EQ(tuza_worker_pool(background, 2, jobs, results, crash_at_three,
				 by_goexit ? jobs : NULL),
			TUZA_EPANIC);
		int v, count = 0;
		for (; tuza_recv(results, &v); count++)
			CHECK(v != 3);
		CHECK(count <= 9);
		tuza_chan_release(jobs);
		tuza_chan_release(results);
	}
}

struct failing {
	int at; // the job
	bool panics;
};

static int fail_at(tuza_context *ctx, const void *in, void *out, void *arg)
{
	const struct failing *f = arg;
	int n = *(const int *)in;

	(void)ctx;
	*(int *)out = n;
	if (n == f->at && f->panics)
		tuza_panic("job %d", n);
	return n == f->at ? -ENOSPC : 0;
}

TEST(failure_of_the_first_or_the_last_job_is_returned)
{
	enum { N = 50 };
	for (int i = 0; i < 12; i++) {
		struct failing f = {.at = i % 2 ? N - 1 : 0, .panics = i / 2 % 2};
		tuza_chan *jobs = numbers_ready(N), *results = tuza_chan_new(sizeof(int), N);
		size_t workers = i < 4 ? 1 : i < 8 ? 3 : 2 * N;

		CHECK_EQ(tuza_worker_pool(background, workers, jobs, results, fail_at, &f),
			f.panics ? TUZA_EPANIC : -ENOSPC);
		if (workers == 1)
			CHECK_EQ(tuza_chan_len(results), f.at);
		for (int v; tuza_recv(results, &v);)
			CHECK(v != f.at);
		tuza_chan_release(jobs);
		tuza_chan_release(results);
	}
}

static int cancel_the_callers(tuza_context *ctx, const void *in, void *out, void *arg)
{
	(void)in;
	(void)out;
	tuza_context_cancel(arg);
	return tuza_context_err(ctx);
}

// A pool that is over starts no more of its workers, however many were asked for.
TEST(number_of_workers_may_be_without_limit)
{
	struct failing none = {.at = -1}, first = {.at = 0};
	tuza_context *ctx = tuza_context_with_cancel(background);
	tuza_chan *closed = numbers_ready(100), *open = numbers(ctx, -1, 0);
	tuza_chan *results = tuza_chan_new(sizeof(int), 100);

	CHECK_EQ(tuza_worker_pool(background, SIZE_MAX, closed, results, fail_at, &none), 0);
	CHECK_EQ(tuza_chan_len(results), 100);
	tuza_chan_release(results);
	results = tuza_chan_new_unbounded(sizeof(int));
	CHECK_EQ(tuza_worker_pool(ctx, SIZE_MAX, open, results, fail_at, &first), -ENOSPC);
	CHECK_EQ(tuza_worker_pool(ctx, SIZE_MAX, open, NULL, cancel_the_callers, ctx), -ECANCELED);
	tuza_chan_release(results);
	tuza_chan_release(closed);
	tuza_chan_release(open);
	tuza_context_free(ctx);
}

// ---- misuse --------------------------------------------------------------------------------

static void without_workers(void *jobs)
{
	(void)tuza_worker_pool(background, 0, jobs, NULL, square, NULL);
}
static void without_jobs(void *unused)
{
	(void)unused;
	(void)tuza_worker_pool(background, 1, NULL, NULL, square, NULL);
}
static void without_context(void *jobs)
{
	(void)tuza_worker_pool(NULL, 1, jobs, NULL, square, NULL);
}
static void into_closed(void *results)
{
	tuza_chan *jobs = numbers_ready(0);
	TUZA_DEFER(tuza_chan_release, jobs);
	(void)tuza_worker_pool(background, 1, jobs, results, square, NULL);
}

TEST(misuse_panics)
{
	tuza_chan *c = numbers_ready(1);

	CHECK_PANICS("tuza_worker_pool: no workers", without_workers, c);
	CHECK_PANICS("tuza_worker_pool of nil channel", without_jobs, NULL);
	CHECK_PANICS("nil context", without_context, c);
	CHECK_PANICS("close of closed channel", into_closed, c);
	CHECK_EQ(tuza_chan_len(c), 1);
	tuza_chan_release(c);
}

TEST_PLAIN(plain_thread_may_wait_for_a_pool)
{
	tuza_chan *jobs = numbers_ready(100), *results = tuza_chan_new(sizeof(int), 100);
	int v, sum = 0;

	CHECK_EQ(tuza_worker_pool(background, 3, jobs, results, square, NULL), 0);
	while (tuza_recv(results, &v))
		sum += v;
	CHECK_EQ(sum, 328350);
	tuza_chan_release(jobs);
	tuza_chan_release(results);
}
