// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: runtime error: integer divide by zero
// expect-stderr: [signal SIGFPE: floating-point exception code=
/*
 * P11.
 *
 */
#include <tuza/tuza.h>

static volatile int zero, sink;

static int program(void *arg)
{
	(void)arg;
#if defined(__aarch64__)
	return 77; // divides by zero without a word
#endif
	sink = 10 / zero;
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
