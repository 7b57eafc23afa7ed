// SPDX-License-Identifier: MIT
/*
 * Channels: sending, receiving, length and capacity, for many capacities. After Go's
 * runtime/chan_test.go, TestChan.
 */
#include "../test.h"

// The capacities tried: 0 to 9, then 28, 47 … 199.
#define FOR_CAPACITIES(cap) for (size_t cap = 0; cap < 200; cap += cap < 9 ? 1 : 19)

static void recv_int(tuza_chan *c, atomic_int *out)
{
	int v = -1;

	if (tuza_recv(c, &v))
		atomic_store(out, v);
}

static void send_int(tuza_chan *c, int v, atomic_int *done)
{
	tuza_send(c, v);
	atomic_store(done, 1);
}

// T1.1, C10: two receivers wait on an empty channel, a non-blocking one does not; two sends release
// them.
TEST(recv_blocks_until_a_value_arrives)
{
	FOR_CAPACITIES(cap) {
		tuza_chan *c = tuza_chan_new(sizeof(int), cap);
		atomic_int first = 0, second = 0;
		int v = 5;
		bool ok = true;

		TUZA_GO(recv_int, c, &first);
		TUZA_GO(recv_int, c, &second);
		tuza_sleep(TUZA_MILLISECOND);
		CHECK_EQ(first + second, 0);
		CHECK_EQ(tuza_chan_try_recv(c, &v), -EAGAIN);
		CHECK_EQ(TUZA_SELECT(TUZA_RECV(c, &v), TUZA_DEFAULT), 1);
		CHECK_EQ(TUZA_SELECT(TUZA_RECV_OK(c, &v, &ok), TUZA_DEFAULT), 1);
		CHECK_EQ(v, 5);
		tuza_send(c, 7);
		tuza_send(c, 7);
		WAIT_UNTIL(first == 7 && second == 7);
		tuza_chan_release(c);
	}
}

// T1.2, C11: a send on a full channel waits, a non-blocking one does not; one receive releases it.
TEST(send_blocks_until_there_is_room)
{
	FOR_CAPACITIES(cap) {
		tuza_chan *c = tuza_chan_new(sizeof(int), cap);
		atomic_int sent = 0;
		int v = 0;

		for (int i = 0; i < (int)cap; i++)
			tuza_send(c, i);
		TUZA_GO(send_int, c, (int)cap, &sent);
		tuza_sleep(TUZA_MILLISECOND);
		CHECK_EQ(sent, 0);
		CHECK_EQ(tuza_chan_try_send(c, &(int){99}), -EAGAIN);
		CHECK_EQ(TUZA_SELECT(TUZA_SEND(c, &(int){99}), TUZA_DEFAULT), 1);
		CHECK(tuza_recv(c, &v));
		CHECK_EQ(v, 0);
		WAIT_UNTIL(sent == 1);
		for (int i = 1; i <= (int)cap; i++) {
			CHECK(tuza_recv(c, &v));
			CHECK_EQ(v, i);
		}
		CHECK_EQ(tuza_chan_try_recv(c, &v), -EAGAIN);
		tuza_chan_release(c);
	}
}

// T1.3, C14, C18.
TEST(closed_channel_is_drained_then_gives_zero_and_false)
{
	FOR_CAPACITIES(cap) {
		tuza_chan *c = tuza_chan_new(sizeof(int), cap);

		for (int i = 0; i < (int)cap; i++)
			tuza_send(c, i + 1);
		tuza_chan_close(c);
		for (int i = 0; i < (int)cap; i++) {
			int v = 0;
			CHECK(tuza_recv(c, &v));
			CHECK_EQ(v, i + 1);
		}
		for (int i = 0; i < 3; i++) {
			int v = 9, w = 9, x = 9;
			bool ok = true;

			CHECK(!tuza_recv(c, &v));
			CHECK_EQ(tuza_chan_try_recv(c, &w), TUZA_ECLOSED);
			CHECK_EQ(TUZA_SELECT(TUZA_RECV_OK(c, &x, &ok), TUZA_DEFAULT), 0);
			CHECK(!ok);
			CHECK_EQ(v + w + x, 0);
		}
		tuza_chan_release(c);
	}
}

