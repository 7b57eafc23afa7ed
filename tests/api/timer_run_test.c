// SPDX-License-Identifier: MIT
/*
 * Timers on plain threads, and over the ends of runs.
 */
#include "timer_support.h"

#include <pthread.h>

static void *use_timers(void *finished)
{
	atomic_int n = 0;
	int64_t before = tuza_now(), at;
	tuza_timer *t = tuza_timer_new(MS);

	CHECK(recv_time(tuza_timer_chan(t), &at));
	CHECK(at >= before + MS);
	CHECK(!tuza_timer_reset(t, TUZA_HOUR));
	CHECK(tuza_timer_stop(t));
	tuza_timer_free(t);
	t = tuza_after_func(0, count, &n);
	WAIT_UNTIL(n == 1);
	tuza_timer_free(t);
	count(finished);
	return NULL;
}

// A plain thread may use timers, and start the runtime by it.
TEST_PLAIN(timers_work_on_plain_threads)
{
	atomic_int finished = 0;
	pthread_t threads[4];

	use_timers(&finished);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, use_timers, &finished), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(finished, 5);
}

static tuza_timer *kept[4];
static tuza_ticker *kept_ticker;
static atomic_int kept_calls;

static int begin_kept(void *arg)
{
	(void)arg;
	kept[0] = tuza_timer_new(TUZA_HOUR);
	kept[1] = tuza_timer_new(0);
	kept[2] = tuza_after_func(TUZA_HOUR, count, &kept_calls);
	kept[3] = tuza_timer_new(5 * MS);
	kept_ticker = tuza_ticker_new(5 * MS);
	tuza_sleep(2 * MS);
	return 0;
}

static int use_kept(void *arg)
{
	int64_t at;

	(void)arg;
	for (int i = 0; i < 2; i++)
		CHECK(recv_time(tuza_ticker_chan(kept_ticker), &at));
	CHECK(recv_time(tuza_timer_chan(kept[3]), &at));
	CHECK(tuza_timer_stop(kept[0]));
	CHECK(!tuza_timer_stop(kept[2])); // the end of the run has
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(tuza_timer_reset(kept[i], MS), i); // the value of kept[1] waited
		CHECK(recv_time(tuza_timer_chan(kept[i]), &at));
	}
	CHECK(!tuza_timer_reset(kept[2], 0));
	WAIT_UNTIL(kept_calls == 1);
	CHECK(!tuza_timer_reset(kept[0], TUZA_HOUR));
	return 0;
}

// Those with channels go on in the next run; calls are dropped, as goroutines are.
TEST_PLAIN(timers_outlive_their_run)
{
	CHECK_EQ(tuza_run(begin_kept, NULL), 0);
	CHECK_EQ(tuza_run(use_kept, NULL), 0);
	tuza_ticker_free(kept_ticker);
	for (int i = 0; i < 4; i++)
		tuza_timer_free(kept[i]);
}

static int end_at_once(void *arg)
{
	(void)arg;
	return 0;
}

static void *wait_for_timers(void *timer)
{
	tuza_chan *never = tuza_chan_new(0, 0);

	CHECK_EQ(TUZA_SELECT(TUZA_RECV(never, NULL), TUZA_AFTER(30 * MS)), 1);
	CHECK(tuza_recv(tuza_timer_chan(timer), &(int64_t){0}));
	tuza_chan_release(never);
	return NULL;
}

// A plain thread's wait ends when its time is up, whatever runs begin and end meanwhile.
TEST_PLAIN(plain_threads_wait_for_timers_across_runs)
{
	tuza_timer *timer = tuza_timer_new(60 * MS);
	pthread_t threads[3];

	CHECK_EQ(tuza_run(end_at_once, NULL), 0);
	for (int i = 0; i < 3; i++) {
		tuza_timer *t = i == 0 ? timer : tuza_timer_new(45 * MS + i);
		CHECK_EQ(pthread_create(&threads[i], NULL, wait_for_timers, t), 0);
		usleep(1000 * i);
		CHECK_EQ(tuza_run(end_at_once, NULL), 0);
		if (i != 0)
			kept[i] = t;
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (int i = 1; i < 3; i++)
		tuza_timer_free(kept[i]);
	tuza_timer_free(timer);
	WAIT_UNTIL(tuza_shutdown() == 0);
}
