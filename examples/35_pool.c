// SPDX-License-Identifier: MIT
/*
 * A worker pool, ready made: four goroutines measure words, at most four at the same time. It ends
 * when the jobs are closed, or early: by its context or by the first failure.
 */
#include <stdio.h>
#include <string.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

struct result {
	const char *word;
	size_t letters;
};

static int measure(tuza_context *ctx, const void *in, void *out, void *arg)
{
	const char *word = *(const char *const *)in;

	(void)ctx;
	(void)arg;
	*(struct result *)out = (struct result){word, strlen(word)};
	return 0; // anything else stops all
}

static int program(void *arg)
{
	tuza_chan *jobs = tuza_chan_new(sizeof(char *), 4);
	tuza_chan *results = tuza_chan_new(sizeof(struct result), 0);
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), TUZA_MINUTE);
	struct result r;

	(void)arg;
	go(tuza_worker_pool, ctx, 4, jobs, results, measure, NULL);
	tuza_send(jobs, "goroutine");
	tuza_send(jobs, "channel");
	tuza_send(jobs, "go");
	tuza_chan_close(jobs);
	while (tuza_recv(results, &r)) // the pool closes them
		printf("%s has %zu letters\n", r.word, r.letters);
	tuza_chan_release(jobs);
	tuza_chan_release(results);
	tuza_context_free(ctx);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output (any order):
goroutine has 9 letters
channel has 7 letters
go has 2 letters
 */
