// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: go of nil func value
// expect-not-stdout: contained
/*
 * L3: fatal, not a panic.
 */
#include <tuza/tuza.h>

#include <stdio.h>

static void start_null(void *arg)
{
	(void)arg;
	tuza_go(NULL, NULL);
}

static int program(void *arg)
{
	TUZA_IGNORE(tuza_try_with(start_null, arg, TUZA_RECOVER_FAULTS, NULL));
	dprintf(1, "contained\n");
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
