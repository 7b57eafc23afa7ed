// SPDX-License-Identifier: MIT
/*
 * Pitfall: a sleep, or a yield, so that the goroutines may finish. Today they take longer; and when
 * the main function returns, they are gone, wherever they are.
 *
 * Fix: a waitgroup, a channel, a join: something that says that they have finished.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static atomic_int fetched;

static void fetch(tuza_duration takes)
{
	tuza_sleep(takes);
	atomic_fetch_add(&fetched, 1);
}

static int wrong(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++)
		go(fetch, TUZA_HOUR); // on a bad day
	tuza_yield();
	tuza_sleep(TUZA_MILLISECOND); // "enough"
	return 0;
}

static void fetch_counted(void *arg)
{
	(void)arg;
	fetch(5 * TUZA_MILLISECOND);
}

static int right(void *arg)
{
	tuza_waitgroup wg = {0};

	(void)arg;
	for (int i = 0; i < 5; i++)
		tuza_waitgroup_go(&wg, fetch_counted, NULL);
	tuza_waitgroup_wait(&wg);
	return 0;
}

int main(void)
{
	tuza_run(wrong, NULL);
	printf("wrong: %d of 5 fetched\n", fetched);
	tuza_run(right, NULL);
	printf("right: %d of 5 fetched\n", fetched);
	return 0;
}

/* Output:
wrong: 0 of 5 fetched
right: 5 of 5 fetched
 */
