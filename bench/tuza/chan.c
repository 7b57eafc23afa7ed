// SPDX-License-Identifier: MIT
/*
 * Channels: the round trip without a buffer, and the flow through one.
 */
#include "bench.h"

#include <stdlib.h>
#include <tuza/tuza.h>

enum { buffer_size = 128 };

static void echo(tuza_chan *ping, tuza_chan *pong)
{
	int64_t v;
	while (tuza_recv(ping, &v))
		tuza_send(pong, v + 1);
	tuza_chan_close(pong);
}

static int64_t ping_pong(int64_t n)
{
	tuza_chan *ping = tuza_chan_new(sizeof(int64_t), 0);
	tuza_chan *pong = tuza_chan_new(sizeof(int64_t), 0);
	int64_t wrong = 0, v;
	TUZA_GO(echo, ping, pong);
	for (int64_t i = 0; i < n; i++) {
		tuza_send(ping, i);
		tuza_recv(pong, &v);
		wrong |= v ^ (i + 1);
	}
	tuza_chan_close(ping);
	bool open = tuza_recv(pong, &v);
	check(wrong == 0 && !open, "an echo is wrong");
	tuza_chan_release(ping);
	tuza_chan_release(pong);
	return n;
}

static void send_range(tuza_chan *c, int64_t from, int64_t to, tuza_waitgroup *senders)
{
	for (int64_t i = from; i < to; i++)
		tuza_send(c, i);
	tuza_waitgroup_done(senders);
}

static void sum_all(tuza_chan *c, int64_t *sum, tuza_waitgroup *receivers)
{
	int64_t total = 0, v;
	while (tuza_recv(c, &v))
		total += v;
	*sum = total;
	tuza_waitgroup_done(receivers);
}

// Has `pairs` senders and as many receivers share one channel.
static int64_t buffered(int pairs, int64_t n)
{
	int64_t each = (n + pairs - 1) / pairs, items = each * pairs;
	tuza_chan *c = tuza_chan_new(sizeof(int64_t), buffer_size);
	int64_t *sums = allocate((size_t)pairs, sizeof *sums);
	tuza_waitgroup senders = {0}, receivers = {0};
	tuza_waitgroup_add(&senders, pairs);
	tuza_waitgroup_add(&receivers, pairs);
	for (int i = 0; i < pairs; i++) {
		TUZA_GO(send_range, c, i * each, (i + 1) * each, &senders);
		TUZA_GO(sum_all, c, &sums[i], &receivers);
	}
	tuza_waitgroup_wait(&senders);
	tuza_chan_close(c);
	tuza_waitgroup_wait(&receivers);
	int64_t total = 0;
	for (int i = 0; i < pairs; i++)
		total += sums[i];
	check(total == items * (items - 1) / 2, "the sum of %lld items is %lld", (long long)items,
		(long long)total);
	free(sums);
	tuza_chan_release(c);
	return items;
}

static int64_t buffered_1_1(int64_t n) { return buffered(1, n); }

static int64_t buffered_4_4(int64_t n) { return buffered(4, n); }

const struct workload chan_workloads[] = {
	{.name = "ping-pong",
		.operation = "a round trip over two unbuffered channels",
		.run = ping_pong},
	{.name = "buffered-1-1",
		.operation = "an item through a buffer of 128, 1 sender, 1 receiver",
		.run = buffered_1_1},
	{.name = "buffered-4-4",
		.operation = "an item through a buffer of 128, 4 senders, 4 receivers",
		.run = buffered_4_4},
	{0},
};
