// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: racing
// expect-stderr: created by program
/*
 * A goroutine whose panic still runs its deferred calls when the program's function returns is let
 * finish: the status is 2, not 0. L6, T4.8.
 */
#include <tuza/tuza.h>

static void slowly(tuza_chan *begun)
{
	tuza_chan_close(begun);
	for (int i = 0; i < 5; i++)
		tuza_yield();
}

static void worker(tuza_chan *begun)
{
	TUZA_DEFER(slowly, begun);
	tuza_panic("racing");
}

static int program(void *arg)
{
	tuza_chan *begun = tuza_chan_new(0, 0);

	(void)arg;
	TUZA_GO(worker, begun);
	tuza_chan_recv(begun, NULL);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
