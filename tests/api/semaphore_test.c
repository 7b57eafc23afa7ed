// SPDX-License-Identifier: MIT
/*
 * Weighted semaphores. After golang.org/x/sync/semaphore's tests.
 */
#include "sync_support.h"

struct held {
	tuza_semaphore s;
	int64_t size;
	atomic_int_fast64_t sum;
	atomic_uint seeds;
};

static void hold_random_weights(void *arg)
{
	struct held *h = arg;
	unsigned seed = atomic_fetch_add(&h->seeds, 1);

	for (int i = 0; i < 500; i++) {
		int64_t n = rand_r(&seed) % (h->size + 1);
		if (i % 2 == 0)
			tuza_semaphore_wait(&h->s, n);
		else if (!tuza_semaphore_try_acquire(&h->s, n))
			continue;
		CHECK(atomic_fetch_add(&h->sum, n) + n <= h->size);
		if (i % 8 == 0)
			tuza_yield();
		atomic_fetch_sub(&h->sum, n);
		tuza_semaphore_release(&h->s, n);
	}
}

static void *hold_on_thread(void *arg)
{
	hold_random_weights(arg);
	return NULL;
}

// T7.2: the hammer: never more than the size is held, nobody waits for ever.
TEST(no_more_than_the_size_is_held)
{
	struct held h = {.size = 10};
	pthread_t thread;

	tuza_semaphore_init(&h.s, h.size);
	pthread_create(&thread, NULL, hold_on_thread, &h);
	run_goroutines(12, hold_random_weights, &h);
	tuza_blocking_begin();
	pthread_join(thread, NULL);
	tuza_blocking_end();
	CHECK(tuza_semaphore_try_acquire(&h.s, h.size));
}

// T7.2: Go: TestWeightedTryAcquire.
TEST(try_acquire_takes_what_is_free)
{
	tuza_semaphore s;

	tuza_semaphore_init(&s, 2);
	CHECK(tuza_semaphore_try_acquire(&s, 1));
	CHECK(tuza_semaphore_try_acquire(&s, 1));
	CHECK(!tuza_semaphore_try_acquire(&s, 1));
	CHECK(tuza_semaphore_try_acquire(&s, 0));
	tuza_semaphore_release(&s, 2);
	CHECK(tuza_semaphore_try_acquire(&s, 1));
	CHECK(!tuza_semaphore_try_acquire(&s, 2));
	tuza_semaphore_release(&s, 1);
	tuza_semaphore_wait(&s, 2);
	CHECK(!tuza_semaphore_try_acquire(&s, 1));
}

static void release_one(void *s) { tuza_semaphore_release(s, 1); }
static void release_negative(void *s) { tuza_semaphore_release(s, -1); }
static void acquire_negative(void *s) { tuza_semaphore_wait(s, -1); }
static void acquire_one(void *s) { tuza_semaphore_wait(s, 1); }
static void init_negative(void *s) { tuza_semaphore_init(s, -1); }

// T7.2, E3.
TEST(semaphore_panics_when_more_is_released_than_held)
{
	tuza_semaphore s = {0};

	CHECK_PANICS("semaphore: released more than held", release_one, &s);
	tuza_semaphore_init(&s, 1);
	CHECK_PANICS("semaphore: released more than held", release_one, &s);
	CHECK(tuza_semaphore_try_acquire(&s, 1));
	tuza_semaphore_release(&s, 1);
	CHECK_PANICS("semaphore: released more than held", release_one, &s);
	CHECK_PANICS("tuza: negative semaphore weight", release_negative, &s);
	CHECK_PANICS("tuza: negative semaphore weight", acquire_negative, &s);
	CHECK_PANICS("tuza: semaphore size out of range", init_negative, &s);
}

static void acquire_three(void *s) { tuza_semaphore_wait(s, 3); }

// T7.2, E3: larger than the size: waits for ever, others go on.
TEST(too_large_a_request_does_not_keep_others_waiting)
{
	static tuza_semaphore s; // static: it is waited on to the end

	tuza_semaphore_init(&s, 2);
	CHECK(tuza_semaphore_try_acquire(&s, 2));
	CHECK(blocks(acquire_three, &s));
	CHECK(wait_parked("semacquire", 1));
	tuza_semaphore_release(&s, 2);
	CHECK(tuza_semaphore_try_acquire(&s, 1));
	tuza_semaphore_release(&s, 1);
	CHECK(blocks(acquire_three, &s));
}

// T7.2, E3: strict order: small requests do not pass a large one.
TEST(large_request_does_not_starve)
{
	tuza_semaphore s;

	tuza_semaphore_init(&s, 3);
	tuza_semaphore_wait(&s, 2);
	CHECK(blocks(acquire_three, &s));
	CHECK(wait_parked("semacquire", 1));
	CHECK(!tuza_semaphore_try_acquire(&s, 1));
	CHECK(blocks(acquire_one, &s));
	CHECK(wait_parked("semacquire", 2));
	tuza_semaphore_release(&s, 1);
	CHECK(wait_parked("semacquire", 2));
	tuza_semaphore_release(&s, 1); // the large one's turn
	WAIT_UNTIL(test_probes_pending() == 1);
	CHECK_EQ(test_count_in_dump("[semacquire"), 1);
	tuza_semaphore_release(&s, 2); // the small one's
	WAIT_UNTIL(test_probes_pending() == 0);
	CHECK(tuza_semaphore_try_acquire(&s, 1));
	CHECK(!tuza_semaphore_try_acquire(&s, 1));
}

struct guarded {
	tuza_semaphore s;
	int value; // plain: ordered by the semaphore
};

static void count_alone(void *arg)
{
	struct guarded *g = arg;

	for (int i = 0; i < 1000; i++) {
		tuza_semaphore_wait(&g->s, 1);
		g->value++;
		tuza_semaphore_release(&g->s, 1);
	}
}

// E3: of size 1 it is a lock, with a lock's order.
TEST(release_is_ordered_before_the_acquire_that_it_allows)
{
	struct guarded g = {.value = 0};

	tuza_semaphore_init(&g.s, 1);
	run_goroutines(6, count_alone, &g);
	CHECK_EQ(g.value, 6000);
}
