// SPDX-License-Identifier: MIT
/*
 * tuza_sim_run: a clock that stands still while anybody can run.
 */
#include "simulation_support.h"

#include <pthread.h>
#include <tuza/limiter.h>
#include <tuza/net.h>

// O20
TEST_PLAIN(a_day_takes_no_time)
{
	int64_t took = 0, begun = real_now();

	CHECK_EQ(tuza_sim_run(1, sleep_a_day, &took), 17);
	CHECK_EQ(took, 24 * 3600 * TUZA_SECOND);
	CHECK(real_now() - begun < 3600 * TUZA_SECOND);
}

static int compute(void *unused)
{
	int64_t begun = tuza_now(), really = real_now();

	(void)unused;
	CHECK_EQ(begun, 3600 * TUZA_SECOND);
	while (real_now() - really < 30 * TUZA_MILLISECOND)
		tuza_yield();
	CHECK_EQ(tuza_now(), begun);
	return 0;
}

// O21
TEST_PLAIN(the_clock_stands_still_while_somebody_can_run)
{
	CHECK_EQ(tuza_sim_run(1, compute, NULL), 0);
}

static void sleep_and_note(struct record *r, int i, tuza_waitgroup *wg)
{
	tuza_sleep((10 - i) * TUZA_SECOND);
	CHECK_EQ(tuza_now(), 3600 * TUZA_SECOND + (10 - i) * TUZA_SECOND);
	note(r, '0' + i);
	tuza_waitgroup_done(wg);
}

static int wake_in_turn(void *record)
{
	tuza_waitgroup wg = {0};

	tuza_waitgroup_add(&wg, 10);
	for (int i = 0; i < 10; i++)
		TUZA_GO(sleep_and_note, record, i, &wg);
	tuza_waitgroup_wait(&wg);
	return 0;
}

TEST_PLAIN(who_sleeps_wakes_when_it_is_time)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct record r = {.n = 0};
		CHECK_EQ(tuza_sim_run(seed, wake_in_turn, &r), 0);
		CHECK_STR(r.letters, "9876543210");
	}
}

static int use_all_clocks(void *unused)
{
	const int64_t begun = tuza_now();
	tuza_ticker *ticker = tuza_ticker_new(TUZA_SECOND);
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), 5 * TUZA_SECOND);
	tuza_limiter limiter;
	int64_t tick;

	(void)unused;
	tuza_limiter_init(&limiter, 2, 1);
	for (int i = 1; i <= 3; i++) {
		CHECK(tuza_chan_recv(tuza_ticker_chan(ticker), &tick));
		CHECK_EQ(tuza_now() - begun, i * TUZA_SECOND);
		CHECK_EQ(tick, tuza_now());
	}
	tuza_ticker_free(ticker);
	tuza_chan_recv(tuza_context_done(ctx), NULL);
	CHECK_EQ(tuza_now() - begun, 5 * TUZA_SECOND);
	tuza_context_free(ctx);
	for (int i = 0; i < 5; i++) // one at once, then two a second
		CHECK_EQ(tuza_limiter_wait(&limiter, tuza_context_background(), 1), 0);
	CHECK_EQ(tuza_now() - begun, 7 * TUZA_SECOND);

	return 0;
}

TEST_PLAIN(tickers_contexts_and_limiters_keep_exact_time)
{
	for (uint64_t seed = 0; seed < 20; seed++)
		CHECK_EQ(tuza_sim_run(seed, use_all_clocks, NULL), 0);
}

static int read_until_deadline(void *unused)
{
	tuza_conn *near, *far;
	char byte;
	int64_t begun = tuza_now();

	(void)unused;
	CHECK_EQ(tuza_pipe(&near, &far), 0);
	CHECK_EQ(tuza_conn_set_read_deadline(near, begun + 90 * TUZA_SECOND), 0);
	CHECK_EQ(tuza_conn_read(near, &byte, 1), TUZA_EIOTIMEOUT);
	CHECK_EQ(tuza_now() - begun, 90 * TUZA_SECOND);
	tuza_conn_close(near);
	tuza_conn_close(far);
	return 0;
}

TEST_PLAIN(connections_in_memory_time_out_in_simulated_time)
{
	CHECK_EQ(tuza_sim_run(3, read_until_deadline, NULL), 0);
}

static void spin(_Atomic int64_t *last)
{
	for (int i = 0; i < 100; i++)
		tuza_yield();
	*last = tuza_now();
}

static int settle(void *unused)
{
	_Atomic int64_t last = 0;
	int64_t begun = tuza_now();

	(void)unused;
	TUZA_GO(spin, &last);
	tuza_sleep(1);
	CHECK_EQ(last, begun);
	return 0;
}

// O20: synctest.Wait
TEST_PLAIN(after_the_shortest_sleep_all_others_wait)
{
	for (uint64_t seed = 0; seed < 20; seed++)
		CHECK_EQ(tuza_sim_run(seed, settle, NULL), 0);
}

static void answer_after_a_second(tuza_chan *c, tuza_waitgroup *wg)
{
	int value = 1;

	tuza_sleep(TUZA_SECOND);
	tuza_chan_send(c, &value);
	tuza_waitgroup_done(wg);
}

static int wait_a_second(void *unused)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 1);
	tuza_waitgroup wg = {0};
	int value, chosen;

	(void)unused;
	tuza_waitgroup_add(&wg, 1);
	TUZA_GO(answer_after_a_second, c, &wg);
	chosen = TUZA_SELECT(TUZA_RECV(c, &value), TUZA_AFTER(TUZA_SECOND));
	tuza_waitgroup_wait(&wg);
	tuza_chan_release(c);
	return chosen;
}

TEST_PLAIN(an_answer_that_comes_when_time_is_up_may_be_in_time_or_too_late)
{
	int late = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++)
		late += tuza_sim_run(seed, wait_a_second, NULL);
	CHECK(late > 0);
	CHECK(late < SEEDS);
}

static void *sleep_in_thread(void *unused)
{
	int64_t really = real_now();

	(void)unused;
	tuza_sleep(30 * TUZA_MILLISECOND);
	CHECK(real_now() - really >= 30 * TUZA_MILLISECOND);
	return NULL;
}

static int sleep_really(void *unused)
{
	pthread_t thread;

	(void)unused;
	tuza_blocking_begin();
	sleep_in_thread(NULL);
	CHECK_EQ(pthread_create(&thread, NULL, sleep_in_thread, NULL), 0);
	pthread_join(thread, NULL);
	tuza_blocking_end();
	return 0;
}

TEST_PLAIN(plain_threads_and_blocking_sections_sleep_really)
{
	CHECK_EQ(tuza_sim_run(1, sleep_really, NULL), 0);
}
