// SPDX-License-Identifier: MIT
/*
 * A read that got less than it asked for has taken all there was, and the next one waits without
 * trying. What must be noticed all the same: an end, a failure, urgent data, which came together
 * with the bytes that were read, so that no later event tells of them.
 */
#include "net_support.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

static struct pair tcp_pair(void) { return connected("tcp", "127.0.0.1:0"); }

// Waits until something has arrived.
static void settle(tuza_conn *conn)
{
	char one;
	CHECK_EQ(tuza_conn_peek(conn, &one, 1), 1);
}

TEST(end_that_came_with_the_last_bytes_is_read)
{
	for (int late = 0; late < 2; late++) {
		char bytes[64];
		struct pair p = tcp_pair();
		struct call c = {.conn = p.b, .bytes = bytes, .count = sizeof(bytes)};

		if (late) { // the reader waits already
			TUZA_GO(read_now, &c);
			tuza_yield();
		}
		CHECK_EQ(tuza_conn_write(p.a, "last", 4), 4);
		CHECK_EQ(tuza_conn_close_write(p.a), 0);
		if (late)
			WAIT_UNTIL(c.done);
		else
			c.result = tuza_conn_read(p.b, bytes, sizeof(bytes));
		CHECK_EQ(c.result, 4);
		CHECK_EQ(tuza_conn_read(p.b, bytes, sizeof(bytes)), 0);
		CHECK_EQ(tuza_conn_wait_readable(p.b), 0);
		CHECK_EQ(tuza_conn_read(p.b, bytes, sizeof(bytes)), 0);
		close_pair(&p);
	}
}

TEST(own_end_of_reading_ends_the_next_read)
{
	char bytes[64];
	struct pair p = tcp_pair();

	CHECK_EQ(tuza_conn_write(p.a, "last", 4), 4);
	CHECK_EQ(tuza_conn_read(p.b, bytes, sizeof(bytes)), 4);
	CHECK_EQ(tuza_conn_close_read(p.b), 0);
	CHECK_EQ(tuza_conn_read(p.b, bytes, sizeof(bytes)), 0);
	close_pair(&p);
}

