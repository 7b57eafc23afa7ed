// SPDX-License-Identifier: MIT
/*
 * Goroutine-local storage: one pointer per goroutine and key, destroyed with its goroutine.
 */
#include "../test.h"

#include <pthread.h>

static atomic_int destroyed, destroyed_sum;

static void destroy(void *value)
{
	atomic_fetch_add(&destroyed_sum, *(int *)value);
	atomic_fetch_add(&destroyed, 1);
	free(value);
}

static void begin(void)
{
	atomic_store(&destroyed, 0);
	atomic_store(&destroyed_sum, 0);
}

static int *new_int(int v)
{
	int *p = malloc(sizeof(*p));

	*p = v;
	return p;
}

static void set_and_keep(tuza_local *key, int v)
{
	int *mine = new_int(v);

	CHECK(tuza_local_get(key) == NULL);
	CHECK_EQ(tuza_local_set(key, mine), 0);
	for (int i = 0; i < 20; i++) {
		tuza_yield();
		CHECK(tuza_local_get(key) == mine);
	}
}

// A value belongs to its goroutine, whatever thread it runs on; descriptors that are used again
// begin empty.
TEST(local_values_are_kept_apart_and_destroyed_at_the_end)
{
	tuza_local *key = tuza_local_new(destroy);
	int mine = 5, sum = 0;

	begin();
	if (!CHECK(key != NULL))
		return;
	CHECK_EQ(tuza_local_set(key, &mine), 0);
	for (int turn = 0; turn < 5; turn++) {
		for (int i = 0; i < 100; i++) {
			TUZA_GO(set_and_keep, key, i);
			sum += i;
		}
		WAIT_UNTIL(destroyed == (turn + 1) * 100);
	}
	CHECK_EQ(destroyed_sum, sum);
	CHECK(tuza_local_get(key) == &mine);
	CHECK_EQ(tuza_local_set(key, NULL), 0);
	tuza_local_free(key);
}

static void use_many(tuza_local **keys, int n)
{
	for (int i = 0; i < n; i++)
		CHECK_EQ(tuza_local_set(keys[i], new_int(i)), 0);
	for (int i = 0; i < n; i++)
		CHECK_EQ(*(int *)tuza_local_get(keys[i]), i);
}

TEST(many_keys_live_side_by_side)
{
	enum { N = 200 };
	tuza_local *keys[N];

	begin();
	for (int i = 0; i < N; i++)
		CHECK((keys[i] = tuza_local_new(destroy)) != NULL);
	TUZA_GO(use_many, keys, (int)N);
	WAIT_UNTIL(destroyed == N);
	CHECK_EQ(destroyed_sum, N * (N - 1) / 2);
	for (int i = 0; i < N; i++)
		tuza_local_free(keys[i]);
}

static void exit_with_value(tuza_local *key)
{
	CHECK_EQ(tuza_local_set(key, new_int(1)), 0);
	tuza_goexit();
}

static void panic_with_value(void *key)
{
	CHECK_EQ(tuza_local_set(key, new_int(10)), 0);
	tuza_panic("after the set");
}

TEST(destructor_runs_after_goexit_and_after_a_contained_panic)
{
	tuza_local *key = tuza_local_new(destroy);

	begin();
	TUZA_GO(exit_with_value, key);
	CHECK_EQ(tuza_join(tuza_spawn(panic_with_value, key)), TUZA_EPANIC);
	WAIT_UNTIL(destroyed == 2);
	CHECK_EQ(destroyed_sum, 11);
	tuza_local_free(key);
}

static void replace(tuza_local *key)
{
	int *first = new_int(1);

	CHECK_EQ(tuza_local_set(key, first), 0);
	CHECK_EQ(tuza_local_set(key, new_int(2)), 0); // the first is the program's again
	free(first);
}

static void clear(tuza_local *key)
{
	int *first = new_int(4);

	CHECK_EQ(tuza_local_set(key, first), 0);
	CHECK_EQ(tuza_local_set(key, NULL), 0);
	free(first);
}

