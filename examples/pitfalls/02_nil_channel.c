// SPDX-License-Identifier: MIT
/*
 * Pitfall: a NULL channel is no error, it is never ready. A channel that somebody forgot to make
 * blocks whoever uses it, for ever.
 *
 * Fix: make channels where they are declared. (In a select NULL is of use: it switches a case off.)
 */
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <tuza/tuza.h>

struct queue {
	tuza_chan *jobs;
};

static int wrong(void *arg)
{
	struct queue q = {0}; // jobs was never made

	(void)arg;
	tuza_send(q.jobs, 1); // goroutine 1 [chan send (nil chan)]
	return 0;
}

static int right(void *arg)
{
	struct queue q = {.jobs = tuza_chan_new(sizeof(int), 1)};

	(void)arg;
	tuza_send(q.jobs, 1);
	printf("right: %zu job waits\n", tuza_chan_len(q.jobs));
	tuza_chan_release(q.jobs);
	return 0;
}

int main(int argc, char **argv)
{
	char *wrong_one[] = {argv[0], "wrong", NULL};
	int status;
	pid_t child;

	if (argc > 1)
		return tuza_run(wrong, NULL);
	// It takes its process with it, so it gets one of its own.
	if (posix_spawn(&child, argv[0], NULL, NULL, wrong_one, NULL) != 0 ||
		waitpid(child, &status, 0) != child || WEXITSTATUS(status) == 127)
		return 77; // cannot be started again, under an emulator for instance
	printf("wrong: exit status %d\n", WEXITSTATUS(status));
	return tuza_run(right, NULL);
}

/* Output:
wrong: exit status 2
right: 1 job waits
 */
