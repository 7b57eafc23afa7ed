// SPDX-License-Identifier: MIT
/*
 * Deadlines of connections. After Go's net/timeout_test.go and x/net/nettest.
 */
#include "net_support.h"

#include <poll.h>
#include <tuza/io.h>

#define FOR_EACH_PAIR(p)                                                                           \
	for (int kind = 0; kind < PAIR_KINDS; kind++)                                              \
		for (struct pair p = pair_of(kind), *once = &p; once; once = NULL)

// N2, T9.1: never early, and as long as the deadline stays, for every call.
TEST(read_times_out_at_its_deadline_and_again)
{
	static const int64_t times[] = {
		1, TUZA_MICROSECOND, 100 * TUZA_MICROSECOND, MS, 10 * MS, 50 * MS};
	char byte;

	FOR_EACH_PAIR(p)
	{
		for (int i = 0; i < 6; i++) {
			int64_t deadline = tuza_now() + times[i];

			CHECK_EQ(tuza_conn_set_read_deadline(p.a, deadline), 0);
			CHECK_EQ(tuza_conn_read(p.a, &byte, 1), TUZA_EIOTIMEOUT);
			CHECK(tuza_now() >= deadline);
			for (int k = 0; k < 10; k++)
				CHECK_EQ(tuza_conn_read(p.a, &byte, 1), TUZA_EIOTIMEOUT);
		}
		close_pair(&p);
	}
	CHECK_STR(tuza_strerror(TUZA_EIOTIMEOUT), "i/o timeout");
}

// The deadline comes before the data, and the data is still there when it is lifted.
TEST(past_deadline_fails_although_there_is_data)
{
	char bytes[4];

	for (int kind = 0; kind < 2; kind++) {
		struct pair p = pair_of(kind);

		CHECK_EQ(tuza_conn_write(p.b, "abc", 3), 3);
		CHECK_EQ(tuza_conn_set_deadline(p.a, tuza_now() - TUZA_SECOND), 0);
		CHECK_EQ(tuza_conn_read(p.a, bytes, 4), TUZA_EIOTIMEOUT);
		CHECK_EQ(tuza_conn_write(p.a, bytes, 4), TUZA_EIOTIMEOUT);
		CHECK_EQ(tuza_conn_set_deadline(p.a, 0), 0);
		CHECK_EQ(tuza_conn_read(p.a, bytes, 4), 3);
		CHECK_EQ(tuza_conn_write(p.a, "x", 1), 1);
		close_pair(&p);
	}
}

// T9.2: Go: ReadTimeoutUnblocksRead.
TEST(deadline_set_by_another_ends_the_read_under_way)
{
	FOR_EACH_PAIR(p)
	{
		char byte;
		struct call r = {.conn = p.a, .bytes = &byte, .count = 1};

		TUZA_GO(read_now, &r);
		wait_parked("IO wait", 1);
		CHECK_EQ(tuza_conn_set_read_deadline(p.a, 1), 0);
		WAIT_UNTIL(r.done);
		CHECK_EQ(r.result, TUZA_EIOTIMEOUT);
		close_pair(&p);
	}
}

// A pending read follows the deadline: earlier, later, none.
TEST(read_under_way_follows_the_deadline)
{
	FOR_EACH_PAIR(p)
	{
		char byte;
		struct call r = {.conn = p.a, .bytes = &byte, .count = 1};
		int64_t start = tuza_now();

		CHECK_EQ(tuza_conn_set_read_deadline(p.a, start + TUZA_HOUR), 0);
		TUZA_GO(read_now, &r);
		wait_parked("IO wait", 1);
		CHECK_EQ(tuza_conn_set_read_deadline(p.a, start + 2 * TUZA_HOUR), 0);
		CHECK_EQ(tuza_conn_set_read_deadline(p.a, 0), 0);
		wait_parked("IO wait", 1);
		CHECK_EQ(r.done, 0);
		int64_t deadline = tuza_now() + 5 * MS;
		CHECK_EQ(tuza_conn_set_read_deadline(p.a, deadline), 0);
		WAIT_UNTIL(r.done);
		CHECK_EQ(r.result, TUZA_EIOTIMEOUT);
		CHECK(tuza_now() >= deadline);
		close_pair(&p);
	}
}

