// SPDX-License-Identifier: MIT
/*
 * Pitfall: the end is the first case of the select, so it will be seen first? Of several ready
 * cases any is taken: work goes on after the end, by chance.
 *
 * Fix: tuza_select_ordered, which takes the first; in Go one has to look twice.
 */
#include <stdio.h>
#include <tuza/tuza.h>

enum { JOBS = 1000 };

typedef int select_function(tuza_select_case *cases, size_t n);

// How many of the jobs, which all wait already, are done after the end.
static int jobs_after_the_end(select_function *by)
{
	tuza_chan *jobs = tuza_chan_new(sizeof(int), JOBS);
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	int done = 0, job;

	for (int i = 0; i < JOBS; i++)
		tuza_send(jobs, i);
	tuza_context_cancel(ctx);
	for (int i = 0; i < JOBS; i++) {
		tuza_select_case cases[] = {TUZA_DONE(ctx), TUZA_RECV(jobs, &job)};

		done += by(cases, 2) == 1;
	}
	tuza_context_free(ctx);
	tuza_chan_release(jobs);
	return done;
}

static int program(void *arg)
{
	int wrong = jobs_after_the_end(tuza_select);

	(void)arg;
	printf("wrong: %s\n", wrong > 0 ? "some are done after the end" : "none is");
	printf("right: %d are done after the end\n", jobs_after_the_end(tuza_select_ordered));
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: some are done after the end
right: 0 are done after the end
 */
