// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: panic called with nil argument
// expect-stderr: goroutine 1 [running]:
// expect-stdout: deferred
/*
 * P5: a panic without a text says so.
 */
#include <stdio.h>
#include <tuza/tuza.h>

#pragma GCC diagnostic ignored "-Wformat-security" // on purpose

static int program(void *arg)
{
	const char *nothing = NULL;

	(void)arg;
	setvbuf(stdout, NULL, _IONBF, 0);
	TUZA_DEFER(puts, "deferred");
	tuza_panic(nothing);
}

int main(void) { return tuza_run(program, NULL); }
