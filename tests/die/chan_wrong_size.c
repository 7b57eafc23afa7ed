// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: tuza: send of 4 bytes on a channel of 8
/*
 * Rule 3.
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	tuza_chan *c = tuza_chan_new(8, 1);

	(void)arg;
	tuza_send(c, 1);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
