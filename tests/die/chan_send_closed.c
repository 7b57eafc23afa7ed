// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: send on closed channel
/*
 * C15.
 *
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 1);

	(void)arg;
	tuza_chan_close(c);
	tuza_send(c, 1);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
