// SPDX-License-Identifier: MIT
/*
 * Pitfall: a send on an unbuffered channel that nobody receives from waits for ever. When everybody
 * waits, the process ends with a report of every goroutine.
 *
 * Fix: have a receiver first, or room for the value.
 */
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <tuza/tuza.h>

static int wrong(void *arg)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);

	(void)arg;
	tuza_send(c, 1); // fatal error: all goroutines are asleep - deadlock!
	tuza_chan_release(c);
	return 0;
}

static int right(void *arg)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 1);
	int v;

	(void)arg;
	tuza_send(c, 1);
	tuza_recv(c, &v);
	tuza_chan_release(c);
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
	printf("right: %d\n", tuza_run(right, NULL));
	return 0;
}

/* Output:
wrong: exit status 2
right: 0
 */
