// SPDX-License-Identifier: MIT
/*
 * Pitfall: a send on an unbuffered channel that nobody receives from waits for ever. When everybody
 * waits, the process ends with a report of every goroutine.
 *
 * Fix: have a receiver first, or room for the value.
 */
#include <errno.h>
#include <stdio.h>
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
	puts("right: received");
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
right: received
 */
