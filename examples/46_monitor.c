// SPDX-License-Identifier: MIT
/*
 * Watching the number of goroutines: what grows under steady load leaks. And the test that counts
 * before and after; 25_leak_check.c does that better.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void background_task(tuza_chan *answers)
{
	tuza_send(answers, 1); // nobody receives
}

static tuza_chan *answers;

static void handle_request(void) { go(background_task, answers); }

// In a real program: every ten seconds, into a log or a metric.
static void monitor(tuza_context *ctx, tuza_chan *counts)
{
	tuza_ticker *ticker = tuza_ticker_new(TUZA_MILLISECOND);
	TUZA_DEFER(tuza_ticker_free, ticker);
	size_t n;

	do
		n = tuza_num_goroutine();
	while (TUZA_SELECT(TUZA_DONE(ctx), TUZA_SEND(counts, &n)) == 1 &&
		TUZA_SELECT(TUZA_DONE(ctx), TUZA_RECV(tuza_ticker_chan(ticker), NULL)) == 1);
	tuza_chan_close(counts);
}

static int program(void *arg)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_chan *counts = tuza_chan_new(sizeof(size_t), 0);
	size_t before, count, last = 0;

	(void)arg;
	answers = tuza_chan_new(sizeof(int), 0);
	printf("CPUs and processors there are: %s\n",
		tuza_num_cpu() > 0 && tuza_gomaxprocs(0) > 0 ? "true" : "false");
	go(monitor, ctx, counts);
	before = tuza_num_goroutine();
	for (int i = 0; i < 5; i++) {
		handle_request();
		tuza_recv(counts, NULL); // may have been taken before the request
		tuza_recv(counts, &count);
		printf("goroutines: %s\n", count > last ? "more" : "no more");
		last = count;
	}
	if (tuza_num_goroutine() > before)
		printf("%zu more than before: a leak?\n", tuza_num_goroutine() - before);
	tuza_context_cancel(ctx);
	while (tuza_recv(counts, NULL)) // until the monitor has ended
		;
	tuza_context_free(ctx);
	tuza_chan_release(counts);
	return 0; // the leaked ones are dropped
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
CPUs and processors there are: true
goroutines: more
goroutines: more
goroutines: more
goroutines: more
goroutines: more
5 more than before: a leak?
 */
