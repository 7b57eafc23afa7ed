// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: all goroutines are asleep - deadlock!
// expect-stderr: goroutine 1 [chan receive]:
// expect-stderr: program
// expect-not-stderr: tuza_run
/*
 * D3, T4.1: the only goroutine waits for a value that nobody can send.
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	(void)arg;
	return tuza_chan_recv(tuza_chan_new(0, 0), NULL);
}

int main(void) { return tuza_run(program, NULL); }
