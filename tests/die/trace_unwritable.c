// SPDX-License-Identifier: MIT
// env: TUZA_TRACE=/nowhere/run.trace
// expect-status: 0
// expect-stdout: told 1 times
// expect-stdout: tuza: no trace could be written to /nowhere/run.trace: No such file or directory
/*
 * Where a trace cannot be written that is told once, with the reason, however many runs end.
 */
#include <stdio.h>
#include <string.h>
#include <tuza/tuza.h>
#include <unistd.h>

static int program(void *arg) { return *(int *)arg; }

int main(void)
{
	int status = 0, ends[2];
	char told[1024] = "";

	if (pipe(ends) != 0 || dup2(ends[1], 2) < 0)
		return 1;
	for (int i = 0; i < 3; i++)
		status |= tuza_run(program, &status);
	if (read(ends[0], told, sizeof told - 1) < 0)
		return 1;
	int times = 0;
	for (const char *at = told; (at = strstr(at, "no trace")); at++)
		times++;
	printf("told %d times\n%s", times, told);
	return status;
}
