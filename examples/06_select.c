// SPDX-License-Identifier: MIT
/*
 * Select: waits for whichever of several channel operations can be done first.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void serve(tuza_chan *answers, int count)
{
	for (int i = 1; i <= count; i++)
		tuza_send(answers, i);
	tuza_chan_close(answers);
}

static int program(void *arg)
{
	tuza_chan *busy = tuza_chan_new(sizeof(int), 0), *brief = tuza_chan_new(sizeof(int), 0);
	tuza_chan *channels[2] = {busy, brief};
	int value, sum = 0;
	bool ok;

	(void)arg;
	// With a default case a select never waits.
	if (TUZA_SELECT(TUZA_RECV(busy, &value), TUZA_RECV(brief, &value), TUZA_DEFAULT) == 2)
		puts("nobody has sent anything yet");

	go(serve, busy, 100);
	go(serve, brief, 10);
	while (channels[0] || channels[1]) {
		// Does one of them and tells which: either, with equal probability, if both can be.
		int i = TUZA_SELECT(TUZA_RECV_OK(channels[0], &value, &ok),
			TUZA_RECV_OK(channels[1], &value, &ok));
		if (ok)
			sum += value;
		else // closed. A NULL channel is never ready: its case is off
			channels[i] = NULL;
	}
	printf("everything that came from both: %d\n", sum);
	tuza_chan_release(busy);
	tuza_chan_release(brief);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
nobody has sent anything yet
everything that came from both: 5105
 */
