// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stdout: asked for
// expect-stderr: SIGQUIT: quit
/*
 * D8: SIGQUIT shows all goroutines, unless a channel asks for it.
 */
#include <signal.h>
#include <stdio.h>
#include <tuza/tuza.h>

static int program(void *arg)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 1);
	int sig = 0;

	(void)arg;
	tuza_signal_notify(c, SIGQUIT);
	raise(SIGQUIT);
	tuza_recv(c, &sig);
	puts("asked for");
	fflush(stdout);
	tuza_signal_stop(c);
	raise(SIGQUIT);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
