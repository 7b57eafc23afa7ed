// SPDX-License-Identifier: MIT
/*
 * Round trips over TCP on this machine: a client writes 64 bytes, the server's goroutine for its
 * connection writes them back. How long each took goes to a histogram; p99 is a bucket's lower
 * bound, 6 % apart from the next.
 */
#include "bench.h"

#include <string.h>
#include <tuza/tuza.h>

enum { message = 64, server_room = 4096, buckets = 40 * 16 };

// What the clients of one pass share.
struct echoing {
	char address[TUZA_ADDRESS_TEXT];
	tuza_waitgroup wg;      // clients and servers
	tuza_waitgroup dialled; // clients that are not
	tuza_mutex mutex;
	int64_t times[buckets]; // guarded by mutex: how many round trips took so long
};

static int64_t last_times[buckets]; // of the last pass

// Sixteen to each power of two.
static int bucket_of(int64_t ns)
{
	int shift = 0;
	while (ns >> shift >= 32)
		shift++;
	int i = shift * 16 + (int)(ns >> shift);
	return i < buckets ? i : buckets - 1;
}

static int64_t bucket_start(int i) { return i < 32 ? i : (int64_t)(16 + i % 16) << (i / 16 - 1); }

static void note_times(void)
{
	int64_t all = 0, seen = 0, half = -1;
	for (int i = 0; i < buckets; i++)
		all += last_times[i];
	for (int i = 0; i < buckets; i++) {
		seen += last_times[i];
		if (half < 0 && seen * 2 >= all)
			half = bucket_start(i);
		if (seen * 100 >= all * 99) {
			note("median_us", "%.1f", (double)half / 1e3);
			note("p99_us", "%.1f", (double)bucket_start(i) / 1e3);
			return;
		}
	}
}

static void read_full(tuza_conn *conn, char *bytes)
{
	for (size_t got = 0; got < message;) {
		ssize_t n = tuza_conn_read(conn, bytes + got, message - got);
		check(n > 0, "a read returned %zd", n);
		got += (size_t)n;
	}
}

static void echo_back(struct echoing *e, tuza_conn *conn)
{
	char bytes[server_room]; // it cannot know how long messages are
	ssize_t n;
	while ((n = tuza_conn_read(conn, bytes, sizeof bytes)) > 0)
		check(tuza_conn_write(conn, bytes, (size_t)n) == n, "a write failed");
	tuza_conn_close(conn);
	tuza_waitgroup_done(&e->wg);
}

static void echo_serve(struct echoing *e, tuza_listener *l, int clients)
{
	for (int i = 0; i < clients; i++) {
		tuza_conn *conn;
		check(tuza_accept(l, &conn) == 0, "accept failed");
		TUZA_GO(echo_back, e, conn);
	}
}

static void echo_client(struct echoing *e, int64_t turns)
{
	tuza_conn *conn;
	int error = tuza_dial(tuza_context_background(), "tcp", e->address, &conn);
	check(error == 0, "dial: %s", tuza_strerror(error));
	tuza_waitgroup_done(&e->dialled);
	tuza_waitgroup_wait(&e->dialled);
	char sent[message], got[message];
	uint32_t times[buckets] = {0};
	memset(sent, 'x', sizeof sent);
	for (int64_t i = 0; i < turns; i++) {
		int64_t start = now();
		memcpy(sent, &i, sizeof i);
		check(tuza_conn_write(conn, sent, message) == message, "a write failed");
		read_full(conn, got);
		check(memcmp(sent, got, message) == 0, "another message came back");
		times[bucket_of(now() - start)]++;
	}
	tuza_conn_close(conn);
	tuza_mutex_lock(&e->mutex);
	for (int i = 0; i < buckets; i++)
		e->times[i] += times[i];
	tuza_mutex_unlock(&e->mutex);
	tuza_waitgroup_done(&e->wg);
}

// Shares n round trips among the clients. Returns how many there were; *took is how long, without
// the dialling.
static int64_t echoes(int clients, int64_t n, int64_t *took)
{
	struct echoing e = {0};
	tuza_listener *l;
	int64_t turns = (n + clients - 1) / clients;
	check(tuza_listen("tcp", "127.0.0.1:0", &l) == 0, "listen failed");
	tuza_listener_address(l, e.address, sizeof e.address);
	tuza_waitgroup_add(&e.wg, 2 * clients);
	tuza_waitgroup_add(&e.dialled, clients);
	TUZA_GO(echo_serve, &e, l, clients);
	for (int i = 0; i < clients; i++)
		TUZA_GO(echo_client, &e, turns);
	tuza_waitgroup_wait(&e.dialled);
	int64_t start = now();
	tuza_waitgroup_wait(&e.wg);
	*took = now() - start;
	tuza_listener_close(l);
	memcpy(last_times, e.times, sizeof last_times);
	return turns * clients;
}

static int64_t one(int64_t n)
{
	int64_t took;
	return echoes(1, n, &took);
}

static int64_t some(int64_t n)
{
	int64_t took;
	return echoes(64, n, &took);
}

// Dialling would be most of it: not counted.
static double many(void)
{
	int64_t took;
	int64_t n = echoes(1000, scaled(240000, 2000), &took);
	note_times();
	return (double)took / (double)n;
}

const struct workload tcp_workloads[] = {
	{.name = "tcp-echo-1",
		.operation = "a round trip of 64 bytes over TCP, one connection",
		.run = one,
		.after = note_times},
	{.name = "tcp-echo-64",
		.operation = "a round trip of 64 bytes over TCP, 64 connections at a time",
		.run = some,
		.after = note_times,
		.memory = true},
	{.name = "tcp-echo-1000",
		.operation = "a round trip of 64 bytes over TCP, 1,000 connections at a time",
		.measure = many},
	{0},
};
