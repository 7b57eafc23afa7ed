// SPDX-License-Identifier: MIT
/*
 * Streams of all kinds: TCP, unix sockets, pipes in memory. After Go's net/net_test.go,
 * net/pipe_test.go and x/net/nettest.TestConn.
 */
#include "net_support.h"

#include <limits.h>

#include <pthread.h>
#include <tuza/errno.h>

// T9.6, Go: BasicIO.
TEST(what_is_written_is_read_in_order)
{
	enum { TOTAL = 1 << 20 };
	char *sent = malloc(TOTAL), *got = malloc(TOTAL);

	for (size_t i = 0; i < TOTAL; i++)
		sent[i] = (char)(i * 7919 >> 3);
	FOR_EACH_PAIR(p)
	{
		struct call w = {.conn = p.a, .bytes = sent, .count = TOTAL};

		memset(got, 0, TOTAL);
		TUZA_GO(write_now, &w);
		CHECK_EQ(read_all(p.b, got, TOTAL), TOTAL);
		WAIT_UNTIL(w.done);
		CHECK_EQ(w.result, TOTAL);
		CHECK(memcmp(sent, got, TOTAL) == 0);
		close_pair(&p);
	}
	free(sent);
	free(got);
}

static void wait_readable_now(struct call *c)
{
	c->result = tuza_conn_wait_readable(c->conn);
	atomic_store(&c->done, 1);
}

// Looking takes nothing away, and waiting for something to read needs no buffer.
TEST(peek_leaves_what_it_shows)
{
	char bytes[8] = "";

	FOR_EACH_PAIR(p)
	{
		struct call wait = {.conn = p.b},
			    write = {.conn = p.a, .bytes = "hello", .count = 5};

		TUZA_GO(wait_readable_now, &wait);
		tuza_yield();
		CHECK_EQ(wait.done, 0);
		TUZA_GO(write_now, &write);
		WAIT_UNTIL(wait.done);
		CHECK_EQ(wait.result, 0);
		CHECK_EQ(tuza_conn_wait_readable(p.b), 0);
		CHECK_EQ(tuza_conn_peek(p.b, bytes, 2), 2);
		CHECK(memcmp(bytes, "he", 2) == 0);
		if (kind == 2)
			CHECK_EQ(write.done, 0); // a pipe keeps nothing
		CHECK_EQ(read_all(p.b, bytes, 5), 5);
		CHECK(memcmp(bytes, "hello", 5) == 0);
		WAIT_UNTIL(write.done);

		CHECK_EQ(tuza_conn_set_read_deadline(p.b, tuza_now() - 1), 0);
		CHECK_EQ(tuza_conn_peek(p.b, bytes, 1), TUZA_EIOTIMEOUT);
		CHECK_EQ(tuza_conn_wait_readable(p.b), TUZA_EIOTIMEOUT);
		CHECK_EQ(tuza_conn_set_read_deadline(p.b, 0), 0);
		CHECK_EQ(tuza_conn_close(p.a), 0);
		CHECK_EQ(tuza_conn_wait_readable(p.b), 0);
		CHECK_EQ(tuza_conn_peek(p.b, bytes, 1), 0);
		CHECK_EQ(tuza_conn_close(p.b), 0);
		CHECK_EQ(tuza_conn_wait_readable(p.b), TUZA_ECONNCLOSED);
	}
}

struct late_buffer {
	int asked;
	size_t room;
	char *given, bytes[8]; // given: what room returns
};

static void *give_room(void *arg, size_t *count)
{
	struct late_buffer *b = arg;

	b->asked++;
	*count = b->room;
	return b->given;
}

struct late_read {
	tuza_conn *conn;
	struct late_buffer *buffer;
	ssize_t result;
	atomic_int done;
};

static void read_late(struct late_read *r)
{
	r->result = tuza_conn_read_into(r->conn, give_room, r->buffer);
	atomic_store(&r->done, 1);
}

