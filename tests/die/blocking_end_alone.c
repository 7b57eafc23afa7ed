// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: tuza_blocking_end without tuza_blocking_begin
/*
 * A section ends that never began.
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	(void)arg;
	tuza_blocking_end();
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
