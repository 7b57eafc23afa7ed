// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: SIGQUIT: quit
// expect-stderr: tuza: trace written to /dev/stdout
// expect-stdout: go 1.23 trace
// expect-stdout: tuza_yield
/*
 * The flight recorder is written in the handler of SIGQUIT, while goroutines run.
 */
#include <tuza/tuza.h>

#include <signal.h>
#include <unistd.h>

static void yield_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		tuza_yield();
}

static int program(void *arg)
{
	tuza_flight_recorder_options options = {.path = "/dev/stdout", .max_bytes = 1 << 18};

	(void)arg;
	if (tuza_flight_recorder_start(&options) != 0)
		return 1;
	tuza_go(yield_for_ever, NULL);
	tuza_go(yield_for_ever, NULL);
	tuza_sleep(20 * TUZA_MILLISECOND);
	kill(getpid(), SIGQUIT);
	tuza_sleep(20 * TUZA_SECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
