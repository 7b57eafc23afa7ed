// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: no goroutines (main called runtime.Goexit) - deadlock!
// expect-not-stderr: panic:
/*
 * T4.2, Go: GoexitInPanic: a goexit in a deferred call ends the panic.
 */
#include <tuza/tuza.h>

static void exit_quietly(void *arg)
{
	(void)arg;
	tuza_goexit();
}

static int program(void *arg)
{
	TUZA_DEFER(exit_quietly, arg);
	tuza_panic("not seen");
}

int main(void) { return tuza_run(program, NULL); }