TEST(a_read_asks_for_its_buffer_when_there_is_something_to_read)
{
	FOR_EACH_PAIR(p)
	{
		struct late_buffer b = {.room = sizeof b.bytes, .given = b.bytes};
		struct late_read late = {.conn = p.b, .buffer = &b};
		struct call write = {.conn = p.a, .bytes = "hello!", .count = 6};

		TUZA_GO(read_late, &late);
		for (int i = 0; i < 10; i++)
			tuza_yield();
		CHECK_EQ(late.done, 0);
		TUZA_GO(write_now, &write);
		WAIT_UNTIL(late.done);
		CHECK_EQ(late.result, 6);
		CHECK_EQ(b.asked, 1);
		CHECK(memcmp(b.bytes, "hello!", 6) == 0);
		WAIT_UNTIL(write.done);

		write.done = 0;
		TUZA_GO(write_now, &write);
		b.given = NULL;
		CHECK_EQ(tuza_conn_read_into(p.b, give_room, &b), -ENOMEM);
		b.given = b.bytes;
		b.room = 2; // the rest is left
		CHECK_EQ(tuza_conn_read_into(p.b, give_room, &b), 2);
		b.room = 0;
		CHECK_EQ(tuza_conn_read_into(p.b, give_room, &b), 0);
		b.room = 4;
		CHECK_EQ(tuza_conn_read_into(p.b, give_room, &b), 4);
		CHECK(memcmp(b.bytes, "llo!", 4) == 0);
		WAIT_UNTIL(write.done);

		b.asked = 0;
		CHECK_EQ(tuza_conn_set_read_deadline(p.b, tuza_now() + TUZA_MILLISECOND), 0);
		CHECK_EQ(tuza_conn_read_into(p.b, give_room, &b), TUZA_EIOTIMEOUT);
		CHECK_EQ(b.asked, 0);
		CHECK_EQ(tuza_conn_set_read_deadline(p.b, 0), 0);
		CHECK_EQ(tuza_conn_close(p.a), 0);
		CHECK_EQ(tuza_conn_read_into(p.b, give_room, &b), 0);
		CHECK_EQ(tuza_conn_close(p.b), 0);
		CHECK_EQ(tuza_conn_read_into(p.b, give_room, &b), TUZA_ECONNCLOSED);
	}
}

// T9.6, Go: PingPong.
TEST(two_ends_answer_each_other)
{
	FOR_EACH_PAIR(p)
	{
		atomic_int done = 0;
		uint64_t n = 0;

		TUZA_GO(answer_numbers, p.b, &done);
		for (uint64_t i = 0; i < 1000; i++) {
			CHECK_EQ(tuza_conn_write(p.a, &n, sizeof(n)), sizeof(n));
			CHECK_EQ(read_all(p.a, (char *)&n, sizeof(n)), sizeof(n));
			if (!CHECK_EQ(n, i + 1))
				break;
		}
		CHECK_EQ(tuza_conn_close(p.a), 0);
		WAIT_UNTIL(done);
		CHECK_EQ(tuza_conn_close(p.b), 0);
	}
}

// N5: at once, whatever there is, and whatever the deadline.
TEST(read_of_nothing_waits_for_nothing)
{
	FOR_EACH_PAIR(p)
	{
		char byte;

		CHECK_EQ(tuza_conn_read(p.a, &byte, 0), 0);
		CHECK_EQ(tuza_conn_peek(p.a, &byte, 0), 0);
		CHECK_EQ(tuza_conn_set_read_deadline(p.a, 1), 0);
		CHECK_EQ(tuza_conn_read(p.a, &byte, 0), 0);
		CHECK_EQ(tuza_conn_peek(p.a, &byte, 0), 0);
		CHECK_EQ(tuza_conn_read(p.a, &byte, 1), TUZA_EIOTIMEOUT);
		CHECK_EQ(tuza_conn_write(p.a, &byte, 0), 0);
		CHECK_EQ(tuza_conn_writev(p.a, NULL, 0), 0);
		CHECK_EQ(tuza_conn_writev(p.a, NULL, -1), -EINVAL);
		close_pair(&p);
	}
}

enum { RECORD = 5000, RECORDS = 40, WRITERS = 4 };

static void write_records(tuza_conn *conn, char c, atomic_int *left)
{
	char record[RECORD];

	memset(record, c, sizeof(record));
	for (int i = 0; i < RECORDS; i++)
		CHECK_EQ(tuza_conn_write(conn, record, sizeof(record)), RECORD);
	atomic_fetch_sub(left, 1);
}

