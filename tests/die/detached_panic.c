// SPDX-License-Identifier: MIT
/*
 * The panic of a detached goroutine is as fatal as any other, and its report shows where it was
 * raised. What was detached earlier runs its deferred calls first.
 */
// expect-status: 2
// expect-stdout: deferred
// expect-stderr: panic: nobody listens
// expect-stderr: where_it_happens
// expect-not-stderr: survived
#include <stdio.h>
#include <tuza/tuza.h>

static tuza_chan *detached;

static void say(const char *text)
{
	puts(text);
	fflush(stdout);
}

__attribute__((noinline)) static void where_it_happens(void) { tuza_panic("nobody listens"); }

static void body(void *arg)
{
	(void)arg;
	TUZA_DEFER(say, "deferred");
	tuza_chan_recv(detached, NULL);
	where_it_happens();
}

static int program(void *arg)
{
	(void)arg;
	detached = tuza_chan_new(0, 0);
	tuza_detach(tuza_spawn(body, NULL));
	tuza_chan_send(detached, NULL);
	tuza_sleep(10 * TUZA_SECOND);
	fputs("survived\n", stderr);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
