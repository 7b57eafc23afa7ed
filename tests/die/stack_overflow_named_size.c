// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: runtime: goroutine stack exceeds 65536-byte limit
// expect-stderr: fatal error: stack overflow
/*
 * A goroutine with a stack of its own size.
 */
#include <tuza/tuza.h>

__attribute__((noinline)) static int descend(int n)
{
	volatile char frame[200];

	frame[0] = (char)n;
	int below = n < 1 << 30 ? descend(n + 1) : 0;
	return below + frame[0];
}

static void worker(void *arg)
{
	(void)arg;
	descend(0);
}

static int program(void *arg)
{
	tuza_go_options options = {.name = "small", .stack_bytes = 65536};

	if (tuza_go_with(&options, worker, arg) != 0)
		return 1;
	tuza_sleep(10 * TUZA_SECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