TEST(reset_after_the_last_bytes_is_an_error)
{
	char bytes[64];
	struct pair p = tcp_pair();
	struct linger at_once = {.l_onoff = 1};

	CHECK_EQ(tuza_conn_write(p.a, "last", 4), 4);
	settle(p.b);
	CHECK_EQ(tuza_conn_read(p.b, bytes, sizeof(bytes)), 4);
	CHECK_EQ(
		setsockopt(tuza_conn_fd(p.a), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	CHECK_EQ(tuza_conn_close(p.a), 0);
	CHECK_EQ(tuza_conn_read(p.b, bytes, sizeof(bytes)), -ECONNRESET);
	CHECK_EQ(tuza_conn_close(p.b), 0);
}

// The system ends a read before an urgent byte, which it skips.
TEST(bytes_behind_an_urgent_one_are_read)
{
	for (int late = 0; late < 2; late++) {
		char bytes[64] = "";
		struct pair p = tcp_pair();
		int fd = tuza_conn_fd(p.a);
		struct call c = {.conn = p.b, .bytes = bytes, .count = sizeof(bytes)};

		if (late) {
			TUZA_GO(read_now, &c);
			tuza_yield();
		}
		CHECK_EQ(send(fd, "abcd", 4, MSG_OOB), 4);
		CHECK_EQ(send(fd, "efg", 3, 0), 3);
		size_t got = 0;
		if (late) {
			WAIT_UNTIL(c.done);
			got = c.result > 0 ? (size_t)c.result : 0;
		}
		got += read_all(p.b, bytes + got, 6 - got);
		CHECK_EQ(got, 6u);
		CHECK(memcmp(bytes, "abcefg", 6) == 0);
		close_pair(&p);
	}
}

enum { TURNS = 300, ROOM = 40 };

// Bytes in lumps of random sizes, some of which are just what the reader has room for.
static void write_lumps(struct call *c)
{
	unsigned state = 1, next = 0;
	char lump[ROOM * 2];

	for (int i = 0; i < TURNS; i++) {
		size_t n = (state = state * 1103515245 + 12345) >> 16 & 1 ? ROOM : 1 + i % ROOM;
		for (size_t k = 0; k < n; k++)
			lump[k] = (char)next++;
		CHECK_EQ(tuza_conn_write(c->conn, lump, n), (ssize_t)n);
		if (i % 7 == 0)
			tuza_yield();
	}
	c->count = next;
	CHECK_EQ(tuza_conn_close_write(c->conn), 0);
	atomic_store(&c->done, 1);
}

TEST(lumps_of_any_size_are_read_to_the_end)
{
	for (int round = 0; round < 20; round++) {
		struct pair p = tcp_pair();
		struct call w = {.conn = p.a};
		char bytes[ROOM];
		unsigned next = 0;
		ssize_t n;

		TUZA_GO(write_lumps, &w);
		while ((n = tuza_conn_read(p.b, bytes, sizeof(bytes))) > 0)
			for (ssize_t k = 0; k < n; k++)
				CHECK_EQ(bytes[k], (char)next++);
		CHECK_EQ(n, 0);
		WAIT_UNTIL(w.done);
		CHECK_EQ(w.count, next);
		close_pair(&p);
	}
}

// One answers, one asks: each finds nothing after each read, and neither may stay behind.
static void answer_all(struct call *c)
{
	char bytes[ROOM];
	ssize_t n;

	while ((n = tuza_conn_read(c->conn, bytes, sizeof(bytes))) > 0)
		CHECK_EQ(tuza_conn_write(c->conn, bytes, (size_t)n), n);
	CHECK_EQ(n, 0);
	atomic_store(&c->done, 1);
}

static void ask(struct call *c)
{
	char bytes[ROOM];

	for (int i = 0; i < TURNS; i++) {
		size_t n = i % 3 ? 8 : ROOM;
		memset(bytes, i, n);
		CHECK_EQ(tuza_conn_write(c->conn, bytes, n), (ssize_t)n);
		size_t got = 0;
		while (got < n) {
			ssize_t k = tuza_conn_read(c->conn, bytes, sizeof(bytes) - got);
			if (!CHECK(k > 0))
				break;
			got += (size_t)k;
		}
	}
	CHECK_EQ(tuza_conn_close_write(c->conn), 0);
	atomic_store(&c->done, 1);
}

TEST(questions_and_answers_of_many_connections)
{
	enum { PAIRS = 16 };
	struct pair pairs[PAIRS];
	struct call asks[PAIRS] = {0}, answers[PAIRS] = {0};

	for (int i = 0; i < PAIRS; i++) {
		pairs[i] = tcp_pair();
		asks[i].conn = pairs[i].a;
		answers[i].conn = pairs[i].b;
		TUZA_GO(answer_all, &answers[i]);
		TUZA_GO(ask, &asks[i]);
	}
	for (int i = 0; i < PAIRS; i++) {
		WAIT_UNTIL(asks[i].done);
		WAIT_UNTIL(answers[i].done);
		close_pair(&pairs[i]);
	}
}

// A slot's next connection knows nothing of what its last one has read.
TEST(next_connection_of_a_slot_reads_what_it_finds)
{
	for (int i = 0; i < 50; i++) {
		char bytes[64];
		struct pair p = tcp_pair();

		for (int k = 0; k < 2; k++) {
			CHECK_EQ(tuza_conn_write(p.a, "abc", 3), 3);
			CHECK_EQ(tuza_conn_read(p.b, bytes, sizeof(bytes)), 3);
		}
		close_pair(&p);
	}
}

static bool all_has_arrived(tuza_conn *sender)
{
	int left = -1;

	CHECK_EQ(ioctl(tuza_conn_fd(sender), SIOCOUTQ, &left), 0);
	return left == 0;
}

// The system tells of no fewer bytes than were asked for on the listener, whose options connections
// inherit: those that came behind a short read are read all the same.
TEST(bytes_that_no_event_tells_of_are_read)
{
	enum { LEAST = 4096 };
	static char bytes[2 * LEAST];
	struct pair p;
	char at[TUZA_ADDRESS_TEXT];
	int least = LEAST;
	tuza_listener *l;

	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &l), 0);
	CHECK_EQ(tuza_listener_address(l, at, sizeof(at)), 0);
	CHECK_EQ(
		setsockopt(tuza_listener_fd(l), SOL_SOCKET, SO_RCVLOWAT, &least, sizeof(least)), 0);
	struct dialled d = {.network = "tcp", .address = at};
	TUZA_GO(dial_now, &d);
	CHECK_EQ(tuza_accept(l, &p.b), 0);
	WAIT_UNTIL(d.done);
	p.a = d.conn;
	CHECK_EQ(tuza_conn_write(p.a, bytes, LEAST), LEAST);
	WAIT_UNTIL(all_has_arrived(p.a));
	CHECK_EQ(tuza_conn_read(p.b, bytes, sizeof(bytes)), LEAST);
	CHECK_EQ(tuza_conn_write(p.a, bytes, 10), 10);
	WAIT_UNTIL(all_has_arrived(p.a));
	CHECK_EQ(tuza_conn_set_read_deadline(p.b, tuza_now() + 10 * TUZA_SECOND), 0);
	CHECK_EQ(tuza_conn_read(p.b, bytes, sizeof(bytes)), 10);
	CHECK_EQ(tuza_listener_close(l), 0);
	close_pair(&p);
}
