// SPDX-License-Identifier: MIT
/*
 * Pitfall: a goroutine for each item: all of them press on the same database at once.
 *
 * Fix: a semaphore, acquired before the go statement, or a pool of workers.
 */
#include <stdio.h>
#include <tuza/tuza.h>

enum { ITEMS = 100, LIMIT = 10 };

static tuza_mutex lock;
static int connections, most; // guarded by lock
static tuza_semaphore slots;

static void connect_to_it(int change)
{
	TUZA_LOCK(&lock);
	connections += change;
	most = connections > most ? connections : most;
}

static void query(void *bounded)
{
	connect_to_it(+1);
	tuza_sleep(10 * TUZA_MILLISECOND); // the database is at work
	connect_to_it(-1);
	if (bounded)
		tuza_semaphore_release(&slots, 1);
}

static void query_all(const char *which, void *bounded)
{
	tuza_waitgroup wg = {0};

	most = 0;
	for (int i = 0; i < ITEMS; i++) {
		if (bounded)
			tuza_semaphore_wait(&slots, 1);
		tuza_waitgroup_go(&wg, query, bounded);
	}
	tuza_waitgroup_wait(&wg);
	printf("%s: %s than %d at once\n", which, most > LIMIT ? "more" : "no more", LIMIT);
}

static int program(void *arg)
{
	(void)arg;
	tuza_semaphore_init(&slots, LIMIT);
	query_all("wrong", NULL);
	query_all("right", &slots);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: more than 10 at once
right: no more than 10 at once
 */
