// SPDX-License-Identifier: MIT
/*
 * A worker pool that can be told to stop: every receive and every send of a worker ends with the
 * context, so nobody is left behind when results are not wanted any more.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

enum { WORKERS = 4 };

struct pool {
	tuza_context *ctx;
	tuza_chan *jobs, *results;
	tuza_waitgroup workers;
};

static void worker(struct pool *p)
{
	TUZA_DEFER(tuza_waitgroup_done, &p->workers);
	for (int job; tuza_chan_recv_ctx(p->jobs, p->ctx, &job) == 0;) {
		int result = job * job;

		if (tuza_chan_send_ctx(p->results, p->ctx, &result) != 0)
			return;
	}
}

static void feed(struct pool *p) // for ever, were it not for the context
{
	for (int i = 1; tuza_chan_send_ctx(p->jobs, p->ctx, &i) == 0; i++)
		;
	tuza_chan_close(p->jobs);
	tuza_waitgroup_wait(&p->workers);
	tuza_chan_close(p->results);
}

static int program(void *arg)
{
	struct pool p = {
		.ctx = tuza_context_with_timeout(tuza_context_background(), TUZA_MINUTE),
		.jobs = tuza_chan_new(sizeof(int), 0),
		.results = tuza_chan_new(sizeof(int), 0),
	};
	int result, wanted = 1000, positive = 0;

	(void)arg;
	tuza_waitgroup_add(&p.workers, WORKERS);
	for (int i = 0; i < WORKERS; i++)
		go(worker, &p);
	go(feed, &p);
	for (int i = 0; i < wanted && tuza_recv(p.results, &result); i++)
		positive += result > 0;
	printf("%d results, that is enough\n", positive);
	tuza_context_cancel(p.ctx);
	while (tuza_recv(p.results, NULL)) // until it is closed: then all have ended
		;
	tuza_chan_release(p.jobs);
	tuza_chan_release(p.results);
	tuza_context_free(p.ctx);
	tuza_leak_verify(NULL);
	puts("nobody is left behind");
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
1000 results, that is enough
nobody is left behind
 */
