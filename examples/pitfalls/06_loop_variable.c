// SPDX-License-Identifier: MIT
/*
 * Pitfall: goroutines that get the address of the loop's variable all see the same variable, and
 * whatever the loop has made of it by then.
 *
 * Fix: pass the value. A go statement copies its arguments at once.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void print_there(tuza_chan *start, const int *i, tuza_waitgroup *wg)
{
	tuza_recv(start, NULL);
	printf("wrong: %d\n", *i);
	tuza_waitgroup_done(wg);
}

static void print(int i, tuza_waitgroup *wg)
{
	printf("right: %d\n", i);
	tuza_waitgroup_done(wg);
}

static int program(void *arg)
{
	tuza_chan *start = tuza_chan_new(0, 0);
	tuza_waitgroup wg = {0};
	int i;

	(void)arg;
	tuza_waitgroup_add(&wg, 6);
	for (i = 0; i < 3; i++)
		go(print_there, start, &i, &wg);
	tuza_chan_close(start); // without this wait it would be a data race as well
	for (int k = 0; k < 3; k++)
		go(print, k, &wg);
	tuza_waitgroup_wait(&wg);
	tuza_chan_release(start);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output (any order):
wrong: 3
wrong: 3
wrong: 3
right: 0
right: 1
right: 2
 */
