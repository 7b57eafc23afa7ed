// SPDX-License-Identifier: MIT
/*
 * Tickers. After Go's time/tick_test.go.
 */
#include "../test.h"

#define MS TUZA_MILLISECOND

static bool is_empty(tuza_chan *c) { return tuza_chan_try_recv(c, NULL) == -EAGAIN; }

// T8.5, Z5: ticks come at multiples of the period, without drift, and none before its time.
TEST(ticks_keep_to_multiples_of_the_period)
{
	int64_t before = tuza_now(), first = 0, at = 0, last = 0;
	tuza_ticker *t = tuza_ticker_new(2 * MS);
	int64_t after = tuza_now();

	for (int i = 0; i < 30; i++) {
		CHECK(tuza_recv(tuza_ticker_chan(t), &at));
		CHECK(tuza_now() >= at);
		if (i == 0) {
			first = at;
			CHECK(first >= before + 2 * MS && first <= after + 2 * MS);
		} else {
			CHECK(at > last);
			CHECK_EQ((at - first) % (2 * MS), 0);
		}
		last = at;
	}
	tuza_ticker_free(t);
}

// Z5, Go: TickTimes: one tick waits, the oldest; the others are dropped.
TEST(slow_receiver_finds_one_tick_and_its_due_time)
{
	tuza_ticker *t = tuza_ticker_new(5 * MS);
	tuza_chan *c = tuza_ticker_chan(t);
	int64_t first = 0, second = 0;
	int64_t begun = tuza_now();

	tuza_sleep(52 * MS);
	CHECK(tuza_recv(c, &first));
	CHECK(first <= begun + 5 * MS);
	// The next one that comes: those before the end of the sleep came to nobody. It may have
	// been due for long, where the kernel did not let us go on.
	CHECK(tuza_recv(c, &second));
	CHECK(second + 5 * MS > begun + 52 * MS);
	CHECK_EQ((second - first) % (5 * MS), 0);
	tuza_ticker_free(t);
}

TEST(len_and_cap_of_ticker_channels_are_zero)
{
	tuza_ticker *t = tuza_ticker_new(MS);

	tuza_sleep(5 * MS);
	CHECK_EQ(tuza_chan_len(tuza_ticker_chan(t)), 0);
	CHECK_EQ(tuza_chan_cap(tuza_ticker_chan(t)), 0);
	tuza_ticker_free(t);
}

// Z5, T8.6: stop takes the waiting tick back, sends no other and does not close.
TEST(stopped_ticker_is_silent_and_open)
{
	tuza_ticker *t = tuza_ticker_new(MS);
	tuza_chan *c = tuza_ticker_chan(t);
	int64_t at;

	for (int i = 0; i < 20; i++) {
		tuza_sleep(i % 5 * 500 * TUZA_MICROSECOND);
		tuza_ticker_stop(t);
		CHECK(is_empty(c));
		tuza_ticker_stop(t); // again is allowed
		tuza_ticker_reset(t, MS);
	}
	tuza_ticker_stop(t);
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(c, &at), TUZA_AFTER(10 * MS)), 1);
	tuza_ticker_reset(t, MS);
	CHECK(tuza_recv(c, &at));
	tuza_ticker_free(t);
}

// Z5: the new period counts from the reset, and what waited is dropped.
TEST(reset_changes_the_period)
{
	tuza_ticker *t = tuza_ticker_new(MS);
	tuza_chan *c = tuza_ticker_chan(t);
	int64_t at = 0, last;

	tuza_sleep(5 * MS);
	int64_t before = tuza_now();
	tuza_ticker_reset(t, 3 * MS);
	CHECK(tuza_recv(c, &at));
	CHECK(at >= before + 3 * MS);
	for (int i = 0; i < 5; i++) {
		last = at;
		CHECK(tuza_recv(c, &at));
		CHECK(at > last && (at - last) % (3 * MS) == 0);
	}
	tuza_ticker_reset(t, TUZA_HOUR);
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(c, &at), TUZA_AFTER(10 * MS)), 1);
	tuza_ticker_free(t);
}

// T8.5: none is left out that somebody waits for. The last tick was due before it was received; so
// the one after that is due within a period, however late we come to receive it.
//
// And they come on time. A busy machine may be late: beside 16 busy loops on 4 CPUs one of eleven
// ticks was so by more than 3 ms. 30 in a row are by chance once in 10^30 times; a ticker that is
// late is so each time.
TEST(ticks_come_on_time_and_none_is_left_out)
{
	const tuza_duration period = 10 * MS;
	tuza_ticker *t = tuza_ticker_new(period);
	int64_t at, received = tuza_now(), least = INT64_MAX;

	for (int i = 0; i < 10 || (i < 30 && least > 3 * MS); i++) {
		CHECK(tuza_recv(tuza_ticker_chan(t), &at));
		CHECK(at <= received + period);
		received = tuza_now();
		if (received - at < least)
			least = received - at;
	}
	CHECK(least <= 3 * MS);
	tuza_ticker_free(t);
}

