// SPDX-License-Identifier: MIT
/*
 * The bounded loop. Each goroutine takes the next index until none is left; the caller, on whose
 * stack all of it lies, waits. Goroutines are started while there are indices for them.
 */
#include "pattern/crew.h"

#include <tuza/goroutine.h>

struct parallel {
	// constant
	size_t n;
	int (*fn)(tuza_context *ctx, size_t i, void *arg);
	void *arg;

	// any goroutine of the loop
	size_t next; // atomic: not more than n and one for each goroutine
	struct crew crew;
	tuza_waitgroup runners;
};

struct parallel_runner {
	struct parallel *loop;
	int code; // how it ended; before that, what it is if fn does not return
};

static void parallel_run(void *runner)
{
	struct parallel_runner *r = runner;
	struct parallel *p = r->loop;
	int code = 0;

	while (code == 0) {
		size_t i = add_relaxed(&p->next, 1); // unique is all that is wanted
		if (i >= p->n)
			break;
		code = tuza_context_err(p->crew.until.ctx);
		if (code == 0)
			code = p->fn(p->crew.until.ctx, i, p->arg);
	}
	r->code = code;
}

static void parallel_runner_end(struct parallel_runner *r)
{
	if (r->code != 0)
		crew_fail(&r->loop->crew, r->code);
	tuza_waitgroup_done(&r->loop->runners);
	// From here on the loop may be gone.
}

static void parallel_runner_main(void *loop)
{
	struct parallel_runner r = {.loop = loop, .code = TUZA_EPANIC};

	TUZA_DEFER(parallel_runner_end, &r);
	TUZA_IGNORE(tuza_try(parallel_run, &r, NULL)); // r.code tells
}

/*
 * Whether another goroutine has anything to do. Those that run take all indices that are left, or
 * one of them has failed, or seen the context's end, and has told; so none is needed but the first.
 */
static bool parallel_may_start(const struct parallel *p, size_t started)
{
	if (started == 0)
		return true;
	if (started % CREW_START_BATCH == 0)
		tuza_yield();
	// Relaxed: a hint; one goroutine too many finds nothing to do.
	return load_relaxed(&p->next) < p->n && tuza_context_err(p->crew.until.ctx) == 0;
}

EXPORT int tuza_parallel(tuza_context *ctx, size_t n, size_t limit,
	int (*fn)(tuza_context *ctx, size_t i, void *arg), void *arg)
{
	struct parallel p = {.n = n, .fn = fn, .arg = arg};

	(void)tuza_context_err(ctx); // panics if it is NULL
	FLOW_CHECK_FUNCTION(fn);
	if (n == 0)
		return 0;
	if (unlikely(limit == 0))
		tuza_panic("tuza_parallel: a limit of 0");
	int code = crew_begin(&p.crew, ctx);
	if (code != 0)
		return code;
	for (size_t i = 0; i < limit && i < n && parallel_may_start(&p, i); i++) {
		tuza_waitgroup_add(&p.runners, 1);
		if (unlikely(tuza_go(parallel_runner_main, &p) != 0)) {
			tuza_waitgroup_done(&p.runners);
			if (i == 0)
				crew_fail(&p.crew, -ENOMEM);
			break;
		}
	}
	tuza_waitgroup_wait(&p.runners);
	code = crew_result(&p.crew);
	crew_end(&p.crew);
	return code;
}
