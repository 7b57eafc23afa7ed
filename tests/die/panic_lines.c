// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: first line
// expect-stderr: 	second line
// expect-stderr: 	third line
/*
 * The lines of a message but the first are indented by a TAB. P7.
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	(void)arg;
	tuza_panic("first line\nsecond line\nthird line");
}

int main(void) { return tuza_run(program, NULL); }