// Z7.
TEST(longest_period_never_ticks)
{
	tuza_ticker *t = tuza_ticker_new(INT64_MAX);
	int64_t at;

	CHECK_EQ(TUZA_SELECT(TUZA_RECV(tuza_ticker_chan(t), &at), TUZA_AFTER(5 * MS)), 1);
	tuza_ticker_free(t);
}

// A period shorter than the time to serve it floods nobody: it ticks once per look at the timers.
TEST(shortest_period_leaves_time_for_others)
{
	tuza_ticker *t = tuza_ticker_new(1);
	int64_t at, last = 0;

	for (int i = 0; i < 1000; i++) {
		CHECK(tuza_recv(tuza_ticker_chan(t), &at));
		CHECK(at > last);
		last = at;
	}
	tuza_sleep(MS);
	tuza_ticker_free(t);
}

static void receive_ticks(tuza_chan *c, int n, atomic_int *received, atomic_int *done)
{
	for (int i = 0; i < n; i++)
		if (tuza_recv(c, (int64_t *)NULL))
			atomic_fetch_add(received, 1);
	atomic_fetch_add(done, 1);
}

// T8.5, Go: MultiWakeupTicker: many wait on one ticker; each tick wakes one of them.
TEST(many_receivers_share_a_ticker)
{
	enum { N = 50, EACH = 20 };
	tuza_ticker *t = tuza_ticker_new(10 * TUZA_MICROSECOND);
	atomic_int received = 0, done = 0;

	for (int i = 0; i < N; i++)
		TUZA_GO(receive_ticks, tuza_ticker_chan(t), EACH, &received, &done);
	WAIT_UNTIL(done == N);
	CHECK_EQ(received, N * EACH);
	tuza_ticker_free(t);
}

// T8.1, Go: TickerConcurrentStress.
static void tick_a_little(atomic_int *done)
{
	tuza_ticker *t = tuza_ticker_new(MS);

	for (int i = 0; i < 10; i++) {
		CHECK(tuza_recv(tuza_ticker_chan(t), (int64_t *)NULL));
		if (i == 5)
			tuza_ticker_reset(t, 500 * TUZA_MICROSECOND);
	}
	tuza_ticker_free(t);
	atomic_fetch_add(done, 1);
}

TEST(many_tickers_tick_side_by_side)
{
	enum { N = 200 };
	atomic_int done = 0;

	for (int i = 0; i < N; i++)
		TUZA_GO(tick_a_little, &done);
	WAIT_UNTIL(done == N);
}

static void reset_and_stop(tuza_ticker *t, int turns, atomic_int *done)
{
	for (int i = 0; i < turns; i++) {
		if (i % 3)
			tuza_ticker_reset(t, i % 20 * TUZA_MICROSECOND + 1);
		else
			tuza_ticker_stop(t);
		if (i % 16 == 0)
			tuza_yield();
	}
	atomic_fetch_add(done, 1);
}

// Stop and reset may be called by several at once.
TEST(ticker_may_be_reset_from_many_sides)
{
	enum { N = 4 };
	tuza_ticker *t = tuza_ticker_new(MS);
	atomic_int done = 0;

	for (int i = 0; i < N; i++)
		TUZA_GO(reset_and_stop, t, 5000, &done);
	WAIT_UNTIL(done == N);
	tuza_ticker_stop(t);
	CHECK(is_empty(tuza_ticker_chan(t)));
	tuza_ticker_reset(t, 1);
	CHECK(tuza_recv(tuza_ticker_chan(t), (int64_t *)NULL));
	tuza_ticker_free(t);
}

static void new_ticker(void *d) { tuza_ticker_free(tuza_ticker_new(*(tuza_duration *)d)); }
static tuza_ticker *running;
static void reset_ticker(void *d) { tuza_ticker_reset(running, *(tuza_duration *)d); }
static void reset_null(void *d) { tuza_ticker_reset(NULL, *(tuza_duration *)d); }

// Z6.
TEST(misuse_of_tickers_panics)
{
	static tuza_duration bad[] = {0, -1, INT64_MIN}, one = 1;

	running = tuza_ticker_new(TUZA_HOUR);
	for (int i = 0; i < 3; i++) {
		CHECK_PANICS("non-positive interval for NewTicker", new_ticker, &bad[i]);
		CHECK_PANICS("non-positive interval for Ticker.Reset", reset_ticker, &bad[i]);
	}
	CHECK_PANICS("time: Reset called on uninitialized Ticker", reset_null, &one);
	tuza_ticker_stop(NULL); // as in Go: nothing
	tuza_ticker_free(NULL);
	tuza_ticker_free(running);
}
