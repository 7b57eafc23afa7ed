// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: go of nil func value
// expect-stderr: goroutine 1 [running]:
/*
 * L3.
 *
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	void (*fn)(int) = NULL;

	(void)arg;
	TUZA_GO(fn, 1);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
