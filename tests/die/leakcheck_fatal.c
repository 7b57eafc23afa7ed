// SPDX-License-Identifier: MIT
// expect-status: 2
// env: TUZA_DEBUG=else=1,leakcheck=fatal
// expect-stderr: found unexpected goroutines:
// expect-stderr: [chan receive]:
// expect-stdout: buffered
// expect-stdout: atexit
// expect-not-stderr: the end
/*
 * TUZA_DEBUG=leakcheck=fatal makes what is left end the process with status 2: by exit, so what
 * was printed arrives.
 */
#include <stdio.h>
#include <stdlib.h>
#include <tuza/tuza.h>

static void at_exit(void) { puts("atexit"); }

static int program(void *arg)
{
	(void)arg;
	atexit(at_exit);
	printf("buffered\n");
	TUZA_GO(tuza_chan_recv, tuza_chan_new(0, 0), NULL);
	return 0;
}

int main(void)
{
	int status = tuza_run(program, NULL);

	fputs("the end\n", stderr);
	return status;
}
