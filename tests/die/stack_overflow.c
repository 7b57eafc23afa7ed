// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: runtime: goroutine stack exceeds
// expect-stderr: -byte limit
// expect-stderr: runtime: sp=
// expect-stderr: stack=[
// expect-stderr: fatal error: stack overflow
// expect-stderr: descend
// expect-stderr: created by program in goroutine 1
// expect-not-stderr: not reached
// expect-stderr: 262144-byte limit
/*
 * R11, T4.3: the report names the goroutine, its stack and its creation site.
 */
#include <tuza/tuza.h>

__attribute__((noinline)) static int descend(int n)
{
	volatile char frame[200];

	frame[0] = (char)n;
	int below = n < 1 << 30 ? descend(n + 1) : 0;
	return below + frame[0];
}

static void worker(void) { descend(0); }

static int program(void *arg)
{
	(void)arg;
	TUZA_GO(worker);
	tuza_sleep(10 * TUZA_SECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
