// SPDX-License-Identifier: MIT
/*
 * Each allocation of what allocates in its own name fails in turn: contexts, timers, maps, groups,
 * channels without a limit, goroutines that are joined, pipes, processes, signals.
 */
#include "allocation_support.h"

#include <tuza/context.h>
#include <tuza/errgroup.h>
#include <tuza/net.h>
#include <tuza/process.h>
#include <tuza/signal.h>
#include <tuza/sync.h>

static tuza_context *background(void) { return tuza_context_background(); }
static void free_context(tuza_context *c) { tuza_context_free(c); }
static void free_timer(tuza_timer *t) { tuza_timer_free(t); }
static void free_ticker(tuza_ticker *t) { tuza_ticker_free(t); }
static void free_map(tuza_map *m) { tuza_map_free(m); }
static void free_group(tuza_errgroup *g) { tuza_errgroup_free(g); }
static void free_chan(tuza_chan *c) { tuza_chan_release(c); }
static void close_conn(tuza_conn *c) { (void)tuza_conn_close(c); }
static void nothing(void *unused) { (void)unused; }
static int nothing_to_do(void *unused)
{
	(void)unused;
	return 0;
}

static int try_context(tuza_chan *in)
{
	(void)in;
	tuza_context *a = tuza_context_with_cancel(background());
	TUZA_DEFER(free_context, a);
	tuza_context *b = tuza_context_with_timeout(a, TUZA_HOUR);
	TUZA_DEFER(free_context, b);
	tuza_context *c = tuza_context_with_value(b, &a, &b);
	TUZA_DEFER(free_context, c);
	(void)tuza_context_done(c);
	tuza_context_cancel(a);
	return 0;
}

static int try_timers(tuza_chan *in)
{
	(void)in;
	tuza_timer *t = tuza_timer_new(TUZA_HOUR);
	TUZA_DEFER(free_timer, t);
	tuza_ticker *k = tuza_ticker_new(TUZA_HOUR);
	TUZA_DEFER(free_ticker, k);
	tuza_timer *f = tuza_after_func(TUZA_HOUR, nothing, NULL);
	TUZA_DEFER(free_timer, f);
	return 0;
}

static int try_map(tuza_chan *in)
{
	(void)in;
	static char keys[100];
	tuza_map m = {0};
	TUZA_DEFER(free_map, &m);
	for (int i = 0; i < 100; i++)
		tuza_map_store(&m, &keys[i], &keys[i]);
	return 0;
}

static int try_group(tuza_chan *in)
{
	(void)in;
	tuza_errgroup *g = tuza_errgroup_new(background());
	TUZA_DEFER(free_group, g);
	for (int i = 0; i < 3; i++)
		tuza_errgroup_go_copy(g, nothing_to_do, &i, sizeof i);
	return tuza_errgroup_wait(g);
}

static int try_unbounded(tuza_chan *in)
{
	(void)in;
	tuza_chan *c = tuza_chan_new_unbounded(sizeof(int));
	TUZA_DEFER(free_chan, c);
	for (int i = 0; i < 1000; i++)
		tuza_send(c, i);
	return 0;
}

static int try_spawn(tuza_chan *in)
{
	(void)in;
	int v = 1;
	tuza_goroutine *h = tuza_spawn(nothing, NULL);
	if (!h)
		return -ENOMEM;
	(void)tuza_join(h);
	return tuza_go_copy(nothing, &v, sizeof v);
}

static int try_pipe(tuza_chan *in)
{
	(void)in;
	tuza_conn *c, *d;
	int code = tuza_pipe(&c, &d);
	if (code)
		return code;
	TUZA_DEFER(close_conn, c);
	TUZA_DEFER(close_conn, d);
	return 0;
}

static int try_process(tuza_chan *in)
{
	(void)in;
	static const char *const argv[] = {"true", NULL};
	return tuza_process_run(background(), argv, NULL, NULL);
}

static int try_signals(tuza_chan *in)
{
	(void)in;
	tuza_context *c = tuza_context_notify_signal(background(), SIGUSR1);
	TUZA_DEFER(free_context, c);
	return 0;
}

static struct attempt attempts[] = {
	{.name = "contexts", .fn = try_context},
	{.name = "timers", .fn = try_timers},
	{.name = "tuza_map", .fn = try_map},
	{.name = "tuza_errgroup", .fn = try_group},
	{.name = "tuza_chan_new_unbounded", .fn = try_unbounded},
	{.name = "tuza_spawn, tuza_go_copy", .fn = try_spawn},
	{.name = "tuza_pipe", .fn = try_pipe},
	{.name = "tuza_process_run", .fn = try_process},
	{.name = "tuza_context_notify_signal", .fn = try_signals},
};

TEST(each_allocation_that_fails_is_told_and_leaves_nothing)
{
	attempt_all(attempts, sizeof attempts / sizeof attempts[0]);
}
