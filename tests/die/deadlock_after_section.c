// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: all goroutines are asleep - deadlock!
// expect-stdout: left the section
/*
 * A blocking section may end, so nobody is dead before it does. D3.
 */
#define _GNU_SOURCE
#include <tuza/tuza.h>

#include <stdio.h>
#include <unistd.h>

static void wait_in_the_kernel(void)
{
	tuza_blocking_begin();
	usleep(30000);
	dprintf(1, "left the section\n");
	tuza_blocking_end();
}

static int program(void *arg)
{
	(void)arg;
	TUZA_GO(wait_in_the_kernel);
	return tuza_chan_recv(tuza_chan_new(0, 0), NULL);
}

int main(void) { return tuza_run(program, NULL); }
