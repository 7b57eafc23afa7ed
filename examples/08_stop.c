// SPDX-License-Identifier: MIT
/*
 * A graceful stop: closing one channel tells every worker to end, and a waitgroup tells when all
 * have. With deadlines, causes and whole trees of work: a context, from 26_context.c on.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

enum { WORKERS = 3, JOBS = 30 };

static tuza_chan *jobs, *quit;
static tuza_waitgroup workers;

static void worker(int id)
{
	TUZA_DEFER(tuza_waitgroup_done, &workers);
	int job;

	for (;;) {
		switch (TUZA_SELECT(TUZA_RECV(jobs, &job), TUZA_RECV(quit, NULL))) {
		case 0:
			tuza_sleep(job * TUZA_MICROSECOND); // the work
			break;
		case 1: // a closed channel is always ready
			printf("worker %d ends\n", id);
			return;
		}
	}
}

static int program(void *arg)
{
	(void)arg;
	jobs = tuza_chan_new(sizeof(int), 0);
	quit = tuza_chan_new(0, 0); // chan struct{}: carries nothing but its close
	tuza_waitgroup_add(&workers, WORKERS);
	for (int i = 1; i <= WORKERS; i++)
		go(worker, i);
	for (int i = 0; i < JOBS; i++)
		tuza_send(jobs, i);
	tuza_chan_close(quit);
	tuza_waitgroup_wait(&workers);
	puts("all have ended");
	tuza_chan_release(jobs);
	tuza_chan_release(quit);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output (any order):
worker 1 ends
worker 2 ends
worker 3 ends
all have ended
 */
