// SPDX-License-Identifier: MIT
/*
 * Many goroutines that send at the same time: their sends may become one system call, or two
 * (net/gather.c), and nobody can tell. All of them wait for a channel to close, so that they are in
 * the run queue together when they write.
 */
#include "net_support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <tuza/chan.h>
#include <unistd.h>

enum { ENDS = 100 }; // more than a system call takes

// Whether it is worth it here or not.
__attribute__((constructor)) static void gather_always(void)
{
	const char *others = getenv("TUZA_DEBUG");
	char all[256];

	snprintf(all, sizeof all, "%s%sgather", others ? others : "", others && *others ? "," : "");
	setenv("TUZA_DEBUG", all, 1);
}

struct group {
	tuza_chan *begin; // closed: everybody writes
	tuza_waitgroup ready, left;
	struct pair pairs[ENDS];
	ssize_t results[ENDS];
	int turns;
};

static void group_make(struct group *g, const char *network, const char *address)
{
	memset(g, 0, sizeof *g);
	g->begin = tuza_chan_new(1, 0);
	for (int i = 0; i < ENDS; i++)
		g->pairs[i] = connected(network, address);
}

static void group_close(struct group *g)
{
	for (int i = 0; i < ENDS; i++)
		close_pair(&g->pairs[i]);
	tuza_chan_release(g->begin);
}

// Starts fn(g, i) for each, all ready to go on at once, and lets them.
static void group_go(struct group *g, void (*fn)(struct group *, int))
{
	tuza_waitgroup_add(&g->ready, ENDS);
	tuza_waitgroup_add(&g->left, ENDS);
	for (int i = 0; i < ENDS; i++)
		TUZA_GO(fn, g, i);
	tuza_waitgroup_wait(&g->ready);
	tuza_chan_close(g->begin);
}

static void await_others(struct group *g)
{
	char none;
	tuza_waitgroup_done(&g->ready);
	(void)tuza_chan_recv(g->begin, &none);
}

// Bytes that tell whose they are and how far they go.
static char byte_of(int who, size_t at) { return (char)((size_t)who * 31 + at + at / 251); }

static void fill(char *bytes, size_t count, int who, size_t from)
{
	for (size_t i = 0; i < count; i++)
		bytes[i] = byte_of(who, from + i);
}

// ---- bytes ------------------------------------------------------------------------------------

// From nothing to more than is ever gathered.
static size_t piece(int turn) { return (size_t)turn * 977 % 5000; }

static void send_pieces(struct group *g, int i)
{
	char bytes[5000];
	size_t at = 0;

	await_others(g);
	for (int turn = 0; turn < g->turns; turn++) {
		size_t count = piece(turn);
		fill(bytes, count, i, at);
		CHECK_EQ(tuza_conn_write(g->pairs[i].a, bytes, count), (ssize_t)count);
		memset(bytes, 0, count); // they are the writer's again
		at += count;
		if (turn % 8 == 7)
			tuza_yield();
	}
	CHECK_EQ(tuza_conn_close_write(g->pairs[i].a), 0);
	tuza_waitgroup_done(&g->left);
}

static void receive_pieces(struct group *g, int i)
{
	char bytes[3000];
	size_t at = 0, all = 0;
	ssize_t n;
	bool right = true;

	for (int turn = 0; turn < g->turns; turn++)
		all += piece(turn);
	while ((n = tuza_conn_read(g->pairs[i].b, bytes, sizeof bytes)) > 0)
		for (ssize_t k = 0; k < n; k++)
			right &= bytes[k] == byte_of(i, at++);
	CHECK(right);
	CHECK_EQ(n, 0);
	CHECK_EQ(at, all);
	tuza_waitgroup_done(&g->left);
}

static void check_bytes(const char *network, const char *address)
{
	struct group *g = malloc(sizeof *g);

	group_make(g, network, address);
	g->turns = 30;
	tuza_waitgroup_add(&g->left, ENDS);
	for (int i = 0; i < ENDS; i++)
		TUZA_GO(receive_pieces, g, i);
	group_go(g, send_pieces);
	tuza_waitgroup_wait(&g->left);
	group_close(g);
	free(g);
}

TEST(each_receives_its_own_bytes_in_order_over_tcp) { check_bytes("tcp", "127.0.0.1:0"); }

// Others run this test at the same time.
static const char *own_name(void)
{
	static char name[40];

	snprintf(name, sizeof name, "@tuza-gather-test-%d", (int)getpid());
	return name;
}

TEST(each_receives_its_own_bytes_in_order_over_unix_sockets) { check_bytes("unix", own_name()); }

// ---- results ----------------------------------------------------------------------------------

// Until an error: a peer that has gone is noticed as soon as the kernel has delivered what the
// first write was answered by, which may take it a while.
static void send_until_error(struct group *g, int i)
{
	char bytes[64];
	ssize_t n = 0;

	fill(bytes, sizeof bytes, i, 0);
	await_others(g);
	for (int turn = 0; (i % 2 || turn < 10) && n >= 0; turn++) {
		n = tuza_conn_write(g->pairs[i].a, bytes, sizeof bytes);
		tuza_yield();
	}
	g->results[i] = n;
	tuza_waitgroup_done(&g->left);
}

