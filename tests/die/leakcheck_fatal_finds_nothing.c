// SPDX-License-Identifier: MIT
// expect-status: 3
// env: TUZA_DEBUG=leakcheck=fatal
// expect-not-stderr: found
/*
 * Goroutines that end by themselves while the check waits are no leak.
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++)
		TUZA_GO(tuza_sleep, 10 * TUZA_MILLISECOND);
	return 3;
}

int main(void) { return tuza_run(program, NULL); }
