// SPDX-License-Identifier: MIT
/*
 * Pitfall: tuza_after in a loop makes a timer and a channel each time. Nothing collects them: each
 * is there until it is released, also when it was never heard.
 *
 * Fix: TUZA_AFTER is a case of the select itself. It allocates nothing.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

enum { VALUES = 1000 };

static void produce(tuza_chan *values)
{
	for (int i = 0; i < VALUES; i++)
		tuza_send(values, i);
	tuza_chan_close(values);
}

static int wrong(tuza_chan *values, tuza_chan *timeouts[])
{
	int v, made = 0;

	for (bool ok = true; ok; made++) {
		timeouts[made] = tuza_after(TUZA_HOUR);
		TUZA_SELECT(TUZA_RECV_OK(values, &v, &ok), TUZA_RECV(timeouts[made], NULL));
	}
	return made; // and nobody has released one of them
}

static void right(tuza_chan *values)
{
	int v;

	for (bool ok = true; ok;)
		TUZA_SELECT(TUZA_RECV_OK(values, &v, &ok), TUZA_AFTER(TUZA_HOUR));
}

static size_t timers(void) // as the metrics have them: tuza_sched_timers_timers
{
	tuza_statistics s;

	tuza_stats(&s);
	return (size_t)s.timers;
}

static int program(void *arg)
{
	static tuza_chan *timeouts[VALUES + 1];
	tuza_chan *values = tuza_chan_new(sizeof(int), 0), *more = tuza_chan_new(sizeof(int), 0);
	int made;

	(void)arg;
	go(produce, values);
	made = wrong(values, timeouts);
	printf("wrong: %zu timers are still running\n", timers());
	while (made > 0)
		tuza_chan_release(timeouts[--made]);

	go(produce, more);
	right(more);
	printf("right: %zu are\n", timers());
	tuza_chan_release(values);
	tuza_chan_release(more);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: 1001 timers are still running
right: 0 are
 */
