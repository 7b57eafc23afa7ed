// SPDX-License-Identifier: MIT
/*
 * The histogram of scheduling latencies (src/sched/latency.c), and the hooks that feed it.
 */
#include "test.h"

#include "sched/latency.h"

TEST_PLAIN(each_bucket_begins_where_it_says)
{
	for (uint32_t i = 0; i < LATENCY_BUCKETS; i++) {
		int64_t from = latency_bucket_from(i);

		CHECK_EQ(latency_bucket(from), i);
		if (i > 0)
			CHECK_EQ(latency_bucket(from - 1), i - 1);
	}
	CHECK_EQ(latency_bucket_from(3), 384);
	CHECK_EQ(latency_bucket_from(4), 512);
	CHECK_EQ(latency_bucket_from(LATENCY_BUCKETS - 1), (int64_t)1 << 47);
}

TEST_PLAIN(durations_out_of_range_fall_into_the_outermost_buckets)
{
	CHECK_EQ(latency_bucket(INT64_MIN), 0);
	CHECK_EQ(latency_bucket(-1), 0);
	CHECK_EQ(latency_bucket(INT64_MAX), LATENCY_BUCKETS - 1);
}

static uint64_t count_from(int64_t least, uint64_t *total)
{
	uint64_t counts[LATENCY_BUCKETS] = {0}, n = 0;

	*total = 0;
	latency_add_up(counts, total);
	for (uint32_t i = latency_bucket(least); i < LATENCY_BUCKETS; i++)
		n += counts[i];
	return n;
}

static void nothing(void *arg) { (void)arg; }

enum { GOROUTINES = 800 };
static const int64_t hogged = 5 * TUZA_MILLISECOND;

static void start_and_hog(void)
{
	tuza_gomaxprocs(1);
	for (int i = 0; i < GOROUTINES; i++)
		CHECK_EQ(tuza_go(nothing, NULL), 0);
	for (int64_t until = tuza_now() + hogged; tuza_now() < until;)
		;
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}

// One in eight of 800: to see less than 40 is a matter of 1 in 10^12.
TEST(one_in_eight_goroutines_that_start_is_counted)
{
	uint64_t total;

	start_and_hog();
	CHECK_EQ(count_from(0, &total), 0); // not asked for
	latency_measure();
	start_and_hog();
	uint64_t n = count_from(0, &total);

	CHECK(n > 40);
	CHECK(n < GOROUTINES / 2);
}

TEST(the_time_in_the_queue_is_what_is_measured)
{
	uint64_t total = 0, n = 0;

	latency_measure();
	// On a slow machine a processor may be lent, so that they need not wait.
	for (int i = 0; i < 50 && n == 0; i++) {
		start_and_hog();
		n = count_from(hogged / 2, &total);
	}
	CHECK(n > 0);
	CHECK(total >= n * (uint64_t)hogged / 2);
}

TEST(a_goroutine_that_was_parked_is_counted_as_well)
{
	uint64_t total, before;

	latency_measure();
	before = count_from(0, &total);
	// On a slow machine a sleep may be over before it parks.
	WAIT_UNTIL((tuza_sleep(TUZA_MICROSECOND), count_from(0, &total) > before + 40));
}
