// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: in chaos
// expect-stderr: TUZA_DEBUG=chaos=4711
// expect-stdout: TUZA_DEBUG=chaos=4711
// env: TUZA_DEBUG=other,chaos=4711
/*
 * What made the schedule stands in a panic and in a dump.
 */
#include <tuza/tuza.h>

#include <unistd.h>

static int program(void *arg)
{
	(void)arg;
	tuza_dump(STDOUT_FILENO);
	tuza_panic("in chaos");
}

int main(void) { return tuza_run(program, NULL); }
