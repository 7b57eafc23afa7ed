// SPDX-License-Identifier: MIT
// expect-status: 143
// expect-stdout: asked for
/*
 * D8: after the stop the signal ends the process again.
 */
#include <signal.h>
#include <stdio.h>
#include <tuza/tuza.h>

static int program(void *arg)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 1);
	int sig = 0;

	(void)arg;
	tuza_signal_notify(c, SIGTERM);
	raise(SIGTERM);
	tuza_recv(c, &sig);
	puts("asked for");
	fflush(stdout);
	tuza_signal_stop(c);
	raise(SIGTERM);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
