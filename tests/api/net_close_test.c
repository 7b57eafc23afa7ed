// SPDX-License-Identifier: MIT
/*
 * Closing connections of all kinds: both directions, one of them, who waits meanwhile, and who may
 * run.
 */
#include "net_support.h"

// The other end closes: an end to read, and nothing to write to any more.
TEST(closed_other_end_reads_as_end_and_refuses_writes)
{
	static char bytes[1 << 16];

	FOR_EACH_PAIR(p)
	{
		ssize_t n = 0;

		CHECK_EQ(tuza_conn_close(p.b), 0);
		CHECK_EQ(tuza_conn_read(p.a, bytes, 1), 0);
		CHECK_EQ(tuza_conn_read(p.a, bytes, 1), 0);
		for (int i = 0; i < 1000 && n >= 0; i++) {
			n = tuza_conn_write(p.a, bytes, sizeof(bytes));
			if (n > 0)
				tuza_sleep(100 * TUZA_MICROSECOND);
		}
		CHECK(n == -EPIPE || n == -ECONNRESET || n == TUZA_EPIPECLOSED);
		CHECK_EQ(tuza_conn_close(p.a), 0);
	}
}

// N3, T9.2: who waits is told, and so is everybody who comes later. A handle outlives its slot.
TEST(close_unblocks_and_the_handle_stays_closed)
{
	for (int round = 0; round < 30; round++) {
		FOR_EACH_PAIR(p)
		{
			char byte[2];
			struct call r1 = {.conn = p.a, .bytes = &byte[0], .count = 1};
			struct call r2 = {.conn = p.a, .bytes = &byte[1], .count = 1};
			char text[TUZA_ADDRESS_TEXT];

			TUZA_GO(read_now, &r1);
			TUZA_GO(read_now, &r2);
			if (round % 2)
				wait_parked("IO wait", 1);
			CHECK_EQ(tuza_conn_close(p.a), 0);
			WAIT_UNTIL(r1.done && r2.done);
			CHECK_EQ(r1.result, TUZA_ECONNCLOSED);
			CHECK_EQ(r2.result, TUZA_ECONNCLOSED);
			CHECK_EQ(tuza_conn_close(p.a), TUZA_ECONNCLOSED);
			struct pair other = pair_of(kind); // most likely in the same slots
			CHECK_EQ(tuza_conn_close(p.a), TUZA_ECONNCLOSED);
			CHECK_EQ(tuza_conn_read(p.a, byte, 1), TUZA_ECONNCLOSED);
			CHECK_EQ(tuza_conn_read(p.a, byte, 0), TUZA_ECONNCLOSED);
			CHECK_EQ(tuza_conn_peek(p.a, byte, 1), TUZA_ECONNCLOSED);
			CHECK_EQ(tuza_conn_peek(p.a, byte, 0), TUZA_ECONNCLOSED);
			CHECK_EQ(tuza_conn_wait_readable(p.a), TUZA_ECONNCLOSED);
			CHECK_EQ(tuza_conn_write(p.a, "x", 1), TUZA_ECONNCLOSED);
			CHECK_EQ(tuza_conn_writev(p.a, NULL, -1), TUZA_ECONNCLOSED);
			CHECK_EQ(tuza_conn_set_deadline(p.a, 1), TUZA_ECONNCLOSED);
			CHECK_EQ(tuza_conn_close_write(p.a), TUZA_ECONNCLOSED);
			CHECK_EQ(tuza_conn_fd(p.a), TUZA_ECONNCLOSED);
			CHECK_EQ(
				tuza_conn_local_address(p.a, text, sizeof(text)), TUZA_ECONNCLOSED);
			close_pair(&other);
			CHECK_EQ(tuza_conn_close(p.b), 0);
		}
	}
	CHECK_STR(tuza_strerror(TUZA_ECONNCLOSED), "use of closed network connection");
	CHECK_EQ(tuza_conn_close(NULL), TUZA_ECONNCLOSED);
	CHECK_EQ(tuza_conn_read(NULL, NULL, 1), TUZA_ECONNCLOSED);
}

TEST(close_unblocks_a_writer)
{
	enum { BYTES = 16 << 20 };
	char *bytes = calloc(1, BYTES);

	FOR_EACH_PAIR(p)
	{
		struct call w = {.conn = p.a, .bytes = bytes, .count = BYTES};

		TUZA_GO(write_now, &w);
		wait_parked("IO wait", 1);
		CHECK_EQ(tuza_conn_close(p.a), 0);
		WAIT_UNTIL(w.done);
		CHECK(w.result == TUZA_ECONNCLOSED || (w.result > 0 && w.result < BYTES));
		CHECK_EQ(tuza_conn_close(p.b), 0);
	}
	free(bytes);
}

// golang/go#45211: close against read, 10,000 times, each within its time.
TEST(close_races_with_read)
{
	for (int i = 0; i < 2000; i++) {
		struct pair p = pair_of(2 - i % 2);
		char byte;
		struct call r = {.conn = p.a, .bytes = &byte, .count = 1};

		TUZA_GO(read_now, &r);
		for (int k = i % 7; k > 0; k--)
			tuza_yield();
		CHECK_EQ(tuza_conn_close(p.a), 0);
		while (!atomic_load(&r.done))
			tuza_yield();
		CHECK_EQ(r.result, TUZA_ECONNCLOSED);
		CHECK_EQ(tuza_conn_close(p.b), 0);
	}
}

