// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: runtime error: invalid memory address or nil pointer dereference
// expect-not-stdout: contained
/*
 * tuza_try alone contains no faults.
 */
#include <tuza/tuza.h>

#include <stdio.h>

static volatile int sink;

static void read_it(void *p) { sink = *(volatile int *)p; }

static int program(void *arg)
{
	TUZA_IGNORE(tuza_try(read_it, arg, NULL));
	dprintf(1, "contained\n");
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
