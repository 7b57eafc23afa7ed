// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: all goroutines are asleep - deadlock!
// expect-stderr: goroutine 1 [IO wait]:
/*
 * A connection in memory has nobody outside who could end the wait.
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	tuza_conn *a, *b;
	char byte;

	(void)arg;
	if (tuza_pipe(&a, &b) != 0)
		return 1;
	return (int)tuza_conn_read(a, &byte, 1);
}

int main(void) { return tuza_run(program, NULL); }
