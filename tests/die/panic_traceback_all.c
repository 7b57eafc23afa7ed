// SPDX-License-Identifier: MIT
// expect-status: 2
// env: TUZA_TRACEBACK=all
// expect-stderr: panic: shown
// expect-stderr: goroutine 1 [chan receive]:
// expect-stderr: [sleep
// expect-stderr: [running]:
/*
 * TUZA_TRACEBACK=all shows every goroutine. R14.
 */
#include <tuza/tuza.h>

static void worker(void)
{
	tuza_statistics s;

	do { // until both others wait
		tuza_sleep(TUZA_MILLISECOND);
		tuza_stats(&s);
	} while (s.waiting < 2);
	tuza_panic("shown");
}

static int program(void *arg)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	(void)arg;
	TUZA_GO(tuza_sleep, TUZA_HOUR);
	TUZA_GO(worker);
	tuza_chan_recv(c, NULL);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
