// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: tuza: used after fork: the child may only exec
/*
 * Checklist 38: nor may the child start a goroutine. Its status is passed on.
 */
#define _GNU_SOURCE
#include <tuza/tuza.h>

#include <sys/wait.h>
#include <unistd.h>

static void nothing(void *arg) { (void)arg; }

static int program(void *arg)
{
	int status = 0;

	(void)arg;
	pid_t child = fork();
	if (child == 0) {
		tuza_go(nothing, NULL);
		_exit(99);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

int main(void) { return tuza_run(program, NULL); }
