// SPDX-License-Identifier: MIT
/*
 * What is done sometimes. After golang.org/x/time/rate's tests.
 */
#include "sync_support.h"

#include <tuza/limiter.h>

static void count(void *n) { ++*(int *)n; }

static int done_of_ten(tuza_sometimes s) // tuza-vet: ignore copylocks, it is a new one
{
	int done = 0;
	for (int i = 0; i < 10; i++)
		tuza_sometimes_do(&s, count, &done);
	return done;
}

// E7, T7.4
TEST(sometimes_is_on_each_occasion_that_a_field_names)
{
	CHECK_EQ(done_of_ten((tuza_sometimes){0}), 1);
	CHECK_EQ(done_of_ten((tuza_sometimes){.first = 1}), 1);
	CHECK_EQ(done_of_ten((tuza_sometimes){.first = 4}), 4);
	CHECK_EQ(done_of_ten((tuza_sometimes){.every = 1}), 10);
	CHECK_EQ(done_of_ten((tuza_sometimes){.every = 3}), 4);             // 0 3 6 9
	CHECK_EQ(done_of_ten((tuza_sometimes){.every = 20}), 1);            // 0
	CHECK_EQ(done_of_ten((tuza_sometimes){.first = 2, .every = 3}), 5); // 0 1 3 6 9
	CHECK_EQ(done_of_ten((tuza_sometimes){.interval = TUZA_HOUR}), 1);
	CHECK_EQ(done_of_ten((tuza_sometimes){.first = 3, .interval = TUZA_HOUR}), 3);
}

TEST(sometimes_is_again_when_the_interval_has_passed)
{
	tuza_sometimes s = {.interval = 2 * TUZA_MILLISECOND};
	int done = 0;

	for (int i = 1; i <= 3; i++) {
		tuza_sometimes_do(&s, count, &done);
		CHECK_EQ(done, i);
		tuza_sleep(2 * TUZA_MILLISECOND);
	}
}

static void explode(void *arg)
{
	(void)arg;
	tuza_panic("it is not the time");
}
static void explode_sometimes(void *s) { tuza_sometimes_do(s, explode, NULL); }

TEST(a_panic_in_sometimes_does_not_count_and_leaves_it_usable)
{
	tuza_sometimes s = {.first = 1};
	int done = 0;

	CHECK_PANICS("it is not the time", explode_sometimes, &s);
	tuza_sometimes_do(&s, count, &done);
	tuza_sometimes_do(&s, count, &done);
	CHECK_EQ(done, 1);
}

struct occasions {
	tuza_sometimes s;
	int done; // plain: one call at a time
};

static void complain_often(void *arg)
{
	struct occasions *o = arg;
	for (int i = 0; i < 100; i++)
		tuza_sometimes_do(&o->s, count, &o->done);
}

TEST(sometimes_does_one_call_at_a_time)
{
	struct occasions o = {.s = {.every = 2}};

	run_goroutines(8, complain_often, &o);
	CHECK_EQ(o.done, 400);
}
