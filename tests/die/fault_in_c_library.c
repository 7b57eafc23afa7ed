// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: SIGSEGV
// expect-not-stdout: contained
/*
 * Only faults in the program's own code are contained: the C library may hold its locks.
 */
#include <tuza/tuza.h>

#include <stdio.h>
#include <string.h>

static volatile size_t sink;

static void measure(void *p) { sink = strlen(p); }

static int program(void *arg)
{
	(void)arg;
	// Not NULL, so that no compiler sees through it.
	TUZA_IGNORE(tuza_try_with(measure, (void *)(uintptr_t)16, TUZA_RECOVER_FAULTS, NULL));
	dprintf(1, "contained\n");
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
