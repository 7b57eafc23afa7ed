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
#include <stdatomic.h>
#include <unistd.h>

static atomic_int yields;

static void yield_for_ever(void *arg)
{
	(void)arg;
	for (;;) {
		tuza_yield();
		atomic_fetch_add(&yields, 1);
	}
}

static int program(void *arg)
{
	tuza_flight_recorder_options options = {.path = "/dev/stdout", .max_bytes = 1 << 18};

	(void)arg;
	if (tuza_flight_recorder_start(&options) != 0)
		return 1;
	tuza_go(yield_for_ever, NULL);
	tuza_go(yield_for_ever, NULL);
	for (int seen = atomic_load(&yields); atomic_load(&yields) - seen < 1000;)
		tuza_sleep(TUZA_MILLISECOND);
	kill(getpid(), SIGQUIT);
	tuza_sleep(20 * TUZA_SECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
