// SPDX-License-Identifier: MIT
// expect-status: 2
// env: TUZA_DEBUG=leakscan=fatal
// expect-stderr: found leaked goroutines:
// expect-stderr: [chan receive (nil chan) (leaked)]:
// expect-stderr: created by leaks in goroutine 1
// expect-not-stderr: [chan receive (leaked)]:
/*
 * TUZA_DEBUG=leakscan=fatal: a goroutine that can never go on fails the program. One that waits for
 * what a global variable leads to is not reported.
 */
#include <tuza/debug.h>
#include <tuza/tuza.h>

static tuza_chan *_Atomic events;

static void receives(void *c)
{
	tuza_chan_recv(c, NULL);
	__asm__ volatile("" ::: "memory"); // no tail call
}

static int leaks(void *arg)
{
	(void)arg;
	events = tuza_chan_new(0, 0);
	tuza_go(receives, events);
	tuza_go(receives, NULL);
	for (tuza_statistics s = {0}; s.waiting < 2;)
		tuza_stats(&s);
	return 0;
}

int main(void) { return tuza_run(leaks, NULL); }
