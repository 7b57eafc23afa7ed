// SPDX-License-Identifier: MIT
/*
 * A clock that goes back now and then, as CLOCK_MONOTONIC must not and on virtual machines did
 * (google/gvisor#8118): nothing waits for a negative time, or for ever, and nothing is counted
 * below zero.
 *
 * The program's own clock_gettime stands before the C library's.
 */
#include "../test.h"

#include <tuza/context.h>
#include <tuza/debug.h>
#include <tuza/io.h>
#include <tuza/limiter.h>
#include <tuza/select.h>
#include <tuza/sync.h>

#include <poll.h>
#include <sys/syscall.h>
#include <time.h>

#define MS TUZA_MILLISECOND

enum { BACK_MOST = 1000000 }; // ns

static atomic_int goes_back;
static atomic_uint looks;

// Every other look is up to a millisecond too early.
int clock_gettime(clockid_t clock, struct timespec *t)
{
	int error = (int)syscall(SYS_clock_gettime, clock, t);

	if (error || clock != CLOCK_MONOTONIC || !atomic_load(&goes_back))
		return error;
	unsigned look = atomic_fetch_add(&looks, 1);
	int64_t now = t->tv_sec * TUZA_SECOND + t->tv_nsec;
	if (look % 2)
		now -= look * 2654435761u % BACK_MOST;
	t->tv_sec = now / TUZA_SECOND;
	t->tv_nsec = now % TUZA_SECOND;
	return 0;
}

static int64_t real_now(clockid_t clock)
{
	struct timespec t;

	syscall(SYS_clock_gettime, clock, &t);
	return t.tv_sec * TUZA_SECOND + t.tv_nsec;
}

static tuza_waitgroup group;
static tuza_mutex mutex;
static tuza_cond cond;
static long turns;

static void sleep_often(tuza_duration d)
{
	for (int i = 0; i < 20; i++) {
		int64_t before = real_now(CLOCK_MONOTONIC);
		tuza_sleep(d);
		CHECK(real_now(CLOCK_MONOTONIC) - before >= d - BACK_MOST);
	}
	tuza_waitgroup_done(&group);
}

static void tick(void)
{
	tuza_ticker *t = tuza_ticker_new(MS);

	for (int i = 0; i < 20; i++)
		(void)!tuza_chan_recv(tuza_ticker_chan(t), NULL);
	tuza_ticker_free(t);
	tuza_waitgroup_done(&group);
}

static void select_with_time(void)
{
	tuza_chan *never = tuza_chan_new(0, 0);

	for (int i = 0; i < 20; i++)
		CHECK_EQ(TUZA_SELECT(TUZA_RECV(never, NULL), TUZA_AFTER(i % 3 * MS)), 1);
	tuza_chan_release(never);
	tuza_waitgroup_done(&group);
}

static void wait_with_contexts(void)
{
	int ends[2];

	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	for (int i = 0; i < 10; i++) {
		tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), MS);
		tuza_mutex own = {0};
		tuza_mutex_lock(&own);
		CHECK_EQ(tuza_mutex_lock_ctx(&own, ctx), -ETIMEDOUT);
		tuza_mutex_unlock(&own);
		tuza_context_free(ctx);
		CHECK_EQ(tuza_wait_fd(ends[0], POLLIN, tuza_now() + MS), TUZA_EIOTIMEOUT);
	}
	close(ends[0]);
	close(ends[1]);
	tuza_waitgroup_done(&group);
}

static void take_turns(void)
{
	for (int i = 0; i < 2000; i++) {
		tuza_mutex_lock(&mutex);
		turns++;
		if (i % 16 == 0)
			tuza_yield();
		if (turns % 100 == 0)
			tuza_cond_broadcast(&cond);
		tuza_mutex_unlock(&mutex);
	}
	tuza_waitgroup_done(&group);
}

static void wait_for_turns(void)
{
	tuza_mutex_lock(&mutex);
	while (turns < 4 * 2000)
		tuza_cond_wait(&cond, &mutex);
	tuza_mutex_unlock(&mutex);
	tuza_waitgroup_done(&group);
}

static void be_limited(void)
{
	tuza_limiter l;

	tuza_limiter_init(&l, 1000, 1);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(tuza_limiter_wait(&l, tuza_context_background(), 1), 0);
	tuza_waitgroup_done(&group);
}

TEST(everything_goes_on_while_the_clock_goes_back)
{
	tuza_stats_measure();
	atomic_store(&goes_back, 1);
	tuza_waitgroup_add(&group, 3 + 3 + 4 + 2);
	for (int i = 0; i < 3; i++)
		TUZA_GO(sleep_often, i * 2 * MS);
	TUZA_GO(tick);
	TUZA_GO(select_with_time);
	TUZA_GO(wait_with_contexts);
	for (int i = 0; i < 4; i++)
		TUZA_GO(take_turns);
	TUZA_GO(wait_for_turns);
	TUZA_GO(be_limited);
	tuza_waitgroup_wait(&group);
	CHECK_EQ(turns, 4 * 2000);
	tuza_statistics stats;
	tuza_stats(&stats);
	CHECK(stats.mutex_wait_ns < (uint64_t)TUZA_HOUR);
	atomic_store(&goes_back, 0);
}

static void sleep_for_long(void)
{
	tuza_sleep(500 * MS);
	tuza_waitgroup_done(&group);
}

// Whoever was woken too early sleeps again, once.
TEST(a_clock_that_goes_back_wakes_nobody_again_and_again)
{
	atomic_store(&goes_back, 1);
	tuza_waitgroup_add(&group, 8);
	for (int i = 0; i < 8; i++)
		TUZA_GO(sleep_for_long);
	tuza_sleep(50 * MS); // those who look for work have given up
	int64_t used = real_now(CLOCK_PROCESS_CPUTIME_ID);
	tuza_waitgroup_wait(&group);
	used = real_now(CLOCK_PROCESS_CPUTIME_ID) - used;
	CHECK(used < 200 * MS);
	atomic_store(&goes_back, 0);
}
