// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: tuza: longjmp over a TUZA_DEFER
/*
 * Rule 4: undefined, and caught where that costs nothing.
 */
#include <tuza/tuza.h>

#include <setjmp.h>

static jmp_buf jump;

static void nothing(void *arg) { (void)arg; }

static void jump_over(void *arg)
{
	TUZA_DEFER(nothing, arg);
	longjmp(jump, 1);
}

static void outer(void *arg)
{
	TUZA_DEFER(nothing, arg);
	if (setjmp(jump) == 0)
		jump_over(arg);
}

static int program(void *arg)
{
	outer(arg);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