// T9.1, Go: MustNotReturn: clearing the past deadline of reads leaves that of writes, and the read
// waits.
TEST(directions_have_deadlines_of_their_own)
{
	FOR_EACH_PAIR(p)
	{
		char byte;
		struct call r = {.conn = p.a, .bytes = &byte, .count = 1};

		CHECK_EQ(tuza_conn_set_deadline(p.a, 1), 0);
		CHECK_EQ(tuza_conn_read(p.a, &byte, 1), TUZA_EIOTIMEOUT);
		CHECK_EQ(tuza_conn_set_read_deadline(p.a, 0), 0);
		TUZA_GO(read_now, &r);
		wait_parked("IO wait", 1);
		CHECK_EQ(tuza_conn_write(p.a, "x", 1), TUZA_EIOTIMEOUT);
		CHECK_EQ(r.done, 0);
		CHECK_EQ(tuza_conn_close(p.a), 0);
		WAIT_UNTIL(r.done);
		CHECK_EQ(r.result, TUZA_ECONNCLOSED);
		CHECK_EQ(tuza_conn_close(p.b), 0);
	}
}

// N5: what was written before the deadline counts.
TEST(write_times_out_when_nobody_reads)
{
	enum { BYTES = 32 << 20 };
	char *bytes = calloc(1, BYTES);

	FOR_EACH_PAIR(p)
	{
		int64_t deadline = tuza_now() + 20 * MS;

		CHECK_EQ(tuza_conn_set_write_deadline(p.a, deadline), 0);
		ssize_t n = tuza_conn_write(p.a, bytes, BYTES);
		CHECK(n == TUZA_EIOTIMEOUT || (n > 0 && n < BYTES));
		CHECK(tuza_now() >= deadline);
		CHECK_EQ(tuza_conn_write(p.a, bytes, BYTES), TUZA_EIOTIMEOUT);
		close_pair(&p);
	}
	free(bytes);
}

// T9.1, Go: ProlongedTimeout: a new deadline before each call, far away.
TEST(deadline_moves_with_each_call)
{
	FOR_EACH_PAIR(p)
	{
		char byte;

		for (int i = 0; i < 1000; i++) {
			struct call w = {.conn = p.b, .bytes = (char[]){'x'}, .count = 1};

			CHECK_EQ(tuza_conn_set_deadline(p.a, tuza_now() + TUZA_HOUR), 0);
			TUZA_GO(write_now, &w);
			CHECK_EQ(tuza_conn_read(p.a, &byte, 1), 1);
			while (!atomic_load(&w.done))
				tuza_yield();
		}
		close_pair(&p);
	}
}

static void read_with_tiny_deadlines(tuza_conn *conn, atomic_int *left)
{
	char byte;

	for (int i = 0; i < 300; i++) {
		tuza_conn_set_read_deadline(conn, tuza_now() + 2 * TUZA_MICROSECOND);
		CHECK_EQ(tuza_conn_read(conn, &byte, 1), TUZA_EIOTIMEOUT);
	}
	atomic_fetch_sub(left, 1);
}

static void change_deadlines(tuza_conn *conn, atomic_int *left)
{
	for (int i = 0; i < 300; i++) {
		tuza_conn_set_deadline(conn, tuza_now() + 10 * TUZA_MICROSECOND);
		tuza_conn_set_write_deadline(conn, 0);
		tuza_yield();
	}
	atomic_fetch_sub(left, 1);
}

