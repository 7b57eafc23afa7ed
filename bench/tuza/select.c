// SPDX-License-Identifier: MIT
/*
 * Select over 2, 8 and 64 channels, one of them ready, or none until the other side sends. The
 * cases are written out, as in Go: an array kept between the selects would be a shortcut that Go
 * has not.
 */
#include "bench.h"

#include <tuza/tuza.h>

enum { most_channels = 64 };

// Receives from one of the channels: returns which one, the value in *v.
typedef int select_function(tuza_chan **c, int64_t *v);

#define RECV_2(c, v) TUZA_RECV((c)[0], (v)), TUZA_RECV((c)[1], (v))
#define RECV_8(c, v)                                                                               \
	RECV_2((c), (v)), RECV_2((c) + 2, (v)), RECV_2((c) + 4, (v)), RECV_2((c) + 6, (v))
#define RECV_32(c, v)                                                                              \
	RECV_8((c), (v)), RECV_8((c) + 8, (v)), RECV_8((c) + 16, (v)), RECV_8((c) + 24, (v))

static int select_2(tuza_chan **c, int64_t *v) { return TUZA_SELECT(RECV_2(c, v)); }

static int select_8(tuza_chan **c, int64_t *v) { return TUZA_SELECT(RECV_8(c, v)); }

static int select_64(tuza_chan **c, int64_t *v)
{
	return TUZA_SELECT(RECV_32(c, v), RECV_32(c + 32, v));
}

static void make_channels(tuza_chan **c, int k, size_t capacity)
{
	for (int i = 0; i < k; i++)
		c[i] = tuza_chan_new(sizeof(int64_t), capacity);
}

static void release_channels(tuza_chan **c, int k)
{
	for (int i = 0; i < k; i++)
		tuza_chan_release(c[i]);
}

// Never waits: each turn fills one of k buffers and selects over all.
static int64_t select_ready(int k, select_function *choose, int64_t n)
{
	tuza_chan *c[most_channels];
	make_channels(c, k, 1);
	int64_t wrong = 0, v;
	for (int64_t i = 0; i < n; i++) {
		tuza_send(c[i % k], i);
		int at = choose(c, &v);
		wrong |= (at ^ i % k) | (v ^ i);
	}
	check(wrong == 0, "a select took the wrong case or value");
	release_channels(c, k);
	return n;
}

// Answers each value on the channel of the same index, until it gets -1.
static void select_echo(select_function *choose, tuza_chan **in, tuza_chan **out, tuza_chan *done)
{
	for (;;) {
		int64_t v;
		int at = choose(in, &v);
		if (v < 0)
			break;
		tuza_send(out[at], v + 1);
	}
	tuza_chan_close(done);
}

// Two goroutines answer each other, each waiting in a select over k channels when the other sends.
static int64_t select_block(int k, select_function *choose, int64_t n)
{
	int64_t rounds = (n + 1) / 2;
	tuza_chan *there[most_channels], *back[most_channels];
	make_channels(there, k, 0);
	make_channels(back, k, 0);
	tuza_chan *done = tuza_chan_new(0, 0);
	int64_t wrong = 0, v;
	TUZA_GO(select_echo, choose, there, back, done);
	for (int64_t i = 0; i < rounds; i++) {
		tuza_send(there[i % k], i);
		int at = choose(back, &v);
		wrong |= (at ^ i % k) | (v ^ (i + 1));
	}
	tuza_send(there[0], (int64_t)-1);
	tuza_chan_recv(done, NULL);
	check(wrong == 0, "a select took the wrong case or value");
	tuza_chan_release(done);
	release_channels(there, k);
	release_channels(back, k);
	return 2 * rounds;
}

static int64_t select_ready_2(int64_t n) { return select_ready(2, select_2, n); }

static int64_t select_ready_8(int64_t n) { return select_ready(8, select_8, n); }

static int64_t select_ready_64(int64_t n) { return select_ready(64, select_64, n); }

static int64_t select_block_2(int64_t n) { return select_block(2, select_2, n); }

static int64_t select_block_8(int64_t n) { return select_block(8, select_8, n); }

static int64_t select_block_64(int64_t n) { return select_block(64, select_64, n); }

const struct workload select_workloads[] = {
	{.name = "select-ready-2",
		.operation = "a send into a buffer and a select over 2, that one ready",
		.run = select_ready_2},
	{.name = "select-ready-8", .operation = "the same over 8", .run = select_ready_8},
	{.name = "select-ready-64", .operation = "the same over 64", .run = select_ready_64},
	{.name = "select-block-2",
		.operation = "a select over 2 that waits, and the send that wakes it",
		.run = select_block_2},
	{.name = "select-block-8", .operation = "the same over 8", .run = select_block_8},
	{.name = "select-block-64", .operation = "the same over 64", .run = select_block_64},
	{0},
};
