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

static int program(void *arg)
{
	static tuza_chan *timeouts[VALUES + 1];
	tuza_chan *values = tuza_chan_new(sizeof(int), 0), *more = tuza_chan_new(sizeof(int), 0);
	int v, made;

	(void)arg;
	go(produce, values);
	made = wrong(values, timeouts);
	printf("wrong: %d timers are still running\n", made);
	while (made > 0)
		tuza_chan_release(timeouts[--made]);

	go(produce, more);
	for (bool ok = true; ok;)
		TUZA_SELECT(TUZA_RECV_OK(more, &v, &ok), TUZA_AFTER(TUZA_HOUR));
	puts("right: none is");
	tuza_chan_release(values);
	tuza_chan_release(more);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: 1001 timers are still running
right: none is
 */