static void recv_closed(tuza_chan *c, atomic_int *seen)
{
	int v = 9;
	bool ok = tuza_recv(c, &v);

	atomic_store(seen, !ok && v == 0 ? 1 : -1);
}

// T1.4, C17.
TEST(close_releases_a_blocked_receiver_with_zero_and_false)
{
	FOR_CAPACITIES(cap) {
		tuza_chan *c = tuza_chan_new(sizeof(int), cap);
		atomic_int seen = 0;

		TUZA_GO(recv_closed, c, &seen);
		tuza_sleep(TUZA_MILLISECOND);
		CHECK_EQ(seen, 0);
		tuza_chan_close(c);
		WAIT_UNTIL(seen == 1);
		tuza_chan_release(c);
	}
}

static void send_sequence(tuza_chan *c, int n)
{
	for (int i = 0; i < n; i++)
		tuza_send(c, i);
}

// T1.5, C11.
TEST(values_arrive_in_order)
{
	FOR_CAPACITIES(cap) {
		tuza_chan *c = tuza_chan_new(sizeof(int), cap);

		TUZA_GO(send_sequence, c, 100);
		for (int i = 0; i < 100; i++) {
			int v = -1;
			CHECK(tuza_recv(c, &v));
			CHECK_EQ(v, i);
		}
		tuza_chan_release(c);
	}
}

enum { RECEIVERS = 4, SENDERS = 4, VALUES = 1000 };

static void count_values(tuza_chan *c, unsigned char *counts, tuza_chan *done)
{
	int v;

	for (int i = 0; i < VALUES; i++) {
		if (CHECK(tuza_recv(c, &v)) && CHECK(v >= 0 && v < VALUES))
			counts[v]++;
	}
	tuza_send(done, counts);
}

// T1.6, C11: every value sent by each of four senders is received by one of four receivers.
TEST(every_value_is_delivered_exactly_once)
{
	static unsigned char counts[RECEIVERS][VALUES];

	FOR_CAPACITIES(cap) {
		tuza_chan *c = tuza_chan_new(sizeof(int), cap);
		tuza_chan *done = tuza_chan_new(sizeof(unsigned char *), 0);

		memset(counts, 0, sizeof(counts));
		for (int i = 0; i < SENDERS; i++)
			TUZA_GO(send_sequence, c, VALUES);
		for (int i = 0; i < RECEIVERS; i++)
			TUZA_GO(count_values, c, counts[i], done);
		for (int i = 0; i < RECEIVERS; i++)
			tuza_chan_recv(done, NULL);
		int wrong = 0;
		for (int v = 0; v < VALUES; v++)
			wrong += counts[0][v] + counts[1][v] + counts[2][v] + counts[3][v] !=
				 SENDERS;
		CHECK_EQ(wrong, 0);
		tuza_chan_release(c);
		tuza_chan_release(done);
	}
}

// T1.7, C3.
TEST(len_counts_the_buffer_and_cap_is_fixed)
{
	FOR_CAPACITIES(cap) {
		tuza_chan *c = tuza_chan_new(sizeof(int), cap);

		for (size_t i = 0; i < cap; i++) {
			CHECK_EQ(tuza_chan_len(c), i);
			tuza_send(c, 1);
		}
		CHECK_EQ(tuza_chan_len(c), cap);
		CHECK_EQ(tuza_chan_cap(c), cap);
		tuza_chan_close(c);
		CHECK_EQ(tuza_chan_len(c), cap);
		CHECK_EQ(tuza_chan_cap(c), cap);
		tuza_chan_release(c);
	}
}

// C11: the ring goes round many times with every distance between head and tail.
TEST(ring_keeps_order_at_every_offset)
{
	FOR_CAPACITIES(cap) {
		tuza_chan *c = tuza_chan_new(sizeof(int), cap);
		int sent = 0, received = 0, v = 0;

		for (int turn = 0; cap > 0 && turn < 40; turn++) {
			size_t n = 1 + (size_t)turn * 7 % cap;
			while (tuza_chan_len(c) < n)
				tuza_send(c, sent++);
			while (tuza_chan_len(c) > n / 2) {
				tuza_recv(c, &v);
				CHECK_EQ(v, received++);
			}
		}
		CHECK_EQ(tuza_chan_len(c), sent - received);
		tuza_chan_release(c);
	}
}
