// SPDX-License-Identifier: MIT
// expect-status: 3
// expect-stdout: handler
// expect-not-stdout: deferred
/*
 * P10: exit() in a goroutine ends the process at once, its handlers run, deferred calls do not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <tuza/tuza.h>

static void handler(void) { puts("handler"); }

static void ends(void *arg)
{
	(void)arg;
	TUZA_DEFER(puts, "deferred");
	exit(3);
}

static int program(void *arg)
{
	TUZA_DEFER(puts, "deferred");
	if (tuza_go(ends, arg) == 0)
		tuza_select(NULL, 0);
	return 0;
}

int main(void)
{
	atexit(handler);
	return tuza_run(program, NULL);
}
