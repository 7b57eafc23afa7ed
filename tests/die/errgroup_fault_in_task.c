// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: runtime error: invalid memory address or nil pointer dereference
// expect-stderr: read_it
// expect-stderr: created by program in goroutine 1
// expect-not-stderr: the wait returned
/*
 * A fault in a task of an error group is not contained, and nobody goes on as if the task had
 * ended.
 */
#include <stdio.h>
#include <tuza/tuza.h>

static volatile int sink;

__attribute__((noinline)) static int read_it(void *p)
{
	sink = *(const volatile int *)p;
	return 0;
}

static int program(void *arg)
{
	tuza_errgroup *group = tuza_errgroup_new(tuza_context_background());

	tuza_errgroup_go(group, read_it, arg);
	tuza_errgroup_wait(group);
	fprintf(stderr, "the wait returned\n");
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
