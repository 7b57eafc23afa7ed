// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: close of closed channel
// expect-stderr: goroutine 1 [running]:
/*
 * C16.
 *
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	(void)arg;
	tuza_chan_close(c);
	tuza_chan_close(c);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
