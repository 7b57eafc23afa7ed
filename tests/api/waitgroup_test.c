// SPDX-License-Identifier: MIT
/*
 * Waitgroups. After Go's sync/waitgroup_test.go.
 */
#include "sync_support.h"

struct barrier {
	tuza_waitgroup first, second;
	atomic_int exited;
};

static void meet(void *arg)
{
	struct barrier *b = arg;

	tuza_waitgroup_done(&b->first);
	tuza_waitgroup_wait(&b->second);
	atomic_fetch_add(&b->exited, 1);
}

// T5.3, M20: Go: TestWaitGroup, eight times with the same two groups.
TEST(waitgroup_is_used_again_after_its_wait)
{
	enum { N = 16 };
	struct barrier b = {0};

	for (int round = 0; round < 8; round++) {
		atomic_store(&b.exited, 0);
		tuza_waitgroup_add(&b.first, N);
		tuza_waitgroup_add(&b.second, N);
		for (int i = 0; i < N; i++)
			TUZA_GO(meet, &b);
		tuza_waitgroup_wait(&b.first);
		for (int i = 0; i < N; i++) {
			CHECK_EQ(atomic_load(&b.exited), 0);
			tuza_waitgroup_done(&b.second);
		}
		WAIT_UNTIL(atomic_load(&b.exited) == N);
	}
}

static void add_negative(void *wg)
{
	tuza_waitgroup_add(wg, 1);
	tuza_waitgroup_done(wg);
	tuza_waitgroup_done(wg);
}

// M21.
TEST(negative_counter_panics_and_stays_as_it_was)
{
	tuza_waitgroup wg = {0};

	CHECK_PANICS("sync: negative WaitGroup counter", add_negative, &wg);
	tuza_waitgroup_wait(&wg);
	tuza_waitgroup_add(&wg, 2);
	tuza_waitgroup_add(&wg, -2);
	tuza_waitgroup_wait(&wg);
}

struct work {
	tuza_waitgroup wg;
	int results[3]; // plain: ordered by the group
};

static void work_at(struct work *w, int i, tuza_waitgroup *ended)
{
	w->results[i] = i + 1;
	tuza_waitgroup_done(&w->wg);
	tuza_waitgroup_done(ended);
}

// T5.3, M23: no wait returns early, and what was done is visible. Rule 1, last touch: the group may
// be freed when it returns.
TEST(wait_returns_after_all_is_done_and_sees_it)
{
	for (int round = 0; round < 1000; round++) {
		struct work w = {0}, poison;
		tuza_waitgroup ended = {0};

		tuza_waitgroup_add(&w.wg, 3);
		tuza_waitgroup_add(&ended, 3);
		for (int i = 0; i < 3; i++)
			TUZA_GO(work_at, &w, i, &ended);
		tuza_waitgroup_wait(&w.wg);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(w.results[i], i + 1);
		memset(&w, 0xa5, sizeof(w)); // as if it were freed and used for something else
		memset(&poison, 0xa5, sizeof(poison));
		tuza_waitgroup_wait(&ended);
		CHECK(memcmp(&w, &poison, sizeof(w)) == 0);
	}
}

static void wait_and_count(struct barrier *b)
{
	tuza_waitgroup_wait(&b->first);
	atomic_fetch_add(&b->exited, 1);
}

// M20: many waiters, all released by one done; used again as soon as one of them is back.
TEST(one_done_releases_all_waiters)
{
	enum { N = 100 };
	struct barrier b = {0};

	tuza_waitgroup_add(&b.first, 1);
	for (int i = 0; i < N; i++)
		TUZA_GO(wait_and_count, &b);
	CHECK(wait_parked("sync.WaitGroup.Wait", N));
	CHECK_EQ(b.exited, 0);
	TUZA_GO(tuza_waitgroup_done, &b.first);
	tuza_waitgroup_wait(&b.first);
	tuza_waitgroup_add(&b.first, 1); // the others' waits belong to the zero before
	WAIT_UNTIL(atomic_load(&b.exited) == N);
	tuza_waitgroup_done(&b.first);
	tuza_waitgroup_wait(&b.first);
}

static void *done_on_thread(void *wg)
{
	tuza_waitgroup_done(wg);
	return NULL;
}

static void *wait_on_thread(void *wg)
{
	tuza_waitgroup_wait(wg);
	return NULL;
}

// Threads are counted and wait as goroutines do.
TEST(waitgroup_works_between_goroutines_and_threads)
{
	for (int round = 0; round < 50; round++) {
		tuza_waitgroup wg = {0};
		pthread_t threads[4];

		tuza_waitgroup_add(&wg, 2);
		for (int i = 0; i < 4; i++)
			pthread_create(
				&threads[i], NULL, i < 2 ? wait_on_thread : done_on_thread, &wg);
		tuza_waitgroup_wait(&wg);
		tuza_blocking_begin();
		for (int i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		tuza_blocking_end();
	}
}

static void count_up(void *arg) { atomic_fetch_add((atomic_int *)arg, 1); }

static void exit_early(void *arg)
{
	count_up(arg);
	tuza_goexit();
}

static void panic_contained(void *arg)
{
	count_up(arg);
	tuza_panic("contained");
}

static void try_panic(void *arg) { CHECK_EQ(tuza_try(panic_contained, arg, NULL), TUZA_EPANIC); }

// M22: by return, by tuza_goexit, and after a panic that was contained.
TEST(go_counts_until_the_function_has_ended)
{
	tuza_waitgroup wg = {0};
	atomic_int n = 0;

	for (int i = 0; i < 30; i++)
		tuza_waitgroup_go(&wg,
			i % 3 == 0   ? count_up
			: i % 3 == 1 ? exit_early
				     : try_panic,
			&n);
	tuza_waitgroup_wait(&wg);
	CHECK_EQ(n, 30);
}

static void panic_at_once(void *arg)
{
	(void)arg;
	tuza_panic("out of the group");
}

static int panic_in_group(void *arg)
{
	tuza_waitgroup wg = {0};

	(void)arg;
	tuza_waitgroup_go(&wg, panic_at_once, NULL);
	tuza_waitgroup_wait(&wg);
	return 0; // must not be reached
}

// M22, golang/go#76126: the wait must not return before the process has ended.
TEST_PLAIN(panic_in_go_ends_the_process_before_the_wait_returns)
{
	if (child_case() >= 0)
		exit(tuza_run(panic_in_group, NULL));
	for (int i = 0; i < 5; i++) {
		char output[4096];
		CHECK_EQ(run_child(__func__, 0, output, sizeof(output)), 2);
		CHECK_CONTAINS(output, "panic: out of the group");
	}
}
