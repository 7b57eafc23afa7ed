// SPDX-License-Identifier: MIT
/*
 * A condition: goroutines wait for a change of what a mutex guards, here for all of them to have
 * come: a barrier.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

enum { RUNNERS = 4 };

static tuza_mutex lock;
static tuza_cond all_here;
static int here; // guarded by lock
static tuza_waitgroup wg;

static void runner(int number)
{
	TUZA_DEFER(tuza_waitgroup_done, &wg);
	tuza_mutex_lock(&lock);
	printf("runner %d is at the line\n", number);
	if (++here == RUNNERS) {
		puts("go!");
		tuza_cond_broadcast(&all_here);
	}
	while (here < RUNNERS)
		tuza_cond_wait(&all_here, &lock); // unlocks while it waits
	tuza_mutex_unlock(&lock);
}

static int program(void *arg)
{
	(void)arg;
	tuza_waitgroup_add(&wg, RUNNERS);
	for (int i = 1; i <= RUNNERS; i++)
		go(runner, i);
	tuza_waitgroup_wait(&wg);
	puts("all are on their way");
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output (any order):
runner 1 is at the line
runner 2 is at the line
runner 3 is at the line
runner 4 is at the line
go!
all are on their way
 */
