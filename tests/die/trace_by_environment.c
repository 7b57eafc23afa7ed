// SPDX-License-Identifier: MIT
// env: TUZA_TRACE=/dev/stdout
// env: TUZA_MAXPROCS=1
// expect-status: 2
// expect-stderr: panic: it went wrong
// expect-stderr: tuza: trace written to /dev/stdout
// expect-stdout: go 1.23 trace
// expect-stdout: chan receive
// expect-stdout: goes_wrong
/*
 * What TUZA_TRACE names is written when a panic ends the process.
 */
#include <tuza/tuza.h>

static void goes_wrong(void *c)
{
	int v;

	tuza_recv((tuza_chan *)c, &v);
	tuza_panic("it went wrong");
}

static int program(void *arg)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
	tuza_statistics s;

	(void)arg;
	tuza_go(goes_wrong, c);
	do {
		tuza_yield();
		tuza_stats(&s);
	} while (s.waiting == 0);
	tuza_send(c, 1);
	tuza_sleep(10 * TUZA_SECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