// T9.1, Go: ReadWriteDeadlineRace and ConcurrentSetDeadline.
TEST(deadlines_race_with_reads)
{
	FOR_EACH_PAIR(p)
	{
		atomic_int left = 4;

		for (int i = 0; i < 2; i++) {
			TUZA_GO(read_with_tiny_deadlines, p.a, &left);
			TUZA_GO(change_deadlines, p.a, &left);
		}
		WAIT_UNTIL(left == 0);
		close_pair(&p);
	}
}

static void accept_now(struct call *c)
{
	tuza_conn *conn;

	c->result = tuza_accept((tuza_listener *)c->conn, &conn);
	atomic_store(&c->done, 1);
}

// T9.1: accept timeout.
TEST(accept_times_out)
{
	tuza_listener *l;
	tuza_conn *conn;
	int64_t deadline = tuza_now() + 10 * MS;

	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &l), 0);
	CHECK_EQ(tuza_listener_set_deadline(l, deadline), 0);
	CHECK_EQ(tuza_accept(l, &conn), TUZA_EIOTIMEOUT);
	CHECK(conn == NULL);
	CHECK(tuza_now() >= deadline);
	CHECK_EQ(tuza_listener_set_deadline(l, 0), 0);
	struct call c = {.conn = (tuza_conn *)l};
	TUZA_GO(accept_now, &c);
	wait_parked("IO wait", 1);
	CHECK_EQ(tuza_listener_set_deadline(l, 1), 0);
	WAIT_UNTIL(c.done);
	CHECK_EQ(c.result, TUZA_EIOTIMEOUT);
	CHECK_EQ(tuza_listener_close(l), 0);
}

// A later deadline is not cut short by the one before it, whose wait bytes have ended; an earlier
// one is not missed for it.
TEST(deadlines_of_waits_in_a_row_are_each_kept)
{
	static const int64_t times[] = {
		2 * MS, 10 * MS, 5 * MS, TUZA_HOUR, 3 * MS, 20 * MS, MS, 15 * MS};

	FOR_EACH_PAIR(p)
	{
		char byte;

		for (int i = 0; i < 8; i++) {
			struct call w = {.conn = p.b, .bytes = (char[]){'x'}, .count = 1};
			int64_t deadline = tuza_now() + times[i];

			CHECK_EQ(tuza_conn_set_read_deadline(p.a, deadline), 0);
			if (i % 2 == 0 || times[i] == TUZA_HOUR) { // a wait that bytes may end
				TUZA_GO(write_now, &w);
				ssize_t n = tuza_conn_read(p.a, &byte, 1);
				if (n == TUZA_EIOTIMEOUT) { // they were late
					CHECK(tuza_now() >= deadline);
					CHECK_EQ(tuza_conn_set_read_deadline(p.a, 0), 0);
					n = tuza_conn_read(p.a, &byte, 1);
				}
				CHECK_EQ(n, 1);
				WAIT_UNTIL(w.done);
				continue;
			}
			CHECK_EQ(tuza_conn_read(p.a, &byte, 1), TUZA_EIOTIMEOUT);
			CHECK(tuza_now() >= deadline);
		}
		close_pair(&p);
	}
}

static void read_until_timeout(tuza_conn *conn, int64_t deadline, atomic_int *left)
{
	char byte;

	CHECK_EQ(tuza_conn_read(conn, &byte, 1), TUZA_EIOTIMEOUT);
	CHECK(tuza_now() >= deadline);
	atomic_fetch_sub(left, 1);
}

