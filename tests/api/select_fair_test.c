// SPDX-License-Identifier: MIT
/*
 * Select's choice among several ready cases, its time cases, and the memory it gives back.
 */
#include "../test.h"

#include <tuza/sync.h>

#include <malloc.h>

static tuza_chan *new_int_chan(size_t cap) { return tuza_chan_new(sizeof(int), cap); }

// T1.13, S2: two cases that are always ready are taken equally often, to within 10 sigma.
TEST(select_is_fair_between_ready_cases)
{
	enum { TRIALS = 10000 };
	tuza_chan *c1 = new_int_chan(TRIALS + 1), *c2 = new_int_chan(TRIALS + 1);
	tuza_chan *idle = new_int_chan(0), *out = new_int_chan(0);
	int count1 = 0, v, one = 1;

	for (int i = 0; i <= TRIALS; i++) {
		tuza_send(c1, 1);
		tuza_send(c2, 2);
	}
	for (int i = 0; i < TRIALS; i++) {
		int k = TUZA_SELECT(TUZA_RECV(idle, &v), TUZA_RECV(c1, &v), TUZA_SEND(out, &one),
			TUZA_RECV(c2, &v));
		CHECK(k == 1 || k == 3);
		count1 += k == 1;
	}
	CHECK(abs(count1 - TRIALS / 2) < 500); // sigma is sqrt(10000)/2 = 50
	tuza_chan_release(c1);
	tuza_chan_release(c2);
	tuza_chan_release(idle);
	tuza_chan_release(out);
}

// Not by turns, and each of many: 64 cases, 6400 choices, each within 6 sigma of 100.
TEST(select_chooses_each_of_many_cases_by_chance)
{
	enum { CASES = 64, TRIALS = 6400 };
	tuza_select_case cases[CASES];
	tuza_chan *c[CASES];
	int counts[CASES] = {0}, repeats = 0, previous = -1;

	for (int i = 0; i < CASES; i++) {
		c[i] = tuza_chan_new(0, 1);
		tuza_chan_close(c[i]);
		cases[i] = TUZA_RECV(c[i], NULL);
	}
	for (int i = 0; i < TRIALS; i++) {
		int k = tuza_select(cases, CASES);
		counts[k]++;
		repeats += k == previous;
		previous = k;
	}
	for (int i = 0; i < CASES; i++) {
		CHECK(counts[i] > 40 && counts[i] < 160);
		tuza_chan_release(c[i]);
	}
	CHECK(repeats > 40 && repeats < 160);
}

static void recv_n(tuza_chan *c, int n, int *out, tuza_waitgroup *received)
{
	for (int i = 0; i < n; i++)
		tuza_recv(c, &out[i]);
	tuza_waitgroup_done(received);
}

// T1.14: a choice between two values for one channel takes each in more than a tenth of the trials.
TEST(select_between_sends_on_one_channel_takes_both)
{
	for (size_t cap = 0; cap <= 100; cap += 100) {
		tuza_chan *c = new_int_chan(cap);
		int got[100], zero = 0, one = 1, ones = 0;

		tuza_waitgroup received = {0};
		tuza_waitgroup_add(&received, 1);
		TUZA_GO(recv_n, c, 100, got, &received);
		for (int i = 0; i < 100; i++)
			(void)TUZA_SELECT(TUZA_SEND(c, &zero), TUZA_SEND(c, &one));
		tuza_waitgroup_wait(&received);
		for (int i = 0; i < 100; i++)
			ones += got[i];
		CHECK(ones > 10 && ones < 90);
		tuza_chan_release(c);
	}
}

static void serve(tuza_chan *c, tuza_chan *other)
{
	for (int i = 0; i < 100000; i++) {
		if (i % 2)
			tuza_send(c, i);
		else
			tuza_send(other, i);
	}
}

// T2.8: what a losing case held is given back: 100,000 selects that wait take no memory for good.
TEST(selects_that_wait_leak_nothing)
{
	tuza_chan *c = new_int_chan(0), *other = new_int_chan(0);
	int v;
	size_t before = 0;

	TUZA_GO(serve, c, other);
	for (int i = 0; i < 100000; i++) {
		if (i == 10000)
			before = mallinfo2().uordblks;
		(void)TUZA_SELECT(TUZA_RECV(c, &v), TUZA_RECV(other, &v));
	}
	CHECK(mallinfo2().uordblks < before + 110000);
	tuza_chan_release(c);
	tuza_chan_release(other);
}

// ---- time
// ----------------------------------------------------------------------------------------

