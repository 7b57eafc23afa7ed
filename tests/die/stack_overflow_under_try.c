// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: stack overflow
// expect-not-stdout: contained
/*
 * P12: never contained.
 */
#include <tuza/tuza.h>

#include <stdio.h>

__attribute__((noinline)) static int descend(int n)
{
	volatile char frame[200];

	frame[0] = (char)n;
	int below = n < 1 << 30 ? descend(n + 1) : 0;
	return below + frame[0];
}

static void start(void *arg)
{
	(void)arg;
	descend(0);
}

static void worker(void)
{
	TUZA_IGNORE(tuza_try_with(start, NULL, TUZA_RECOVER_FAULTS, NULL));
	dprintf(1, "contained\n");
}

static int program(void *arg)
{
	(void)arg;
	TUZA_GO(worker);
	tuza_sleep(10 * TUZA_SECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
