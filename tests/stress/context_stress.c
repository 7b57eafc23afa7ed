// SPDX-License-Identifier: MIT
/*
 * Random trees of contexts, on which goroutines and threads derive, wait, cancel, register calls
 * and free, in any order and all at once. Whoever waits is woken, every call is made or prevented,
 * every owned value is freed once, and everybody ends.
 */
#include "stress.h"

#include <pthread.h>
#include <tuza/context.h>

enum { SHARED = 8, WORKERS = 12, THREADS = 2, TURNS = 200 };

static const char key;

static struct stage {
	tuza_context *shared[SHARED]; // constant during a round
	tuza_mutex mutex;
	tuza_semaphore semaphore;
	tuza_chan *chan;
	atomic_int workers;
	atomic_llong calls_wanted, calls_made, values_made, values_freed;
} stage;

static void free_value(void *value)
{
	(void)value;
	atomic_fetch_add(&stage.values_freed, 1);
}

static void count_call(void *arg)
{
	(void)arg;
	atomic_fetch_add(&stage.calls_made, 1);
}

static tuza_context *derive(tuza_context *parent, uint64_t *random)
{
	switch (test_random(random) % 6) {
	case 0:
		atomic_fetch_add(&stage.values_made, 1);
		return tuza_context_with_value_free(parent, &key, &stage, free_value);
	case 1:
		return tuza_context_with_value(parent, &key, &stage);
	case 2:
		return tuza_context_with_timeout(
			parent, (int64_t)(test_random(random) % 300000) - 1000);
	case 3:
		return tuza_context_with_timeout(parent, TUZA_HOUR);
	case 4:
		return test_random(random) % 8 ? tuza_context_with_cancel(parent)
					       : tuza_context_without_cancel(parent);
	default:
		return tuza_context_with_cancel(parent);
	}
}

// A wait that ends for sure: `ctx` does, or what it waits for comes.
static void wait_with(tuza_context *ctx, uint64_t *random)
{
	int64_t n = 1 + (int64_t)(test_random(random) % 4);
	uint64_t v = 1;

	switch (test_random(random) % 5) {
	case 0:
		if (tuza_mutex_lock_ctx(&stage.mutex, ctx) == 0) {
			tuza_yield();
			tuza_mutex_unlock(&stage.mutex);
		}
		break;
	case 1:
		if (tuza_semaphore_acquire(&stage.semaphore, ctx, n) == 0) {
			tuza_yield();
			tuza_semaphore_release(&stage.semaphore, n);
		}
		break;
	case 2:
		(void)tuza_sleep_ctx(ctx, (int64_t)(test_random(random) % 200000));
		break;
	case 3:
		(void)!TUZA_SELECT(TUZA_DONE(ctx), TUZA_SEND(stage.chan, &v), TUZA_AFTER(50000));
		break;
	case 4:
		(void)!TUZA_SELECT(TUZA_DONE(ctx), TUZA_RECV(stage.chan, &v), TUZA_AFTER(50000));
		break;
	}
}

static void take_turn(uint64_t *random)
{
	tuza_context *mine[12], *parent = stage.shared[test_random(random) % SHARED];
	tuza_context_after *after = NULL;
	unsigned n = 1 + (unsigned)(test_random(random) % 12);

	for (unsigned i = 0; i < n; i++) {
		mine[i] = derive(parent, random);
		if (test_random(random) % 3)
			parent = mine[test_random(random) % (i + 1)];
	}
	if (test_random(random) % 2) {
		atomic_fetch_add(&stage.calls_wanted, 1);
		after = tuza_context_after_func(parent, count_call, NULL);
	}
	wait_with(mine[test_random(random) % n], random);
	if (test_random(random) % 64 == 0)
		tuza_context_cancel_cause(
			stage.shared[1 + test_random(random) % (SHARED - 1)], -EPIPE);
	while (n > 0) {
		unsigned i = (unsigned)(test_random(random) % n);
		tuza_context_free(mine[i]);
		mine[i] = mine[--n];
	}
	if (after && tuza_context_after_stop(after))
		atomic_fetch_sub(&stage.calls_wanted, 1);
}

static void run_worker(uint64_t seed)
{
	for (int i = 0; i < TURNS; i++)
		take_turn(&seed);
	atomic_fetch_sub(&stage.workers, 1);
}

static void *run_thread(void *seed)
{
	run_worker(*(uint64_t *)seed);
	return NULL;
}

static void run_round(uint64_t *random)
{
	pthread_t threads[THREADS];
	uint64_t seeds[THREADS];

	memset(&stage, 0, sizeof(stage));
	tuza_semaphore_init(&stage.semaphore, 4);
	stage.chan = tuza_chan_new(sizeof(uint64_t), 0);
	stage.shared[0] = tuza_context_background();
	for (unsigned i = 1; i < SHARED; i++) {
		tuza_context *parent = stage.shared[test_random(random) % i];
		stage.shared[i] = i % 3 ? tuza_context_with_cancel(parent)
					: tuza_context_with_timeout(
						  parent, (int64_t)(test_random(random) % 2000000));
	}
	stage.workers = WORKERS + THREADS;
	for (int i = 0; i < THREADS; i++) {
		seeds[i] = test_random(random);
		CHECK_EQ(pthread_create(&threads[i], NULL, run_thread, &seeds[i]), 0);
	}
	for (int i = 0; i < WORKERS; i++)
		TUZA_GO(run_worker, test_random(random));
	WAIT_UNTIL(stage.workers == 0);
	tuza_blocking_begin();
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	tuza_blocking_end();
	for (int i = 0; i < SHARED; i++)
		tuza_context_free(stage.shared[i]);
	WAIT_UNTIL(stage.calls_made == stage.calls_wanted && tuza_num_goroutine() == 1);
	CHECK(stage.calls_made == stage.calls_wanted);
	CHECK(stage.values_freed == stage.values_made);
	CHECK(tuza_mutex_try_lock(&stage.mutex));
	CHECK(tuza_semaphore_try_acquire(&stage.semaphore, 4));
	tuza_chan_release(stage.chan);
}

TEST(random_trees_of_contexts_wake_call_and_free_everything_once)
{
	uint64_t seed = test_seed();
	int64_t end = test_stress_end();

	do
		run_round(&seed);
	while (tuza_now() < end && !test_failures);
}
