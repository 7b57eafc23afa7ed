// SPDX-License-Identifier: MIT
/*
 * The life of a goroutine, counted while there are a thousand of them:
 *
 *	     go              its turn             returns
 *	 ----------> runnable ------> running -------------> gone
 *	                ^                |
 *	                | there is a     | has to wait: for a channel, a lock,
 *	                | value, room …  v a descriptor, the time
 *	                +------------ waiting
 *
 * Whoever waits has no thread, so a profile shows the few that run. A dump has each one's state,
 * and for those that wait the reason: [runnable], [chan receive], [sleep].
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

enum { COUNT = 1000 };

static void visitor(tuza_chan *gate) { tuza_recv(gate, NULL); }

static tuza_statistics look(void)
{
	tuza_statistics s;

	tuza_stats(&s);
	return s;
}

static int program(void *arg)
{
	tuza_chan *gate = tuza_chan_new(0, 0);
	bool runnable = false;
	size_t n = 0;

	(void)arg;
	tuza_gomaxprocs(1); // one runs, and that is this one
	for (; n < COUNT || !runnable; n++) {
		go(visitor, gate);
		runnable = runnable || look().runnable > 0;
	}
	puts("started: runnable, until their turn comes");

	while (look().waiting < n)
		tuza_yield(); // the others' turn
	printf("at the gate: all wait, on %s\n",
		look().threads < COUNT / 10 ? "a few threads" : "?");

	tuza_chan_close(gate); // makes them runnable again
	while (look().goroutines > 1)
		tuza_yield();
	puts("through the gate: all have returned and are gone");
	tuza_chan_release(gate);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
started: runnable, until their turn comes
at the gate: all wait, on a few threads
through the gate: all have returned and are gone
 */
