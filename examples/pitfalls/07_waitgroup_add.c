// SPDX-License-Identifier: MIT
/*
 * Pitfall: a goroutine that adds itself to the waitgroup may come too late: the wait sees nothing
 * to wait for. A leak check after the wait finds what it should have waited for.
 *
 * Fix: add before the go statement, or let tuza_waitgroup_go do both.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static tuza_waitgroup wg;
static tuza_chan *late; // closed when the first wait is over: the unlucky order, made certain
static int done;

static void adds_itself(tuza_chan *ended)
{
	tuza_recv(late, NULL);
	tuza_waitgroup_add(&wg, 1);
	done++;
	tuza_waitgroup_done(&wg);
	tuza_chan_close(ended);
}

static void works(void *arg)
{
	(void)arg;
	done++;
}

static int program(void *arg)
{
	tuza_chan *ended = tuza_chan_new(0, 0);

	(void)arg;
	late = tuza_chan_new(0, 0);
	go(adds_itself, ended);
	tuza_waitgroup_wait(&wg); // returns at once
	printf("wrong: waited, and %d is done, %zu is left\n", done,
		tuza_leak_check(&(tuza_leak_options){.wait = -1, .fd = -1}));
	tuza_chan_close(late);
	tuza_recv(ended, NULL);

	done = 0;
	tuza_waitgroup_go(&wg, works, NULL);
	tuza_waitgroup_wait(&wg);
	printf("right: waited, and %d is done, %zu is left\n", done,
		tuza_leak_check(&(tuza_leak_options){.wait = TUZA_MINUTE, .fd = -1}));
	tuza_chan_release(late);
	tuza_chan_release(ended);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: waited, and 0 is done, 1 is left
right: waited, and 1 is done, 0 is left
 */
