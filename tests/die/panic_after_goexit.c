// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: hello
// expect-not-stderr: deadlock
/*
 * A deferred call of a tuza_goexit panics: uncaught as any other. T4.6.
 */
#include <tuza/tuza.h>

static void say_hello(void *arg)
{
	(void)arg;
	tuza_panic("hello");
}

static int program(void *arg)
{
	TUZA_DEFER(say_hello, arg);
	tuza_goexit();
}

int main(void) { return tuza_run(program, NULL); }