// A reader and a writer wait on one connection, with deadlines of their own.
TEST(deadlines_of_both_directions_are_kept_in_either_order)
{
	enum { COUNT = 16 << 20 };
	char *bytes = calloc(1, COUNT);

	for (int reader_first = 0; reader_first < 2; reader_first++) {
		FOR_EACH_PAIR(p)
		{
			int64_t now = tuza_now();
			int64_t r = now + (reader_first ? 5 : 25) * MS;
			int64_t w = now + (reader_first ? 25 : 5) * MS;
			atomic_int left = 1;
			struct call write = {.conn = p.a, .bytes = bytes, .count = COUNT};

			CHECK_EQ(tuza_conn_set_read_deadline(p.a, r), 0);
			CHECK_EQ(tuza_conn_set_write_deadline(p.a, w), 0);
			TUZA_GO(read_until_timeout, p.a, r, &left);
			TUZA_GO(write_now, &write);
			WAIT_UNTIL(left == 0 && write.done);
			CHECK(tuza_now() >= now + 25 * MS);
			CHECK(write.result == TUZA_EIOTIMEOUT ||
				(write.result > 0 && write.result < COUNT));
			close_pair(&p);
		}
	}
	free(bytes);
}

// Many descriptors' deadlines at one instant, several waiters on one of them.
TEST(waiters_of_one_listener_all_time_out)
{
	enum { WAITERS = 20 };
	tuza_listener *l;
	struct call calls[WAITERS] = {0};

	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &l), 0);
	CHECK_EQ(tuza_listener_set_deadline(l, tuza_now() + 5 * MS), 0);
	for (int i = 0; i < WAITERS; i++) {
		calls[i].conn = (tuza_conn *)l;
		TUZA_GO(accept_now, &calls[i]);
	}
	for (int i = 0; i < WAITERS; i++) {
		WAIT_UNTIL(calls[i].done);
		CHECK_EQ(calls[i].result, TUZA_EIOTIMEOUT);
	}
	CHECK_EQ(tuza_listener_close(l), 0);
}

static void wait_fd_now(int fd, int64_t deadline, atomic_int *left)
{
	CHECK_EQ(tuza_wait_fd(fd, POLLIN, deadline), TUZA_EIOTIMEOUT);
	CHECK(tuza_now() >= deadline);
	atomic_fetch_sub(left, 1);
}

// Each waiter of a descriptor has a deadline of its own.
TEST(waiters_of_one_descriptor_time_out_each_at_its_time)
{
	enum { WAITERS = 20 };
	int fds[2];
	atomic_int left = WAITERS;

	CHECK_EQ(pipe(fds), 0);
	for (int i = 0; i < WAITERS; i++)
		TUZA_GO(wait_fd_now, fds[0], tuza_now() + (i * 7 % WAITERS) * MS, &left);
	WAIT_UNTIL(left == 0);
	CHECK_EQ(tuza_close(fds[0]), 0);
	CHECK_EQ(tuza_close(fds[1]), 0);
}

static struct pair kept;

static int wait_with_deadline(void *kind)
{
	char byte;

	if (!kept.a)
		kept = pair_of(*(int *)kind);
	for (int i = 0; i < 2; i++) {
		int64_t deadline = tuza_now() + (i == 0 ? MS : 5 * MS);
		CHECK_EQ(tuza_conn_set_read_deadline(kept.a, deadline), 0);
		CHECK_EQ(tuza_conn_read(kept.a, &byte, 1), TUZA_EIOTIMEOUT);
		CHECK(tuza_now() >= deadline);
	}
	// A wait that ends, with a deadline that is to come in the next run.
	struct call w = {.conn = kept.b, .bytes = (char[]){'x'}, .count = 1};
	CHECK_EQ(tuza_conn_set_read_deadline(kept.a, tuza_now() + TUZA_HOUR), 0);
	TUZA_GO(write_now, &w);
	CHECK_EQ(tuza_conn_read(kept.a, &byte, 1), 1);
	WAIT_UNTIL(w.done);
	return 0;
}

// What was to fire in a run that has ended does not count in the next one.
TEST_PLAIN(deadlines_are_kept_in_each_run)
{
	for (int kind = 0; kind < PAIR_KINDS; kind++) {
		kept = (struct pair){NULL, NULL};
		for (int run = 0; run < 3; run++)
			CHECK_EQ(tuza_run(wait_with_deadline, &kind), 0);
		close_pair(&kept);
	}
}
