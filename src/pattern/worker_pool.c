// SPDX-License-Identifier: MIT
/*
 * The worker pool. It lies on the caller's stack: the caller waits until the last worker has ended.
 */
#include "pattern/crew.h"

#include <stdlib.h>
#include <string.h>
#include <tuza/goroutine.h>

struct worker_pool {
	// constant
	tuza_chan *jobs;
	tuza_chan *results; // NULL: none
	tuza_work_fn work;
	void *arg;

	// any worker
	bool drained; // atomic: a worker has seen the end of the jobs
	struct crew crew;
	tuza_waitgroup workers;
};

// On the worker's stack.
struct worker {
	struct worker_pool *pool;
	void *in, *out;
	int code; // how it ended; before that, what it is if work does not return
};

static int worker_do_one(struct worker *w)
{
	struct worker_pool *p = w->pool;

	if (p->results)
		memset(w->out, 0, p->results->elem_bytes);
	int code = p->work(p->crew.until.ctx, w->in, w->out, p->arg);
	if (code == 0 && p->results) {
		code = until_send(&p->crew.until, p->results, w->out);
		if (code != 0)
			flow_drop(p->results, w->out);
	}
	return code;
}

static void worker_loop(void *worker)
{
	struct worker *w = worker;
	int code;

	for (;;) {
		code = until_recv(&w->pool->crew.until, w->pool->jobs, w->in);
		if (code != 0)
			break;
		code = worker_do_one(w);
		if (unlikely(code != 0)) {
			w->code = code;
			return;
		}
	}
	if (code == TUZA_ECLOSED) {
		store_relaxed(&w->pool->drained, true); // a hint to pool_may_start
		code = 0;
	}
	w->code = code;
}

// Deferred: tuza_goexit comes through here as well.
static void worker_end(struct worker *w)
{
	struct worker_pool *p = w->pool;

	free(w->in);
	if (w->code != 0)
		crew_fail(&p->crew, w->code);
	tuza_waitgroup_done(&p->workers);
	// From here on the pool may be gone.
}

static void worker_main(void *pool)
{
	struct worker_pool *p = pool;
	struct worker w = {.pool = p, .code = -ENOMEM};
	size_t in_bytes = align_up(p->jobs->elem_bytes, _Alignof(max_align_t));
	size_t out_bytes = p->results ? p->results->elem_bytes : 0;

	TUZA_DEFER(worker_end, &w);
	w.in = malloc(in_bytes + out_bytes + 1);
	if (unlikely(!w.in))
		return;
	w.out = p->results ? (char *)w.in + in_bytes : NULL;
	w.code = TUZA_EPANIC;
	TUZA_IGNORE(tuza_try(worker_loop, &w, NULL)); // w.code tells
}

// Whether another worker has anything to do. The first one is always started: it tells how it ends.
static bool pool_may_start(const struct worker_pool *p, size_t started)
{
	if (started == 0)
		return true;
	if (started % CREW_START_BATCH == 0)
		tuza_yield();
	return !load_relaxed(&p->drained) && tuza_context_err(p->crew.until.ctx) == 0;
}

EXPORT int tuza_worker_pool(tuza_context *ctx, size_t workers, tuza_chan *jobs, tuza_chan *results,
	tuza_work_fn work, void *arg)
{
	struct worker_pool p = {.jobs = jobs, .results = results, .work = work, .arg = arg};

	(void)tuza_context_err(ctx); // panics if it is NULL
	flow_check_input(jobs, "tuza_worker_pool");
	FLOW_CHECK_FUNCTION(work);
	if (unlikely(workers == 0))
		tuza_panic("tuza_worker_pool: no workers");
	int code = crew_begin(&p.crew, ctx);
	if (code == 0) {
		for (size_t i = 0; i < workers && pool_may_start(&p, i); i++) {
			tuza_waitgroup_add(&p.workers, 1);
			if (unlikely(tuza_go(worker_main, &p) != 0)) {
				tuza_waitgroup_done(&p.workers);
				if (i == 0)
					crew_fail(&p.crew, -ENOMEM);
				break;
			}
		}
		tuza_waitgroup_wait(&p.workers);
		code = crew_result(&p.crew);
		crew_end(&p.crew);
	}
	if (results)
		tuza_chan_close(results);
	return code;
}
