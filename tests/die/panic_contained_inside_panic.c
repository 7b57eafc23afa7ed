// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: first
// expect-not-stderr: second
// expect-not-stderr: [recovered]
/*
 * A panic that a deferred call contains inside itself leaves no trace in the report of the one that
 * runs it. P4.
 */
#include <tuza/tuza.h>

static void raise_second(void *arg)
{
	(void)arg;
	tuza_panic("second");
}

static void contain_second(void *arg) { TUZA_IGNORE(tuza_try(raise_second, arg, NULL)); }

static int program(void *arg)
{
	TUZA_DEFER(contain_second, arg);
	tuza_panic("first");
}

int main(void) { return tuza_run(program, NULL); }
