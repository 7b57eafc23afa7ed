// SPDX-License-Identifier: MIT
/*
 * Atomics are C's own: a counter for which a lock would be too much, and a whole configuration that
 * is replaced by the exchange of one pointer.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <tuza/tuza.h>

struct config { // never changed once it is published
	int version, timeout_ms;
};

static const struct config old = {1, 100}, new = {2, 200};
static const struct config *_Atomic current = &old;
static atomic_int requests, torn;

static void serve(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++) {
		const struct config *c = atomic_load(&current); // one or the other, never half
		if (c->timeout_ms != 100 * c->version)
			atomic_fetch_add(&torn, 1);
		atomic_fetch_add(&requests, 1);
		tuza_yield();
	}
}

static void reload(void *arg)
{
	(void)arg;
	atomic_store(&current, &new);
}

static int program(void *arg)
{
	tuza_waitgroup wg = {0};

	(void)arg;
	for (int i = 0; i < 50; i++)
		tuza_waitgroup_go(&wg, serve, NULL);
	tuza_waitgroup_go(&wg, reload, NULL);
	tuza_waitgroup_wait(&wg);
	printf("%d requests, %d of them with half a configuration\n", requests, torn);
	printf("the configuration is version %d now\n", atomic_load(&current)->version);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
5000 requests, 0 of them with half a configuration
the configuration is version 2 now
 */
