// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: runtime: goroutine stack exceeds
// expect-stderr: -byte limit
// expect-stderr: runtime: sp=
// expect-stderr: stack=[
// expect-stderr: fatal error: stack overflow
// expect-stderr: goroutine 1 [running]:
// expect-stderr: descend
/*
 * The main goroutine's stack ends somewhere, too.
 */
#include <tuza/tuza.h>

__attribute__((noinline)) static int descend(int n)
{
	volatile char frame[4000];

	frame[0] = (char)n;
	int below = n < 1 << 30 ? descend(n + 1) : 0;
	return below + frame[0];
}

static int program(void *arg)
{
	(void)arg;
	return descend(0);
}

int main(void) { return tuza_run(program, NULL); }