TEST(only_the_last_value_is_destroyed_and_null_never)
{
	tuza_local *key = tuza_local_new(destroy), *plain = tuza_local_new(NULL);
	static int kept;

	begin();
	TUZA_GO(replace, key);
	TUZA_GO(clear, key);
	TUZA_GO(tuza_local_set, plain, &kept);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	CHECK_EQ(destroyed, 1);
	CHECK_EQ(destroyed_sum, 2);
	tuza_local_free(key);
	tuza_local_free(plain);
}

static tuza_local *shared_key;

// The destructor may look at other keys, and park.
static void destroy_and_park(void *value)
{
	tuza_yield();
	tuza_sleep(TUZA_MICROSECOND);
	CHECK(tuza_local_get(shared_key) == NULL);
	destroy(value);
}

static void set_shared(void) { CHECK_EQ(tuza_local_set(shared_key, new_int(3)), 0); }

TEST(destructor_may_park)
{
	begin();
	shared_key = tuza_local_new(destroy_and_park);
	for (int i = 0; i < 10; i++)
		TUZA_GO(set_shared);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	CHECK_EQ(destroyed_sum, 30);
	tuza_local_free(shared_key);
}

static void destroy_and_exit(void *value)
{
	destroy(value);
	tuza_goexit();
}

static void set_three(void *keys)
{
	for (int i = 0; i < 3; i++)
		CHECK_EQ(tuza_local_set(((tuza_local **)keys)[i], new_int(1 + i)), 0);
}

// The other destructors are called, and the join hears of the end.
TEST(destructor_may_end_its_goroutine)
{
	tuza_local *keys[3] = {tuza_local_new(destroy_and_exit), tuza_local_new(destroy),
		tuza_local_new(destroy_and_exit)};

	begin();
	CHECK_EQ(tuza_join(tuza_spawn(set_three, keys)), 0);
	CHECK_EQ(tuza_go(set_three, keys), 0);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	CHECK_EQ(destroyed, 6);
	CHECK_EQ(destroyed_sum, 12);
	for (int i = 0; i < 3; i++)
		tuza_local_free(keys[i]);
}

static void *on_a_thread(void *key)
{
	CHECK(tuza_local_get(key) == NULL);
	CHECK_EQ(tuza_local_set(key, new_int(100)), 0);
	CHECK_EQ(*(int *)tuza_local_get(key), 100);
	return NULL;
}

// A plain thread has values of its own, destroyed when it ends.
TEST_PLAIN(plain_threads_have_local_values_too)
{
	tuza_local *key = tuza_local_new(destroy);
	pthread_t thread;

	begin();
	CHECK(tuza_local_get(key) == NULL);
	pthread_create(&thread, NULL, on_a_thread, key);
	pthread_join(thread, NULL);
	CHECK_EQ(destroyed, 1);
	CHECK_EQ(destroyed_sum, 100);
	CHECK(tuza_local_get(key) == NULL);
	tuza_local_free(key);
}

static tuza_local *main_keys[3];

static void destroy_after_others(void *value)
{
	for (int i = 0; i < 3; i++)
		tuza_yield();
	tuza_sleep(TUZA_MICROSECOND);
	CHECK_EQ(tuza_join(tuza_spawn(destroy, value)), 0);
}

static int set_in_main(void *n)
{
	set_three(main_keys);
	return *(int *)n;
}

// The main goroutine is not dropped by its own end: what its destructors do is part of the run.
TEST_PLAIN(destructors_of_the_main_goroutine_may_park_and_run_to_their_end)
{
	main_keys[0] = tuza_local_new(destroy_after_others);
	main_keys[1] = tuza_local_new(destroy_and_exit);
	main_keys[2] = tuza_local_new(destroy_after_others);
	begin();
	for (int i = 1; i <= 20; i++) {
		CHECK_EQ(tuza_run(set_in_main, &i), i);
		CHECK_EQ(destroyed, 3 * i);
	}
	CHECK_EQ(destroyed_sum, 20 * 6);
	for (int i = 0; i < 3; i++)
		tuza_local_free(main_keys[i]);
}
