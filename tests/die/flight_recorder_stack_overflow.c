// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: stack overflow
// expect-stderr: tuza: trace written to /dev/stdout
// expect-stdout: go 1.23 trace
// expect-stdout: sleep
// not-under: address it has stacks of its own
/*
 * The flight recorder is written from the signal stack when a goroutine's own is full.
 */
#include <tuza/tuza.h>

static volatile int depth = 1 << 30; // never reached

__attribute__((noinline)) static int deeper(int n)
{
	volatile char frame[256];

	frame[0] = (char)n;
	return n < depth ? deeper(n + 1) + frame[0] : 0;
}

static void dive(void *arg)
{
	tuza_statistics s;

	(void)arg;
	do { // until the program's sleep has begun
		tuza_yield();
		tuza_stats(&s);
	} while (s.waiting == 0);
	deeper(0);
}

static int program(void *arg)
{
	tuza_flight_recorder_options options = {.path = "/dev/stdout"};

	if (tuza_flight_recorder_start(&options) != 0)
		return 1;
	tuza_go(dive, arg);
	tuza_sleep(10 * TUZA_SECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
