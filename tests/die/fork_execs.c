// SPDX-License-Identifier: MIT
// expect-status: 7
// expect-stdout: from the child
// expect-not-stdout: not reached
/*
 * Checklist 38: the child of a fork under load may exec. Its status is passed on.
 */
#define _GNU_SOURCE
#include <tuza/tuza.h>

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void spin(void)
{
	for (volatile int i = 0;; i = i + 1)
		tuza_yield();
}

static int program(void *arg)
{
	int status = 0;

	(void)arg;
	for (int i = 0; i < 10; i++)
		TUZA_GO(spin);
	for (int i = 0; i < 100; i++)
		tuza_yield();
	pid_t child = fork();
	if (child == 0) {
		execl("/bin/sh", "sh", "-c", "echo from the child; exit 7", (char *)NULL);
		dprintf(1, "not reached\n");
		_exit(99);
	}
	tuza_blocking_begin();
	waitpid(child, &status, 0);
	tuza_blocking_end();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

int main(void) { return tuza_run(program, NULL); }
