// SPDX-License-Identifier: MIT
/*
 * Bounded concurrency: a channel with room for three is a semaphore, so at most three of the
 * twenty goroutines work at the same time.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

enum { LIMIT = 3, TASKS = 20 };

static tuza_mutex lock;
static int working, most; // guarded by lock

static void count(int change)
{
	TUZA_LOCK(&lock); // until the block is left
	working += change;
	if (working > most)
		most = working;
}

static void leave(tuza_chan *slots)
{
	tuza_recv(slots, NULL); // gives the place back; the value is dropped
}

static void task(tuza_chan *slots, tuza_waitgroup *wg)
{
	TUZA_DEFER(tuza_waitgroup_done, wg);
	TUZA_DEFER(leave, slots); // before the one above: the last deferred is the first to run
	count(+1);
	tuza_sleep(TUZA_MILLISECOND);
	count(-1);
}

static int program(void *arg)
{
	tuza_chan *slots = tuza_chan_new(0, LIMIT); // make(chan struct{}, 3)
	tuza_waitgroup wg = {0};

	(void)arg;
	for (int i = 0; i < TASKS; i++) {
		tuza_chan_send(slots, NULL); // waits for a place, so no more are even started
		tuza_waitgroup_add(&wg, 1);
		go(task, slots, &wg);
	}
	tuza_waitgroup_wait(&wg);
	printf("%d tasks, never more than %d at once: %s\n", TASKS, LIMIT,
		most <= LIMIT ? "true" : "false");
	tuza_chan_release(slots);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
20 tasks, never more than 3 at once: true
 */