// N1: a write is never mixed with another.
TEST(writes_of_many_goroutines_are_not_mixed)
{
	static char got[RECORD * RECORDS * WRITERS];

	FOR_EACH_PAIR(p)
	{
		atomic_int left = WRITERS;

		for (int i = 0; i < WRITERS; i++)
			TUZA_GO(write_records, p.a, (char)('a' + i), &left);
		CHECK_EQ(read_all(p.b, got, sizeof(got)), sizeof(got));
		for (size_t i = 0; i < sizeof(got); i += RECORD)
			for (size_t k = 1; k < RECORD; k++)
				if (got[i + k] != got[i] && !CHECK_EQ(got[i + k], got[i]))
					break;
		WAIT_UNTIL(left == 0);
		close_pair(&p);
	}
}

static void read_all_now(struct call *c)
{
	c->result = (ssize_t)read_all(c->conn, c->bytes, c->count);
	atomic_store(&c->done, 1);
}

TEST(pieces_are_written_as_one)
{
	enum { PIECES = 3000 };
	struct iovec *pieces = calloc(PIECES, sizeof(*pieces));
	static char byte[256], got[PIECES];

	for (int i = 0; i < PIECES; i++) {
		byte[i % 256] = (char)i;
		pieces[i] = (struct iovec){&byte[i % 256], i % 3 ? 1 : 0}; // 0, 1, 2: two bytes
	}
	FOR_EACH_PAIR(p)
	{
		struct call r = {.conn = p.b, .bytes = got, .count = 2};

		TUZA_GO(read_all_now, &r);
		CHECK_EQ(tuza_conn_writev(p.a, pieces, 3), 2);
		WAIT_UNTIL(r.done);
		CHECK_EQ(r.result, 2);
		CHECK_EQ(got[0], 1);
		CHECK_EQ(got[1], 2);
		if (kind != 2) {
			CHECK_EQ(tuza_conn_writev(p.a, pieces, PIECES), PIECES / 3 * 2);
			CHECK_EQ(tuza_conn_writev(p.a, pieces, 0), 0);
			CHECK_EQ(tuza_conn_writev(p.a, pieces, -1), -EINVAL);
			CHECK_EQ(read_all(p.b, got, PIECES / 3 * 2), PIECES / 3 * 2);
			CHECK_EQ(got[PIECES / 3 * 2 - 1], (char)(PIECES - 1));
		}
		close_pair(&p);
	}
	free(pieces);
}

TEST(ends_have_addresses)
{
	char a[TUZA_ADDRESS_TEXT], b[TUZA_ADDRESS_TEXT];
	struct pair p = pair_of(0);

	CHECK_EQ(tuza_conn_local_address(p.a, a, sizeof(a)), 0);
	CHECK_EQ(tuza_conn_remote_address(p.b, b, sizeof(b)), 0);
	CHECK_STR(a, b);
	CHECK(strncmp(a, "127.0.0.1:", 10) == 0);
	CHECK_EQ(tuza_conn_remote_address(p.a, a, 5), -ENOSPC);
	CHECK(tuza_conn_fd(p.a) >= 0);
	close_pair(&p);
	p = pair_of(1);
	CHECK_EQ(tuza_conn_remote_address(p.a, a, sizeof(a)), 0);
	CHECK(strncmp(a, "@tuza-test-", 11) == 0);
	CHECK_EQ(tuza_conn_local_address(p.a, a, sizeof(a)), 0);
	CHECK_STR(a, "");
	close_pair(&p);
	p = pair_of(2);
	CHECK_EQ(tuza_conn_fd(p.a), -EBADF);
	CHECK_EQ(tuza_conn_local_address(p.a, a, sizeof(a)), 0);
	close_pair(&p);
}

static int option(tuza_conn *conn, int level, int name)
{
	int value = -1;
	socklen_t bytes = sizeof(value);

	CHECK_EQ(getsockopt(tuza_conn_fd(conn), level, name, &value, &bytes), 0);
	return value;
}

