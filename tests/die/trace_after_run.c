// SPDX-License-Identifier: MIT
// env: TUZA_TRACE=/dev/stdout
// expect-status: 0
// expect-stdout: go 1.23 trace
// expect-stdout: sleep
// expect-not-stderr: trace
/*
 * What TUZA_TRACE names is written, without a word, when tuza_run returns.
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	tuza_statistics s;

	(void)arg;
	do { // on a slow machine a sleep may be over before it has begun
		tuza_sleep(TUZA_MILLISECOND);
		tuza_stats(&s);
	} while (s.woken_by_timers == 0);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
