// SPDX-License-Identifier: MIT
/*
 * The supervisor: a loop of runs, each in a goroutine of its own, so that each has a fresh stack
 * and fresh local values, and tuza_goexit ends the run alone.
 *
 * The restarts are counted exactly: the times of the last ones are kept in a ring, and one more is
 * allowed when the oldest of them is out of the window. The ring grows with the restarts that fall
 * into one window, which may be far fewer than are allowed. What restarts in several functions at
 * once is kept apart by the random part of the pause.
 *
 * After Erlang's one_for_one, but each function has a count of its own.
 */
#include "base/random.h"
#include "pattern/flow.h"
#include "sched/park.h"

#include <stdlib.h>
#include <tuza/goroutine.h>

static const tuza_supervisor_options defaults = {
	.restarts = 5,
	.within = 10 * TUZA_SECOND,
	.backoff = 50 * TUZA_MILLISECOND,
	.backoff_max = 5 * TUZA_SECOND,
};

// The ring's first size: most supervisors never need more.
enum { RESTARTS_FIRST = 8 };

struct supervisor {
	// constant
	tuza_supervisor_options options; // none is 0
	tuza_context *ctx;
	int (*fn)(tuza_context *ctx, void *arg);
	void *arg;

	int64_t *restarts;    // a ring of times; NULL: none yet, or without limit
	size_t restarts_room; // of the ring
	size_t restarts_at;   // the oldest, or a free place
	size_t restarts_kept; // how many are in it
	bool lacks_memory;    // for the ring
	tuza_duration next_pause;
	uint64_t failures;
	uint64_t random;
};

// One run, on the supervisor's stack.
struct supervised_run {
	const struct supervisor *supervisor;
	tuza_waitgroup running;
	int code; // what fn returned; before that, what it is if fn does not return
	tuza_panic_info info;
};

static void run_call(void *run)
{
	struct supervised_run *r = run;

	r->code = r->supervisor->fn(r->supervisor->ctx, r->supervisor->arg);
}

static void run_main(void *run)
{
	struct supervised_run *r = run;

	TUZA_DEFER(tuza_waitgroup_done, &r->running);
	TUZA_IGNORE(tuza_try_with(run_call, r, r->supervisor->options.flags, &r->info));
}

// Returns fn's code, or -ENOMEM when no goroutine could be had.
static int run_once(struct supervised_run *r)
{
	r->code = TUZA_EPANIC;
	r->info.message[0] = r->info.stack[0] = 0;
	tuza_waitgroup_add(&r->running, 1);
	if (unlikely(tuza_go(run_main, r) != 0)) {
		tuza_waitgroup_done(&r->running);
		return r->code = -ENOMEM;
	}
	tuza_waitgroup_wait(&r->running);
	return r->code;
}

// ---- how often, and when -------------------------------------------------------------------

// Makes room for more times. False: there is as much as is allowed, or no memory for more.
static bool restarts_grow(struct supervisor *s)
{
	size_t limit = s->options.restarts, room = s->restarts_room;
	size_t more = room < limit / 2 ? 2 * room : limit;

	if (room == 0)
		more = limit < RESTARTS_FIRST ? limit : RESTARTS_FIRST;
	int64_t *ring = more > room && more <= SIZE_MAX / sizeof ring[0]
				? malloc(more * sizeof ring[0])
				: NULL;
	if (!ring) {
		s->lacks_memory = more > room;
		return false;
	}
	for (size_t i = 0; i < room; i++) // full: the oldest comes first
		ring[i] = s->restarts[(s->restarts_at + i) % room];
	free(s->restarts);
	s->restarts = ring;
	s->restarts_at = room;
	s->restarts_room = more;
	return true;
}

static bool may_restart(struct supervisor *s, int64_t now)
{
	if (s->options.restarts == SIZE_MAX)
		return true;
	if (s->restarts_kept == s->restarts_room) {
		bool full = s->restarts_room > 0 &&
			    now - s->restarts[s->restarts_at] < s->options.within;

		// The oldest is out of the window: the new one takes its place.
		if ((full || s->restarts_room == 0) && !restarts_grow(s))
			return false;
	}
	if (s->restarts_kept < s->restarts_room)
		s->restarts_kept++;
	s->restarts[s->restarts_at] = now;
	s->restarts_at = s->restarts_at + 1 == s->restarts_room ? 0 : s->restarts_at + 1;
	return true;
}

