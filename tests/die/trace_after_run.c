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
	(void)arg;
	tuza_sleep(TUZA_MILLISECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
