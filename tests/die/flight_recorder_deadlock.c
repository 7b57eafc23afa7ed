// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: all goroutines are asleep - deadlock!
// expect-stderr: tuza: trace written to /dev/stdout
// expect-stdout: go 1.23 trace
// expect-stdout: select (no cases)
/*
 * The flight recorder is written where it was told when all goroutines are asleep.
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	tuza_flight_recorder_options options = {.path = "/dev/stdout"};

	if (tuza_flight_recorder_start(&options) != 0)
		return 1;
	return tuza_select(arg, 0);
}

int main(void) { return tuza_run(program, NULL); }
