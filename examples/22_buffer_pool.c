// SPDX-License-Identifier: MIT
/*
 * A pool of buffers: who is done with one puts it back, and who needs one takes that instead of
 * allocating.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <tuza/tuza.h>

enum { REQUESTS = 10000 };

static atomic_int made;

static void *make(void *arg)
{
	(void)arg;
	atomic_fetch_add(&made, 1);
	return malloc(4096);
}

static tuza_pool buffers = {.make = make, .drop = free};
static atomic_long characters;

static void format(void *arg)
{
	char *buffer = tuza_pool_get(&buffers);

	(void)arg;
	if (!buffer)
		tuza_panic("out of memory");
	atomic_fetch_add(&characters, snprintf(buffer, 4096, "%08d", 42));
	tuza_pool_put(&buffers, buffer); // ours no more
}

static int program(void *arg)
{
	(void)arg;
	for (int i = 0; i < REQUESTS / 10; i++) {
		tuza_waitgroup wg = {0};

		for (int k = 0; k < 10; k++)
			tuza_waitgroup_go(&wg, format, NULL);
		tuza_waitgroup_wait(&wg);
	}
	printf("%ld characters in %d requests\n", characters, REQUESTS);
	printf("far fewer buffers than requests: %s\n", made < REQUESTS / 10 ? "true" : "false");
	tuza_pool_free(&buffers);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
80000 characters in 10000 requests
far fewer buffers than requests: true
 */
