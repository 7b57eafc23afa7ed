// SPDX-License-Identifier: MIT
/*
 * A rate limiter: each request takes a tick first. A ticker that nobody listens to drops its ticks,
 * so idle time is not saved up for a burst; where it should be, 45_limiter.c.
 */
#include <stdio.h>
#include <tuza/tuza.h>

static int program(void *arg)
{
	const tuza_duration period = 2 * TUZA_MILLISECOND;
	int64_t start = tuza_now(), due, last = start;
	tuza_ticker *ticker = tuza_ticker_new(period);

	(void)arg;
	for (int request = 1; request <= 5; request++) {
		tuza_recv(tuza_ticker_chan(ticker), &due); // the time at which the tick was due
		printf("request %d, %s\n", request, due - last >= period ? "in time" : "too early");
		last = due;
	}
	if (tuza_now() - start >= 5 * period)
		puts("five periods have passed");
	tuza_ticker_free(ticker);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
request 1, in time
request 2, in time
request 3, in time
request 4, in time
request 5, in time
five periods have passed
 */
