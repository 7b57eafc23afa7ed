// SPDX-License-Identifier: MIT
// not-under: thread its detector has a thread that wakes up all the time
// mostly-sleeps: that is what it is about
/*
 * A program that has nothing to do sleeps: neither machines, nor the monitor, nor timers wake it.
 *
 * A plain thread measures from outside. The runtime may take a while to fall asleep (it gives
 * memory back first), so a window of a second in which the whole process did next to nothing must
 * be found within fifteen; whatever wakes up periodically spoils every one of them.
 */
#include "sync_support.h"

#include <limits.h>
#include <sys/resource.h>
#include <time.h>

enum {
	WINDOWS = 15,
	SWITCHES = 20, // of all threads together in a window; the measuring takes one or two
	CPU_MICROSECONDS = 5000, // the same: half a percent of one CPU
	PARKED = 1000,
};

struct usage {
	int64_t cpu; // us
	long switches;
};

static struct usage usage_now(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (struct usage){
		.cpu = (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * INT64_C(1000000) +
		       u.ru_utime.tv_usec + u.ru_stime.tv_usec,
		.switches = u.ru_nvcsw + u.ru_nivcsw,
	};
}

// On a plain thread. The least that a window had, in *least.
static bool falls_asleep(struct usage *least)
{
	const struct timespec window = {.tv_sec = 1};

	*least = (struct usage){INT64_MAX, LONG_MAX};
	for (int i = 0; i < WINDOWS; i++) {
		struct usage before = usage_now();
		nanosleep(&window, NULL);
		struct usage after = usage_now();
		after.cpu -= before.cpu;
		after.switches -= before.switches;
		if (after.switches < least->switches)
			*least = after;
		if (after.switches <= SWITCHES && after.cpu <= CPU_MICROSECONDS)
			return true;
	}
	return false;
}

static void check_asleep(void)
{
	struct usage least;

	if (!CHECK(falls_asleep(&least)))
		printf("  at best %ld switches and %lld us of CPU time in a second\n",
			least.switches, (long long)least.cpu);
}

static void *watch(void *done)
{
	check_asleep();
	tuza_chan_close(done);
	return NULL;
}

// Goroutine 1 waits for the thread that watches the process.
static void be_watched(void)
{
	tuza_chan *done = tuza_chan_new(0, 0);
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, watch, done), 0);
	tuza_chan_recv(done, NULL);
	tuza_blocking_begin();
	pthread_join(thread, NULL);
	tuza_blocking_end();
	tuza_chan_release(done);
}

static void wait_for_end(tuza_chan *end, tuza_waitgroup *wg)
{
	tuza_chan_recv(end, NULL);
	tuza_waitgroup_done(wg);
}

static tuza_chan *park_many(tuza_waitgroup *wg)
{
	tuza_chan *end = tuza_chan_new(0, 0);

	tuza_waitgroup_add(wg, PARKED);
	for (int i = 0; i < PARKED; i++)
		TUZA_GO(wait_for_end, end, wg);
	return end;
}

static void unpark_many(tuza_chan *end, tuza_waitgroup *wg)
{
	tuza_chan_close(end);
	tuza_waitgroup_wait(wg);
	tuza_chan_release(end);
}

TEST(program_whose_goroutines_are_parked_sleeps)
{
	tuza_waitgroup wg = {0};
	tuza_chan *end = park_many(&wg);

	be_watched();
	unpark_many(end, &wg);
}

static void sleep_in_select(tuza_chan *end, tuza_waitgroup *wg)
{
	TUZA_SELECT(TUZA_RECV(end, NULL), TUZA_AFTER(TUZA_HOUR));
	tuza_waitgroup_done(wg);
}

TEST(program_with_timers_that_are_far_away_sleeps)
{
	tuza_waitgroup wg = {0};
	tuza_chan *end = park_many(&wg);
	tuza_timer *timer = tuza_timer_new(TUZA_HOUR);

	tuza_waitgroup_add(&wg, 10);
	for (int i = 0; i < 10; i++)
		TUZA_GO(sleep_in_select, end, &wg);
	be_watched();
	tuza_timer_free(timer);
	unpark_many(end, &wg);
}

static void be_busy(void *mutex)
{
	for (int i = 0; i < 10; i++) {
		tuza_mutex_lock(mutex);
		tuza_yield();
		tuza_mutex_unlock(mutex);
		tuza_sleep(10 * TUZA_MICROSECOND);
	}
	tuza_blocking_begin();
	usleep(100);
	tuza_blocking_end();
}

TEST(program_sleeps_again_after_a_burst)
{
	tuza_mutex mutex = {0};
	tuza_waitgroup wg = {0};
	tuza_chan *end = park_many(&wg);

	run_goroutines(2000, be_busy, &mutex);
	be_watched();
	unpark_many(end, &wg);
}

TEST_PLAIN(program_sleeps_whose_runtime_was_started_by_a_plain_thread)
{
	tuza_waitgroup wg = {0};
	tuza_chan *end = park_many(&wg);

	run_goroutines(100, be_busy, &(tuza_mutex){0});
	check_asleep();
	unpark_many(end, &wg);
	WAIT_UNTIL(tuza_shutdown() == 0);
}