static tuza_duration pause_next(struct supervisor *s, tuza_duration run_lasted)
{
	if (run_lasted > s->options.within)
		s->next_pause = s->options.backoff;
	tuza_duration pause = s->next_pause;
	s->next_pause = pause <= s->options.backoff_max / 2 ? 2 * pause : s->options.backoff_max;
	return pause - (tuza_duration)(random_next(&s->random) % ((uint64_t)pause / 2 + 1));
}

static void tell(const struct supervisor *s, const struct supervised_run *r, tuza_duration pause)
{
	const tuza_supervisor_failure failure = {
		.code = r->code,
		.message = r->info.message[0] ? r->info.message : tuza_strerror(r->code),
		.stack = r->info.stack,
		.failures = s->failures,
		.pause = pause,
	};

	if (s->options.on_failure)
		s->options.on_failure(&failure, s->options.on_failure_arg);
}

static int supervise(struct supervisor *s)
{
	struct supervised_run r = {.supervisor = s};

	for (;;) {
		int code = tuza_context_err(s->ctx);
		if (code != 0)
			return code;
		int64_t began = tuza_now();
		if (run_once(&r) == 0)
			return 0;
		code = tuza_context_err(s->ctx);
		if (code != 0)
			return code;
		int64_t now = tuza_now();
		s->failures++;
		bool again = may_restart(s, now);
		tuza_duration pause = again ? pause_next(s, now - began) : -1;
		tell(s, &r, pause);
		if (!again)
			return s->lacks_memory ? -ENOMEM : r.code;
		code = tuza_sleep_ctx(s->ctx, pause);
		if (code != 0)
			return code;
	}
}

// ---- the program's calls -------------------------------------------------------------------

// The options with the defaults filled in.
static tuza_supervisor_options options_of(const tuza_supervisor_options *given)
{
	tuza_supervisor_options o = given ? *given : defaults;

	if (unlikely(o.within < 0 || o.backoff < 0 || o.backoff_max < 0))
		tuza_panic("tuza_supervise: a negative time");
	if (o.restarts == 0)
		o.restarts = defaults.restarts;
	if (o.within == 0)
		o.within = defaults.within;
	if (o.backoff == 0)
		o.backoff = defaults.backoff;
	if (o.backoff_max == 0)
		o.backoff_max = defaults.backoff_max;
	if (o.backoff > o.backoff_max)
		o.backoff = o.backoff_max;
	return o;
}

static void supervisor_end(struct supervisor *s) { free(s->restarts); }

EXPORT int tuza_supervise(tuza_context *ctx, const tuza_supervisor_options *options,
	int (*fn)(tuza_context *ctx, void *arg), void *arg)
{
	struct supervisor s = {.ctx = ctx, .fn = fn, .arg = arg};

	(void)tuza_context_err(ctx); // panics if it is NULL
	FLOW_CHECK_FUNCTION(fn);
	s.options = options_of(options);
	s.next_pause = s.options.backoff;
	s.random = (uint64_t)park_random_below(UINT32_MAX) ^ (uint64_t)tuza_now();
	TUZA_DEFER(supervisor_end, &s); // on_failure may panic
	// NOLINTNEXTLINE(clang-analyzer-*): it does not see that the deferred call frees
	return supervise(&s);
}

// Arguments of tuza_supervise for a goroutine of a scope.
struct supervised {
	tuza_supervisor_options options;
	int (*fn)(tuza_context *ctx, void *arg);
	void *arg;
};

static int supervise_in_scope(tuza_context *ctx, void *args)
{
	struct supervised *a = args;

	return tuza_supervise(ctx, &a->options, a->fn, a->arg);
}

EXPORT int tuza_scope_supervise(tuza_scope *s, const tuza_supervisor_options *options,
	int (*fn)(tuza_context *ctx, void *arg), void *arg)
{
	struct supervised a = {.options = options_of(options), .fn = fn, .arg = arg};

	FLOW_CHECK_FUNCTION(fn);
	return tuza_scope_go_copy(s, supervise_in_scope, &a, sizeof a);
}