TEST(who_sends_to_one_that_has_gone_is_told_and_nobody_else)
{
	struct group *g = malloc(sizeof *g);

	group_make(g, "tcp", "127.0.0.1:0");
	for (int i = 1; i < ENDS; i += 2)
		CHECK_EQ(tuza_conn_close(g->pairs[i].b), 0);
	group_go(g, send_until_error);
	tuza_waitgroup_wait(&g->left);
	for (int i = 0; i < ENDS; i++) {
		if (i % 2)
			CHECK(g->results[i] == -EPIPE || g->results[i] == -ECONNRESET);
		else
			CHECK_EQ(g->results[i], 64);
		CHECK_EQ(tuza_conn_close(g->pairs[i].a), 0);
		if (i % 2 == 0)
			CHECK_EQ(tuza_conn_close(g->pairs[i].b), 0);
	}
	tuza_chan_release(g->begin);
	free(g);
}

static void send_until_full(struct group *g, int i)
{
	static char bytes[4096];
	ssize_t n;

	await_others(g);
	do
		n = tuza_conn_write(g->pairs[i].a, bytes, sizeof bytes);
	while (n == (ssize_t)sizeof bytes);
	g->results[i] = n;
	tuza_waitgroup_done(&g->left);
}

// A write that was cut short by the deadline tells how much it wrote, if anything.
TEST(who_sends_to_one_that_does_not_read_waits_until_its_deadline)
{
	struct group *g = malloc(sizeof *g);

	group_make(g, "unix", own_name());
	for (int i = 0; i < ENDS; i++)
		CHECK_EQ(tuza_conn_set_write_deadline(g->pairs[i].a, tuza_now() + 300 * MS), 0);
	group_go(g, send_until_full);
	tuza_waitgroup_wait(&g->left);
	for (int i = 0; i < ENDS; i++)
		CHECK(g->results[i] == TUZA_EIOTIMEOUT ||
			(g->results[i] > 0 && g->results[i] < 4096));
	group_close(g);
	free(g);
}

static void send_until_closed(struct group *g, int i)
{
	char bytes[64] = {0};
	ssize_t n;

	await_others(g);
	do {
		n = tuza_conn_write(g->pairs[i].a, bytes, sizeof bytes);
		tuza_yield();
	} while (n == (ssize_t)sizeof bytes);
	g->results[i] = n;
	tuza_waitgroup_done(&g->left);
}

TEST(a_close_ends_a_sender_among_others)
{
	struct group *g = malloc(sizeof *g);

	group_make(g, "tcp", "127.0.0.1:0");
	group_go(g, send_until_closed);
	for (int i = 0; i < ENDS; i++) {
		CHECK_EQ(tuza_conn_close(g->pairs[i].a), 0);
		tuza_yield();
	}
	tuza_waitgroup_wait(&g->left);
	for (int i = 0; i < ENDS; i++) {
		CHECK(g->results[i] == TUZA_ECONNCLOSED || g->results[i] == 0 ||
			(g->results[i] > 0 && g->results[i] < 64));
		CHECK_EQ(tuza_conn_close(g->pairs[i].b), 0);
	}
	tuza_chan_release(g->begin);
	free(g);
}

// ---- the end of a run -------------------------------------------------------------------------

static struct group outlives;

static void send_for_ever(struct group *g, int i)
{
	char byte = 'x';

	await_others(g);
	while (tuza_conn_write(g->pairs[i].a, &byte, 1) == 1)
		tuza_yield();
}

// Leaves them in the midst of it.
static int leave_sending(void *turn)
{
	group_make(&outlives, "tcp", "127.0.0.1:0");
	tuza_waitgroup_add(&outlives.left, ENDS);
	group_go(&outlives, send_for_ever);
	for (int i = 0; i < *(int *)turn; i++)
		tuza_yield();
	return 0;
}

static int use_again(void *unused)
{
	(void)unused;
	memset(&outlives.left, 0, sizeof outlives.left);
	for (int i = 0; i < ENDS; i++)
		close_pair(&outlives.pairs[i]);
	tuza_chan_release(outlives.begin);
	check_bytes("tcp", "127.0.0.1:0");
	return 0;
}

// L5: who was sending when its run ended is gone; its connection is not, and the next run's senders
// do not wait for whoever is gone.
TEST_PLAIN(a_run_may_end_while_goroutines_send)
{
	int step = test_is_on_valgrind() ? 3 : 1; // a turn takes a second there

	for (int turn = 0; turn < 8; turn += step) {
		CHECK_EQ(tuza_run(leave_sending, &turn), 0);
		CHECK_EQ(tuza_run(use_again, NULL), 0);
	}
}
