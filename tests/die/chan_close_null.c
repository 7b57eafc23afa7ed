// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: close of nil channel
/*
 * C13.
 *
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	tuza_chan_close(arg);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
