// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: tuza: chan receive inside a blocking section
/*
 * Inside a blocking section nothing may wait.
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	(void)arg;
	tuza_blocking_begin();
	tuza_chan_recv(tuza_chan_new(0, 0), NULL);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
