// SPDX-License-Identifier: MIT
/*
 * Pitfall: a NULL channel is no error, it is never ready. A channel that somebody forgot to make
 * blocks whoever uses it, for ever.
 *
 * Fix: make channels where they are declared. (In a select NULL is of use: it switches a case off.)
 */
#include <errno.h>
#include <stdio.h>
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

// The wrong one takes its process with it, so it gets one of its own.
static int program(void *name)
{
	tuza_process_options options = {.err = tuza_process_inherit()};
	int code = tuza_process_run(
		tuza_context_background(), TUZA_ARGV(name, "wrong"), &options, NULL);

	if (code == -ENOEXEC)
		return 77; // under an emulator
	printf("wrong: %s\n", tuza_strerror(code));
	return right(NULL);
}

int main(int argc, char **argv)
{
	return argc > 1 ? tuza_run(wrong, NULL) : tuza_run(program, argv[0]);
}

/* Output:
wrong: exit status 2
right: 1 job waits
 */