TEST(after_fires_when_nothing_else_is_ready)
{
	tuza_chan *idle = new_int_chan(0);
	int64_t start = tuza_now();
	int v = 0;

	CHECK_EQ(TUZA_SELECT(TUZA_RECV(idle, &v), TUZA_AFTER(5 * TUZA_MILLISECOND)), 1);
	CHECK(tuza_now() - start >= 5 * TUZA_MILLISECOND);
	CHECK(tuza_now() - start < 10 * TUZA_SECOND);
	start = tuza_now();
	CHECK_EQ(TUZA_SELECT(TUZA_UNTIL(start + 5 * TUZA_MILLISECOND), TUZA_RECV(idle, &v)), 0);
	CHECK(tuza_now() >= start + 5 * TUZA_MILLISECOND);
	CHECK_EQ(TUZA_SELECT(TUZA_AFTER(TUZA_MILLISECOND)), 0);
	tuza_chan_release(idle);
}

TEST(time_that_has_come_is_ready_at_once)
{
	tuza_chan *idle = new_int_chan(0);

	CHECK_EQ(TUZA_SELECT(TUZA_RECV(idle, NULL), TUZA_AFTER(0)), 1);
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(idle, NULL), TUZA_AFTER(-TUZA_HOUR)), 1);
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(idle, NULL), TUZA_UNTIL(0)), 1);
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(idle, NULL), TUZA_UNTIL(tuza_now())), 1);
	CHECK_EQ(TUZA_SELECT(TUZA_AFTER(TUZA_HOUR), TUZA_AFTER(0)), 1);
	CHECK_EQ(TUZA_SELECT(TUZA_AFTER(TUZA_HOUR), TUZA_DEFAULT), 1);
	tuza_chan_release(idle);
}

TEST(earliest_of_several_times_wins)
{
	for (int first = 0; first < 3; first++) {
		int64_t d[3] = {TUZA_HOUR, TUZA_HOUR, TUZA_HOUR};

		d[first] = 2 * TUZA_MILLISECOND;
		CHECK_EQ(TUZA_SELECT(TUZA_AFTER(d[0]), TUZA_AFTER(d[1]),
				 TUZA_UNTIL(d[2] == TUZA_HOUR ? INT64_MAX : tuza_now() + d[2])),
			first);
	}
}

static void send_after(tuza_chan *c, int64_t d)
{
	tuza_sleep(d);
	tuza_send(c, 1);
}

// A value that comes first wins over the time, and the time that lost disturbs nothing later.
TEST(value_before_the_time_wins)
{
	tuza_chan *c = new_int_chan(0);
	int v;

	for (int i = 0; i < 100; i++) {
		TUZA_GO(send_after, c, (int64_t)0);
		CHECK_EQ(TUZA_SELECT(TUZA_AFTER(INT64_MAX), TUZA_RECV(c, &v)), 1);
	}
	TUZA_GO(send_after, c, 2 * TUZA_MILLISECOND);
	CHECK_EQ(TUZA_SELECT(TUZA_AFTER(10 * TUZA_SECOND), TUZA_RECV(c, &v)), 1);
	tuza_chan_release(c);
}

// Checklist 21: a value and the time come at the same instant; exactly one of them wins, a value
// not taken stays.
TEST(value_and_time_at_the_same_instant_give_one_winner)
{
	int values = 0;

	for (int i = 0; i < 200; i++) {
		tuza_chan *c = new_int_chan(1);
		int v = 0;

		TUZA_GO(send_after, c, 100 * TUZA_MICROSECOND);
		int k = TUZA_SELECT(TUZA_RECV(c, &v), TUZA_AFTER(100 * TUZA_MICROSECOND));
		if (k == 1)
			CHECK(tuza_recv(c, &v));
		CHECK_EQ(v, 1);
		CHECK_EQ(tuza_chan_try_recv(c, &v), -EAGAIN);
		values += k == 0;
		WAIT_UNTIL(tuza_num_goroutine() == 1);
		tuza_chan_release(c);
	}
	CHECK(values >= 0 && values <= 200);
}

static void flood(tuza_chan *c, atomic_int *stop)
{
	while (!atomic_load(stop))
		(void)TUZA_SELECT(TUZA_SEND(c, &(int){1}), TUZA_AFTER(TUZA_MILLISECOND));
}

// T3.5: two goroutines flood the channel; the time in the same select comes all the same.
TEST(time_case_fires_though_a_channel_is_flooded)
{
	tuza_chan *c = new_int_chan(0);
	atomic_int stop = 0;
	int64_t end = tuza_now() + 20 * TUZA_MILLISECOND;
	int v;

	TUZA_GO(flood, c, &stop);
	TUZA_GO(flood, c, &stop);
	while (TUZA_SELECT(TUZA_RECV(c, &v), TUZA_UNTIL(end)) == 0)
		CHECK(tuza_now() < end + 5 * TUZA_SECOND);
	CHECK(tuza_now() >= end);
	atomic_store(&stop, 1);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(c);
}