// Go's: no delay, and watching for the other side after 15 s.
TEST(tcp_has_gos_options_from_the_start)
{
	enum { NODELAY = 1, IDLE = 4, INTERVAL = 5, PROBES = 6 }; // of IPPROTO_TCP
	struct pair p = pair_of(0);
	tuza_conn *ends[] = {p.a, p.b};

	for (int i = 0; i < 2; i++) {
		CHECK_EQ(option(ends[i], IPPROTO_TCP, NODELAY), 1);
		CHECK_EQ(option(ends[i], SOL_SOCKET, SO_KEEPALIVE), 1);
		CHECK_EQ(option(ends[i], IPPROTO_TCP, IDLE), 15);
		CHECK_EQ(option(ends[i], IPPROTO_TCP, INTERVAL), 15);
		CHECK_EQ(option(ends[i], IPPROTO_TCP, PROBES), 9);
	}
	CHECK_EQ(tuza_conn_set_nodelay(p.a, false), 0);
	CHECK_EQ(option(p.a, IPPROTO_TCP, NODELAY), 0);
	CHECK_EQ(tuza_conn_set_keepalive(p.a, 1, 2 * TUZA_SECOND, 3), 0);
	CHECK_EQ(option(p.a, IPPROTO_TCP, IDLE), 1);
	CHECK_EQ(option(p.a, IPPROTO_TCP, INTERVAL), 2);
	CHECK_EQ(option(p.a, IPPROTO_TCP, PROBES), 3);
	CHECK_EQ(tuza_conn_set_keepalive(p.a, INT64_MAX, INT64_MAX, INT_MAX), 0);
	CHECK_EQ(option(p.a, IPPROTO_TCP, IDLE), 32767);
	CHECK_EQ(option(p.a, IPPROTO_TCP, INTERVAL), 32767);
	CHECK_EQ(option(p.a, IPPROTO_TCP, PROBES), 127);
	CHECK_EQ(tuza_conn_set_keepalive(p.a, TUZA_SECOND, INT64_MIN, INT_MIN), 0);
	CHECK_EQ(option(p.a, IPPROTO_TCP, PROBES), 127);
	CHECK_EQ(tuza_conn_set_keepalive(p.a, 0, 0, 0), 0);
	CHECK_EQ(option(p.a, SOL_SOCKET, SO_KEEPALIVE), 0);
	close_pair(&p);
	p = pair_of(2);
	CHECK_EQ(tuza_conn_set_nodelay(p.a, true), -ENOTSUP);
	close_pair(&p);
}

// Also where the program has set other ones on the listener, which they would inherit.
TEST(accepted_connections_have_gos_options_whatever_the_listener_has)
{
	int off = 0;
	char at[TUZA_ADDRESS_TEXT];
	tuza_listener *l;
	tuza_conn *a = NULL, *b = NULL;

	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &l), 0);
	CHECK_EQ(tuza_listener_address(l, at, sizeof(at)), 0);
	int fd = tuza_listener_fd(l);
	CHECK_EQ(setsockopt(fd, IPPROTO_TCP, 1, &off, sizeof(off)), 0); // TCP_NODELAY
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &off, sizeof(off)), 0);
	CHECK_EQ(tuza_dial(tuza_context_background(), "tcp", at, &a), 0);
	CHECK_EQ(tuza_accept(l, &b), 0);
	CHECK_EQ(option(b, IPPROTO_TCP, 1), 1);
	CHECK_EQ(option(b, SOL_SOCKET, SO_KEEPALIVE), 1);
	CHECK_EQ(tuza_conn_close(a), 0);
	CHECK_EQ(tuza_conn_close(b), 0);
	CHECK_EQ(tuza_listener_close(l), 0);
}

static void *talk_on_a_thread(void *arg)
{
	tuza_conn *conn = arg;
	char bytes[4];

	CHECK_EQ(read_all(conn, bytes, 4), 4);
	CHECK_EQ(tuza_conn_write(conn, bytes, 4), 4);
	CHECK_EQ(tuza_conn_read(conn, bytes, 4), 0);
	return NULL;
}

TEST(plain_thread_talks_to_a_goroutine)
{
	FOR_EACH_PAIR(p)
	{
		pthread_t thread;
		char bytes[4] = "";

		CHECK_EQ(pthread_create(&thread, NULL, talk_on_a_thread, p.b), 0);
		CHECK_EQ(tuza_conn_write(p.a, "abcd", 4), 4);
		CHECK_EQ(read_all(p.a, bytes, 4), 4);
		CHECK(memcmp(bytes, "abcd", 4) == 0);
		CHECK_EQ(tuza_conn_close(p.a), 0);
		pthread_join(thread, NULL);
		CHECK_EQ(tuza_conn_close(p.b), 0);
	}
}

static struct pair left_over;
static char left_byte;
static struct call left_read;

static int leave_reading(void *kind)
{
	left_over = pair_of(*(int *)kind);
	left_read = (struct call){.conn = left_over.a, .bytes = &left_byte, .count = 1};
	TUZA_GO(read_now, &left_read);
	TUZA_GO(read_now, &left_read); // waits for its turn
	wait_parked("IO wait", 1);
	wait_parked("sync.Mutex.Lock", 1);
	return 0;
}

