// SPDX-License-Identifier: MIT
// env: TUZA_TRACE=/dev/stdout
// expect-status: 3
// expect-stdout: go 1.23 trace
// expect-stdout: sleep
/*
 * The same when a goroutine calls exit.
 */
#include <tuza/tuza.h>

#include <stdlib.h>

static int program(void *arg)
{
	tuza_statistics s;

	(void)arg;
	do { // on a slow machine a sleep may be over before it has begun
		tuza_sleep(TUZA_MILLISECOND);
		tuza_stats(&s);
	} while (s.woken_by_timers == 0);
	exit(3);
}

int main(void) { return tuza_run(program, NULL); }
