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
	(void)arg;
	tuza_sleep(TUZA_MILLISECOND);
	exit(3);
}

int main(void) { return tuza_run(program, NULL); }
