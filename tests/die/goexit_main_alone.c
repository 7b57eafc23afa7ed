// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: no goroutines (main called runtime.Goexit) - deadlock!
// expect-stdout: deferred
// expect-not-stderr: tuza_run
/*
 * P9: goroutine 1 exits, nobody is left.
 */
#include <tuza/tuza.h>

#include <stdio.h>

static void deferred(int fd) { dprintf(fd, "deferred\n"); }

static int program(void *arg)
{
	(void)arg;
	TUZA_DEFER(deferred, 1);
	tuza_goexit();
}

int main(void) { return tuza_run(program, NULL); }
