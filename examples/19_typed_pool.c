// SPDX-License-Identifier: MIT
/*
 * A pool with jobs and results of their own types: the workers may only receive from the one
 * channel and only send to the other, and the compiler sees to it.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

enum { WORKERS = 3, JOBS = 9 };

struct job {
	int id, value;
};
struct result {
	struct job job;
	int sum;
};
TUZA_CHAN_TYPE(jobs, struct job);
TUZA_CHAN_TYPE(results, struct result);

static void worker(jobs_source in, results_sink out, tuza_waitgroup *wg)
{
	TUZA_DEFER(tuza_waitgroup_done, wg);
	for (struct job job; jobs_source_recv(in, &job);) {
		int sum = 0;
		for (int i = 0; i <= job.value; i++)
			sum += i;
		results_sink_send(out, (struct result){job, sum});
	}
}

static void close_when_done(results_sink out, tuza_waitgroup *wg)
{
	tuza_waitgroup_wait(wg);
	results_sink_close(out);
}

static int program(void *arg)
{
	jobs in = jobs_new(JOBS); // room for all: nobody waits to send one
	results out = results_new(0);
	tuza_waitgroup wg = {0};

	(void)arg;
	tuza_waitgroup_add(&wg, WORKERS);
	for (int i = 0; i < WORKERS; i++)
		go(worker, jobs_as_source(in), results_as_sink(out), &wg);
	for (int id = 1; id <= JOBS; id++)
		jobs_send(in, (struct job){id, 100 * id});
	jobs_close(in);
	go(close_when_done, results_as_sink(out), &wg);
	for (struct result r; results_recv(out, &r);)
		printf("job %d: %d\n", r.job.id, r.sum);
	jobs_release(in);
	results_release(out);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output (any order):
job 1: 5050
job 2: 20100
job 3: 45150
job 4: 80200
job 5: 125250
job 6: 180300
job 7: 245350
job 8: 320400
job 9: 405450
 */
