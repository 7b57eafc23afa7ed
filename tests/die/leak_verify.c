// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: found unexpected goroutines:
// expect-stderr: [chan receive]:
// expect-stderr: panic: tuza_leak_verify: 1 left over
// expect-stderr: goroutine 1 [running]:
/*
 * The check of a program by the last line of its main function.
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	(void)arg;
	TUZA_GO(tuza_chan_recv, tuza_chan_new(0, 0), NULL);
	tuza_leak_verify(NULL);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