// T9.2: half a connection.
TEST(close_write_ends_one_direction)
{
	char bytes[8];

	FOR_EACH_PAIR(p)
	{
		struct call r = {.conn = p.a, .bytes = bytes, .count = sizeof(bytes)};

		CHECK_EQ(tuza_conn_close_write(p.a), 0);
		CHECK_EQ(tuza_conn_read(p.b, bytes, sizeof(bytes)), 0);
		TUZA_GO(read_now, &r);
		CHECK_EQ(tuza_conn_write(p.b, "hello", 5), 5);
		WAIT_UNTIL(r.done);
		CHECK_EQ(r.result, 5);
		ssize_t n = tuza_conn_write(p.a, "x", 1);
		CHECK(n == -EPIPE || n == TUZA_EPIPECLOSED);
		close_pair(&p);
	}
}

TEST(close_read_ends_a_read)
{
	char byte;

	FOR_EACH_PAIR(p)
	{
		struct call r = {.conn = p.a, .bytes = &byte, .count = 1};

		TUZA_GO(read_now, &r);
		wait_parked("IO wait", 1);
		CHECK_EQ(tuza_conn_close_read(p.a), 0);
		WAIT_UNTIL(r.done);
		CHECK(r.result == 0 || r.result == TUZA_EPIPECLOSED);
		close_pair(&p);
	}
}

// What the kernel makes of it differs: TCP goes on to give out what comes, as in Go.
TEST(close_read_lets_tcp_bring_what_comes_and_ends_the_other_side_s_writing_elsewhere)
{
	FOR_EACH_PAIR(p)
	{
		char byte = 0;

		CHECK_EQ(tuza_conn_close_read(p.a), 0);
		ssize_t written = tuza_conn_write(p.b, "x", 1);
		if (kind == 0) {
			CHECK_EQ(written, 1);
			WAIT_UNTIL(tuza_conn_read(p.a, &byte, 1) == 1);
			CHECK_EQ(byte, 'x');
			CHECK_EQ(tuza_conn_read(p.a, &byte, 1), 0);
		} else {
			CHECK_EQ(written, kind == 1 ? -EPIPE : TUZA_EPIPECLOSED);
			CHECK_EQ(tuza_conn_read(p.a, &byte, 1), kind == 1 ? 0 : TUZA_EPIPECLOSED);
		}
		CHECK_EQ(tuza_conn_write(p.a, "", 0), 0); // the other direction is as it was
		close_pair(&p);
	}
}

// ---- who may run meanwhile --------------------------------------------------------------------

struct others {
	atomic_int turns, stop, left;
};

static void take_turns(struct others *o)
{
	while (!atomic_load(&o->stop)) {
		atomic_fetch_add(&o->turns, 1);
		tuza_yield();
	}
	atomic_fetch_sub(&o->left, 1);
}

// It would wake a thread for each connection of a busy server.
TEST(a_close_does_not_give_its_processor_to_those_that_wait_for_one)
{
	enum { PAIRS = 40 };
	struct pair pairs[PAIRS];
	struct others o = {.left = 4};
	int processors = tuza_gomaxprocs(1), kept = 0;

	for (int i = 0; i < PAIRS; i++)
		pairs[i] = connected("tcp", "127.0.0.1:0");
	for (int i = 0; i < 4; i++)
		TUZA_GO(take_turns, &o);
	for (int i = 0; i < PAIRS; i++) {
		tuza_yield();
		int before = atomic_load(&o.turns);
		CHECK_EQ(tuza_conn_close(pairs[i].a), 0);
		kept += atomic_load(&o.turns) == before;
	}
	CHECK(kept > PAIRS / 4); // all of them, but for what chaos does
	atomic_store(&o.stop, 1);
	WAIT_UNTIL(o.left == 0);
	for (int i = 0; i < PAIRS; i++)
		CHECK_EQ(tuza_conn_close(pairs[i].b), 0);
	tuza_gomaxprocs(processors);
}

static void read_to_the_end(struct call *c)
{
	ssize_t n;

	while ((n = tuza_conn_read(c->conn, c->bytes, c->count)) > 0)
		c->result += n;
	atomic_store(&c->done, 1);
}

// A close that lingers until the peer has read everything: the peer runs on the same processor.
TEST(others_run_while_a_close_lingers)
{
	enum { BYTES = 1 << 16 };
	static char bytes[BYTES];
	struct pair p = connected("tcp", "127.0.0.1:0");
	struct linger minute = {.l_onoff = 1, .l_linger = 60};
	struct call r = {.conn = p.b, .bytes = bytes, .count = BYTES};
	int processors = tuza_gomaxprocs(1), room = 1 << 14;
	int64_t begun = tuza_now();
	ssize_t all = 0, n;

	CHECK_EQ(setsockopt(tuza_conn_fd(p.a), SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
	CHECK_EQ(setsockopt(tuza_conn_fd(p.a), SOL_SOCKET, SO_LINGER, &minute, sizeof(minute)), 0);
	// More than fits the other side.
	CHECK_EQ(tuza_conn_set_write_deadline(p.a, tuza_now() + 20 * MS), 0);
	do {
		n = tuza_conn_write(p.a, bytes, BYTES);
		all += n > 0 ? n : 0;
	} while (n > 0);
	CHECK_EQ(n, TUZA_EIOTIMEOUT);
	TUZA_GO(read_to_the_end, &r);
	CHECK_EQ(tuza_conn_close(p.a), 0);
	WAIT_UNTIL(r.done);
	CHECK_EQ(r.result, all);
	CHECK(tuza_now() - begun < 50 * TUZA_SECOND);
	CHECK_EQ(tuza_conn_close(p.b), 0);
	tuza_gomaxprocs(processors);
}
