// SPDX-License-Identifier: MIT
/*
 * Pools. After Go's sync/pool_test.go; there is no collector, so what is kept is bounded and
 * dropped by name.
 */
#include "sync_support.h"

struct item {
	atomic_int taken;
	int filled; // plain: ordered by put and get
};

static atomic_int made, dropped;

static void *make_item(void *arg)
{
	CHECK_EQ((intptr_t)arg, 7);
	atomic_fetch_add(&made, 1);
	return calloc(1, sizeof(struct item));
}

static void drop_item(void *item)
{
	atomic_fetch_add(&dropped, 1);
	free(item);
}

static tuza_pool counted_pool(void)
{
	made = dropped = 0;
	return (tuza_pool){.make = make_item, .arg = (void *)7, .drop = drop_item};
}

// T5.6, M50.
TEST(get_returns_what_was_put_else_what_make_makes)
{
	tuza_pool bare = {0}, pool = counted_pool();
	void *a = malloc(1);

	CHECK(tuza_pool_get(&bare) == NULL);
	tuza_pool_put(&bare, a);
	tuza_pool_put(&bare, NULL);
	CHECK(tuza_pool_get(&bare) == a);
	CHECK(tuza_pool_get(&bare) == NULL);
	tuza_pool_put(&bare, a); // freed with the pool

	void *b = tuza_pool_get(&pool);
	CHECK_EQ(made, 1);
	tuza_pool_put(&pool, b);
	CHECK(tuza_pool_get(&pool) == b);
	CHECK_EQ(made, 1);
	tuza_pool_put(&pool, b);
	tuza_pool_free(&bare);
	tuza_pool_free(&pool);
	CHECK_EQ(dropped, 1);
	tuza_pool_put(&pool, tuza_pool_get(&pool)); // usable again
	tuza_pool_free(&pool);
	CHECK_EQ(dropped, 2);
}

// M50: any item may vanish; none is lost without being dropped.
TEST(pool_keeps_a_bounded_number_of_items)
{
	enum { N = 100000 };
	tuza_pool pool = counted_pool();

	for (int i = 0; i < N; i++)
		tuza_pool_put(&pool, calloc(1, sizeof(struct item)));
	int kept = N - dropped;
	CHECK(kept > 0);
	CHECK(kept <= 63 * 1024);
	tuza_pool_free(&pool);
	CHECK_EQ(dropped, N);
}

static void take_and_give(void *arg)
{
	tuza_pool *pool = arg;
	struct item *items[4];

	for (int turn = 0; turn < 2000; turn++) {
		for (int i = 0; i < 4; i++) {
			items[i] = tuza_pool_get(pool);
			CHECK_EQ(atomic_exchange(&items[i]->taken, 1), 0);
			items[i]->filled = turn;
		}
		if (turn % 64 == 0)
			tuza_yield();
		for (int i = 0; i < 4; i++) {
			CHECK_EQ(items[i]->filled, turn);
			atomic_store(&items[i]->taken, 0);
			tuza_pool_put(pool, items[i]);
		}
	}
}

static void *take_and_give_on_thread(void *pool)
{
	take_and_give(pool);
	return NULL;
}

// T5.6: Go: TestPoolStress: nobody gets an item that another has; all are dropped in the end.
TEST(item_is_given_to_one_at_a_time)
{
	tuza_pool pool = counted_pool();
	pthread_t thread;

	pthread_create(&thread, NULL, take_and_give_on_thread, &pool);
	run_goroutines(10, take_and_give, &pool);
	tuza_blocking_begin();
	pthread_join(thread, NULL);
	tuza_blocking_end();
	tuza_pool_free(&pool);
	CHECK_EQ(dropped, made);
}

static void get_from_nil(void *arg)
{
	(void)arg;
	tuza_pool_get(NULL);
}

static void put_to_nil(void *arg) { tuza_pool_put(NULL, arg); }

// M50.
TEST(nil_pool_panics)
{
	CHECK_PANICS("nil Pool", get_from_nil, NULL);
	CHECK_PANICS("nil Pool", put_to_nil, &made);
}
