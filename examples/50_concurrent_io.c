// SPDX-License-Identifier: MIT
/*
 * What goroutines are good for: a hundred waits of 10 ms, one after the other and side by side. How
 * long each took goes to standard error.
 */
#include <stdio.h>
#include <tuza/tuza.h>

enum { REQUESTS = 100 };

static void simulate_io(void *arg)
{
	(void)arg;
	tuza_sleep(10 * TUZA_MILLISECOND);
}

static void one_by_one(void)
{
	for (int i = 0; i < REQUESTS; i++)
		simulate_io(NULL);
}

static void side_by_side(void)
{
	tuza_waitgroup wg = {0};

	for (int i = 0; i < REQUESTS; i++)
		tuza_waitgroup_go(&wg, simulate_io, NULL);
	tuza_waitgroup_wait(&wg);
}

static tuza_duration measure(const char *name, void (*requests)(void))
{
	int64_t start = tuza_now();

	requests();
	tuza_duration took = tuza_now() - start;
	fprintf(stderr, "%s: %.1f ms\n", name, (double)took / (double)TUZA_MILLISECOND);
	return took;
}

static int program(void *arg)
{
	tuza_duration sequential = measure("one by one", one_by_one);
	tuza_duration concurrent = measure("side by side", side_by_side);

	(void)arg;
	printf("one by one at least a second: %s\n", sequential >= TUZA_SECOND ? "true" : "false");
	printf("side by side less: %s\n", concurrent < sequential ? "true" : "false");
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
one by one at least a second: true
side by side less: true
 */
