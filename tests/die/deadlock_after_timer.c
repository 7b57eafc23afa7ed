// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: all goroutines are asleep - deadlock!
// expect-stderr: goroutine 1 [chan receive]:
// expect-stdout: slept
/*
 * While a timer is pending nobody is dead; when it is gone, everybody is. D3.
 */
#include <tuza/tuza.h>

#include <stdio.h>

static void sleep_and_end(void)
{
	tuza_sleep(30 * TUZA_MILLISECOND);
	dprintf(1, "slept\n");
}

static int program(void *arg)
{
	(void)arg;
	TUZA_GO(sleep_and_end);
	return tuza_chan_recv(tuza_chan_new(0, 0), NULL);
}

int main(void) { return tuza_run(program, NULL); }
