// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: boom 7
// expect-stderr: goroutine 1 [running]:
// expect-stderr: raise_it
// expect-stderr: program
// expect-not-stderr: created by
// expect-stdout: deferred
// expect-not-stdout: after
/*
 * An uncaught panic runs the deferred calls, prints Go's text and the stack, and ends with status
 * 2. D1, P3.
 */
#include <tuza/tuza.h>

#include <stdio.h>

static void deferred(int fd) { dprintf(fd, "deferred\n"); }

__attribute__((noinline)) static void raise_it(int n) { tuza_panic("boom %d", n); }

static int program(void *arg)
{
	(void)arg;
	TUZA_DEFER(deferred, 1);
	raise_it(7);
	dprintf(1, "after\n");
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
