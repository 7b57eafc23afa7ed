// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: in a simulated run
// expect-stderr: tuza_sim_run: seed 4711
// expect-stdout: tuza_sim_run: seed 4711
// env: TUZA_DEBUG=chaos=17
/*
 * What made the schedule stands in a panic and in a dump.
 */
#include <tuza/tuza.h>

#include <unistd.h>

static int program(void *arg)
{
	(void)arg;
	tuza_dump(STDOUT_FILENO);
	tuza_panic("in a simulated run");
}

int main(void) { return tuza_sim_run(4711, program, NULL); }
