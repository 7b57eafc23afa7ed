// SPDX-License-Identifier: MIT
/*
 * Handles: spawn, join, detach. What the panic of a detached goroutine does is in
 * die/detached_panic.c.
 */
#include "../test.h"

#include <pthread.h>

static void nothing(void *arg) { (void)arg; }
static void set_to_one(void *arg) { *(int *)arg = 1; }
static void panics(void *arg)
{
	(void)arg;
	tuza_panic("in a spawned goroutine");
}
static void exits(void *arg)
{
	(void)arg;
	tuza_goexit();
}

TEST(join_frees_the_handle_before_and_after_the_end)
{
	for (int i = 0; i < 2000; i++) {
		int set = 0;
		tuza_goroutine *g = tuza_spawn(set_to_one, &set);

		if (i % 2)
			WAIT_UNTIL(tuza_num_goroutine() == 1);
		CHECK_EQ(tuza_join(g), 0);
		CHECK_EQ(set, 1);
	}
}

TEST(many_are_joined_in_any_order)
{
	enum { N = 5000 };
	static tuza_goroutine *handles[N];
	static int set[N];

	memset(set, 0, sizeof(set));
	for (int i = 0; i < N; i++)
		handles[i] = tuza_spawn(set_to_one, &set[i]);
	for (int i = 0; i < N; i++) {
		int k = i * 3001 % N;

		CHECK_EQ(tuza_join(handles[k]), 0);
		CHECK_EQ(set[k], 1);
	}
}

static int defers;
static void count_defer(int *n) { ++*n; }

static void panic_with_defers(void *arg)
{
	TUZA_DEFER(count_defer, &defers);
	TUZA_DEFER(count_defer, &defers);
	panics(arg);
}

static void panic_contained_inside(void *arg)
{
	CHECK_EQ(tuza_try(panics, arg, NULL), TUZA_EPANIC);
}

static void panic_while_exiting(void *arg)
{
	TUZA_DEFER(panics, arg);
	tuza_goexit();
}

static void exit_while_panicking(void *arg)
{
	TUZA_DEFER(exits, arg);
	tuza_panic("given up for an exit");
}

static void exit_inside_a_try(void *arg) { TUZA_IGNORE(tuza_try(exits, arg, NULL)); }

// A panic is contained, its defers have run; a goexit is none, and wins over a panic (P8).
TEST(join_tells_a_panic)
{
	static void (*const fns[])(void *) = {nothing, exits, panic_contained_inside,
		exit_inside_a_try, exit_while_panicking, panic_while_exiting};

	for (size_t i = 0; i < sizeof(fns) / sizeof(fns[0]); i++)
		CHECK_EQ(tuza_join(tuza_spawn(fns[i], NULL)), 0);
	defers = 0;
	CHECK_EQ(tuza_join(tuza_spawn(panic_with_defers, NULL)), TUZA_EPANIC);
	CHECK_EQ(defers, 2);
}

static void spawn_and_join(void *depth)
{
	if (*(int *)depth > 0) {
		int less = *(int *)depth - 1;
		CHECK_EQ(tuza_join(tuza_spawn(spawn_and_join, &less)), less > 0 ? 0 : TUZA_EPANIC);
		return;
	}
	tuza_panic("at the bottom");
}

// The panic of a child is the child's.
TEST(panics_stay_in_the_spawned_goroutine)
{
	int depth = 20;

	CHECK_EQ(tuza_join(tuza_spawn(spawn_and_join, &depth)), 0);
}

static void sleep_a_little(void *d) { tuza_sleep(*(tuza_duration *)d); }

TEST(join_waits)
{
	tuza_duration d = 10 * TUZA_MILLISECOND;
	int64_t before = tuza_now();

	CHECK_EQ(tuza_join(tuza_spawn(sleep_a_little, &d)), 0);
	CHECK(tuza_now() >= before + d);
}

static void join_it(void *g) { CHECK_EQ(tuza_join(g), 0); }
static void wait_for_value(void *c) { tuza_chan_recv(c, NULL); }

TEST(joiner_is_shown_with_its_reason)
{
	tuza_chan *c = tuza_chan_new(0, 0);
	tuza_goroutine *g = tuza_spawn(wait_for_value, c);
	tuza_goroutine *joiner = tuza_spawn(join_it, g);

	wait_parked("tuza_join", 1);
	tuza_chan_send(c, NULL);
	CHECK_EQ(tuza_join(joiner), 0);
	tuza_chan_release(c);
}

// Whoever comes last frees: here it is either.
TEST(detach_beside_the_end)
{
	for (int i = 0; i < 5000; i++) {
		tuza_goroutine *g = tuza_spawn(i % 2 ? nothing : exits, NULL);

		if (i % 3 == 0)
			tuza_yield();
		tuza_detach(g);
	}
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}

// It had ended when it was detached: nobody is told of the panic any more.
TEST(detaching_one_that_panicked_is_no_panic)
{
	tuza_goroutine *g = tuza_spawn(panics, NULL);

	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_detach(g);
}

static atomic_int destroyed;
static void destroy(void *value)
{
	tuza_sleep(TUZA_MILLISECOND);
	(void)value;
	atomic_fetch_add(&destroyed, 1);
}
static tuza_local *key;
static void set_local(void *value) { CHECK_EQ(tuza_local_set(key, value), 0); }

// What its local values' destructors do belongs to what join has awaited.
TEST(join_comes_after_the_destructors_of_local_values)
{
	int value;

	key = tuza_local_new(destroy);
	for (int i = 1; i <= 10; i++) {
		CHECK_EQ(tuza_join(tuza_spawn(set_local, &value)), 0);
		CHECK_EQ(destroyed, i);
	}
	tuza_local_free(key);
}

static void *join_on_a_thread(void *g)
{
	CHECK_EQ(tuza_join(g), 0);
	return NULL;
}

// Plain threads spawn and join, and start the runtime by it.
TEST_PLAIN(handles_work_on_plain_threads)
{
	tuza_duration d = 5 * TUZA_MILLISECOND;
	tuza_goroutine *g = tuza_spawn(sleep_a_little, &d);
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, join_on_a_thread, g), 0);
	CHECK_EQ(tuza_join(tuza_spawn(panics, NULL)), TUZA_EPANIC);
	tuza_detach(tuza_spawn(nothing, NULL));
	pthread_join(thread, NULL);
	WAIT_UNTIL(tuza_num_goroutine() == 0);
}

static void join_null(void *arg) { (void)tuza_join(arg); }
static void detach_null(void *arg) { tuza_detach(arg); }
static tuza_goroutine *_Atomic myself;
static void join_oneself(void *arg)
{
	(void)arg;
	while (!myself)
		tuza_yield();
	(void)tuza_join(myself);
}
static void join_in_section(void *g)
{
	tuza_blocking_begin();
	(void)tuza_join(g); // would have to wait
	tuza_blocking_end();
}

TEST(misuse_of_handles_panics)
{
	tuza_chan *c = tuza_chan_new(0, 0);
	tuza_goroutine *g = tuza_spawn(wait_for_value, c);

	CHECK_PANICS("tuza_join of a NULL handle", join_null, NULL);
	CHECK_PANICS("tuza_detach of a NULL handle", detach_null, NULL);
	CHECK_PANICS("tuza: tuza_join inside a blocking section", join_in_section, g);
	tuza_chan_send(c, NULL);
	CHECK_EQ(tuza_join(g), 0);
	myself = tuza_spawn(join_oneself, NULL);
	CHECK_EQ(tuza_join(myself), TUZA_EPANIC);
	tuza_chan_release(c);
}
