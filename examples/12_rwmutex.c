// SPDX-License-Identifier: MIT
/*
 * A cache behind a readers-writer lock: readers of what is there go on side by side; only who has
 * to fill a gap locks the others out.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

enum { KEYS = 10, READERS = 50 };

static tuza_rwmutex lock;
static int squares[KEYS]; // guarded by lock; 0: not known yet
static int computed;      // guarded by lock

static int square(int key)
{
	tuza_rwmutex_rlock(&lock);
	int found = squares[key];
	tuza_rwmutex_runlock(&lock);
	if (found)
		return found;
	tuza_rwmutex_lock(&lock); // a read lock cannot be upgraded …
	if (!squares[key]) {      // … so another may have been here in between
		squares[key] = (key + 1) * (key + 1);
		computed++;
	}
	found = squares[key];
	tuza_rwmutex_unlock(&lock);
	return found;
}

static void reader(int *sum, tuza_waitgroup *wg)
{
	for (int key = 0; key < KEYS; key++)
		*sum += square(key);
	tuza_waitgroup_done(wg);
}

static int program(void *arg)
{
	int sums[READERS] = {0}, total = 0; // each goroutine writes its own: no lock needed
	tuza_waitgroup wg = {0};

	(void)arg;
	tuza_waitgroup_add(&wg, READERS);
	for (int i = 0; i < READERS; i++)
		go(reader, &sums[i], &wg);
	tuza_waitgroup_wait(&wg);
	for (int i = 0; i < READERS; i++)
		total += sums[i];
	printf("%d computed, %d read\n", computed, total);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
10 computed, 19250 read
 */