static int use_left_over(void *kind)
{
	char byte = 0;
	struct call r = {.conn = left_over.a, .bytes = &byte, .count = 1};

	(void)kind;
	TUZA_GO(read_now, &r);
	wait_parked("IO wait", 1);
	CHECK_EQ(tuza_conn_write(left_over.b, "x", 1), 1);
	WAIT_UNTIL(r.done);
	CHECK_EQ(byte, 'x');
	close_pair(&left_over);
	return 0;
}

// L5: who was reading when its run ended is gone; the connection is not, and nobody waits for who
// is gone.
TEST_PLAIN(connection_outlives_the_run_that_used_it)
{
	for (int kind = 0; kind < PAIR_KINDS; kind++) {
		CHECK_EQ(tuza_run(leave_reading, &kind), 0);
		CHECK_EQ(tuza_run(use_left_over, &kind), 0);
	}
}

TEST(errno_is_left_alone)
{
	FOR_EACH_PAIR(p)
	{
		char byte;

		errno = 4711;
		CHECK_EQ(tuza_conn_set_deadline(p.a, tuza_now() + MS), 0);
		CHECK_EQ(tuza_conn_read(p.a, &byte, 1), TUZA_EIOTIMEOUT);
		CHECK_EQ(errno, 4711);
		close_pair(&p);
		CHECK_EQ(errno, 4711);
	}
}

static void read_and_write_for_ever(tuza_conn *a, tuza_conn *b, atomic_int *stop)
{
	char byte = 'x';

	while (!atomic_load(stop)) {
		CHECK_EQ(tuza_conn_write(a, &byte, 1), 1);
		CHECK_EQ(tuza_conn_read(b, &byte, 1), 1);
	}
}

static void count_turns(atomic_int *stop, atomic_long *turns)
{
	while (!atomic_load(stop)) {
		atomic_fetch_add(turns, 1);
		tuza_yield();
	}
}

// Who always finds bytes and room never waits, and yet lets others have their turn: with one
// processor, and without another in its place.
TEST(busy_connection_shares_the_processor)
{
	int processors = tuza_gomaxprocs(1);
	struct pair p = pair_of(1);
	atomic_int stop = 0;
	atomic_long turns = 0;

	TUZA_GO(read_and_write_for_ever, p.a, p.b, &stop);
	TUZA_GO(count_turns, &stop, &turns);
	WAIT_UNTIL(turns > 5);
	atomic_store(&stop, 1);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	close_pair(&p);
	tuza_gomaxprocs(processors);
}

// ---- two that answer each other ---------------------------------------------------------------

static void answer(tuza_conn *conn, atomic_int *done)
{
	char byte;

	while (tuza_conn_read(conn, &byte, 1) == 1)
		CHECK_EQ(tuza_conn_write(conn, &byte, 1), 1);
	atomic_store(done, 1);
}

static void ask(tuza_conn *conn, int turns)
{
	char byte = 'x';

	for (int i = 0; i < turns; i++) {
		CHECK_EQ(tuza_conn_write(conn, &byte, 1), 1);
		CHECK_EQ(tuza_conn_read(conn, &byte, 1), 1);
	}
}

TEST(two_that_answer_each_other_keep_nobody_from_what_came_for_him)
{
	int processors = tuza_gomaxprocs(1);
	struct pair p = pair_of(0), q = pair_of(0);
	atomic_int done = 0;

	TUZA_GO(answer, p.b, &done);
	for (int round = 0; round < 10; round++) {
		char byte;
		struct call c = {.conn = q.b, .bytes = &byte, .count = 1};

		TUZA_GO(read_now, &c);
		ask(p.a, 60);
		CHECK_EQ(tuza_conn_write(q.a, "x", 1), 1);
		// The kernel may deliver it late on a busy machine: many turns, and some time.
		int64_t end = tuza_now() + 5 * TUZA_SECOND;
		for (int turns = 0; !atomic_load(&c.done); turns++) {
			if (turns >= 50000 && tuza_now() > end)
				break;
			ask(p.a, 1);
		}
		CHECK(atomic_load(&c.done));
		WAIT_UNTIL(c.done);
	}
	CHECK_EQ(tuza_conn_close(p.a), 0);
	WAIT_UNTIL(done);
	CHECK_EQ(tuza_conn_close(p.b), 0);
	close_pair(&q);
	tuza_gomaxprocs(processors);
}
