// SPDX-License-Identifier: MIT
/*
 * A mutex: a thousand goroutines increment one counter, and none is lost.
 */
#include <stdio.h>
#include <tuza/tuza.h>

// Safe for concurrent use. Zeroed is ready.
struct counter {
	tuza_mutex lock;
	int value; // guarded by lock
};

static void increment(void *arg)
{
	struct counter *c = arg;

	TUZA_LOCK(&c->lock); // m.Lock(); defer m.Unlock()
	c->value++;
}

static int counter_value(struct counter *c)
{
	TUZA_LOCK(&c->lock);
	return c->value; // read before the lock is released
}

static int program(void *arg)
{
	struct counter counter = {0};
	tuza_waitgroup wg = {0};

	(void)arg;
	for (int i = 0; i < 1000; i++)
		tuza_waitgroup_go(&wg, increment, &counter); // add, go and done in one
	tuza_waitgroup_wait(&wg);
	printf("final count: %d\n", counter_value(&counter));
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
final count: 1000
 */
