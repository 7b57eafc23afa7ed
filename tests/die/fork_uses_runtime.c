// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: tuza: chan receive after fork: the child may only exec
// expect-stdout: the parent goes on
/*
 * Checklist 38: the child of a fork may only exec; what else it asks for is refused at once, and
 * the parent goes on. The child's status is passed on.
 */
#define _GNU_SOURCE
#include <tuza/tuza.h>

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int program(void *arg)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
	int status = 0, v = 0;

	(void)arg;
	for (int i = 0; i < 10; i++)
		TUZA_GO(tuza_sleep, TUZA_HOUR);
	tuza_yield();
	pid_t child = fork();
	if (child == 0) {
		tuza_recv(c, &v); // would wait
		_exit(99);
	}
	waitpid(child, &status, 0);
	TUZA_GO(tuza_chan_close, c);
	tuza_recv(c, &v);
	tuza_chan_release(c);
	dprintf(1, "the parent goes on\n");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

int main(void) { return tuza_run(program, NULL); }
