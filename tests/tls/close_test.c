// SPDX-License-Identifier: MIT
/*
 * How TLS connections end: by a goodbye or without, by deadlines, with the run.
 */
#include "tls_support.h"

#include <openssl/ssl.h>
#include <pthread.h>

// ---- ends -------------------------------------------------------------------------------------

TEST(an_end_that_was_said_is_an_end)
{
	FOR_EACH_TLS_PAIR(w, p)
	{
		char byte;
		struct call read = {.conn = p.b, .bytes = &byte, .count = 1};
		TUZA_GO(read_now, &read);
		CHECK_EQ(tuza_conn_close_write(p.a), 0);
		CHECK_EQ(tuza_conn_close_write(p.a), 0);
		WAIT_UNTIL(read.done);
		CHECK_EQ(read.result, 0);
		CHECK_EQ(tuza_conn_read(p.b, &byte, 1), 0);
		CHECK_EQ(tuza_conn_peek(p.b, &byte, 1), 0);
		CHECK_EQ(tuza_conn_wait_readable(p.b), 0);
		CHECK_EQ(tuza_conn_write(p.a, "x", 1), -EPIPE);

		// The other direction goes on.
		struct call write = {.conn = p.b, .bytes = "yes", .count = 3};
		char got[4] = "";
		TUZA_GO(write_now, &write);
		CHECK_EQ(read_all(p.a, got, 3), 3);
		CHECK_STR(got, "yes");
		WAIT_UNTIL(write.done);
		close_pair(&p);
	}
}

TEST(a_close_says_goodbye)
{
	FOR_EACH_TLS_PAIR(w, p)
	{
		char byte;
		struct call read = {.conn = p.b, .bytes = &byte, .count = 1};
		TUZA_GO(read_now, &read);
		CHECK_EQ(tuza_tls_handshake(NULL, p.a, NULL), 0);
		CHECK_EQ(tuza_conn_close(p.a), 0);
		WAIT_UNTIL(read.done);
		CHECK_EQ(read.result, 0);
		CHECK_EQ(tuza_conn_close(p.b), 0);
	}
}

// Somebody in between could have cut it short.
static void *one_byte(void *byte, size_t *count)
{
	*count = 1;
	return byte;
}

// The ways to read; the first looks for something to read before, and has nothing to tell of it.
static ssize_t read_in_a_way(tuza_conn *conn, int way)
{
	char byte;
	switch (way) {
	case 0:
		CHECK_EQ(tuza_conn_wait_readable(conn), 0);
		return tuza_conn_read(conn, &byte, 1);
	case 1:
		return tuza_conn_read(conn, &byte, 1);
	case 2:
		return tuza_conn_peek(conn, &byte, 1);
	default:
		return tuza_conn_read_into(conn, one_byte, &byte);
	}
}

// What went wrong is no end, however often one asks: a server that does not believe a client says
// so when that has long shaken hands.
TEST(a_failure_is_told_to_every_read)
{
	struct world w = make_world(tls_defaults, tls_defaults);
	tuza_tls_config *strict = config_of(&(tuza_tls_options){.cert_pem = w.server.cert,
		.key_pem = w.server.key,
		.ca_pem = w.ca.cert,
		.clients = TUZA_TLS_VERIFIED_CLIENTS});
	for (int way = 0; way < 4; way++) {
		struct pair under = pair_of(0), p;
		struct shaking client, server;
		tuza_tls_error why;
		CHECK_EQ(tuza_tls_client(under.a, w.at_client, NULL, &p.a), 0);
		CHECK_EQ(tuza_tls_server(under.b, strict, &p.b), 0);
		shake(p, &client, &server);
		CHECK_EQ(client.result, 0);
		CHECK_EQ(server.result, TUZA_ECERTIFICATE);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(read_in_a_way(p.a, i ? (way + i) % 4 : way), TUZA_ECERTIFICATE);
		CHECK_EQ(tuza_tls_get_error(p.a, &why), 0);
		CHECK_STR(why.text, "remote error: tls: certificate required");
		close_pair(&p);
	}
	tuza_tls_config_free(strict);
	free_world(&w);
}

TEST(an_end_without_goodbye_is_an_error)
{
	FOR_EACH_TLS_PAIR(w, p)
	{
		char bytes[4];
		struct call read = {.conn = p.b, .bytes = bytes, .count = 4};
		tuza_tls_error why;
		TUZA_GO(read_now, &read);
		CHECK_EQ(tuza_conn_write(p.a, "abc", 3), 3);
		WAIT_UNTIL(read.done);
		CHECK_EQ(read.result, 3);
		CHECK_EQ(tuza_conn_set_write_deadline(p.a, 1), 0); // no time for a goodbye
		CHECK_EQ(tuza_conn_close(p.a), 0);
		CHECK_EQ(tuza_conn_read(p.b, bytes, 4), TUZA_EUNEXPECTEDEOF);
		CHECK_EQ(tuza_conn_read(p.b, bytes, 4), TUZA_EUNEXPECTEDEOF);
		CHECK_EQ(tuza_tls_get_error(p.b, &why), 0);
		CHECK_EQ(why.code, TUZA_EUNEXPECTEDEOF);
		CHECK_CONTAINS(why.text, "without a goodbye");
		CHECK_EQ(tuza_conn_close(p.b), 0);
	}
}

TEST(close_wakes_who_waits)
{
	FOR_EACH_TLS_PAIR(w, p)
	{
		char byte;
		struct call reads[2] = {{.conn = p.a, .bytes = &byte, .count = 1},
			{.conn = p.b, .bytes = &byte, .count = 1}};
		struct shaking client, server;
		shake(p, &client, &server);
		TUZA_GO(read_now, &reads[0]);
		TUZA_GO(read_now, &reads[1]);
		tuza_yield();
		CHECK_EQ(tuza_conn_close(p.a), 0);
		WAIT_UNTIL(reads[0].done && reads[1].done);
		CHECK_EQ(reads[0].result, TUZA_ECONNCLOSED);
		CHECK_EQ(reads[1].result, 0);
		CHECK_EQ(tuza_conn_read(p.a, &byte, 1), TUZA_ECONNCLOSED);
		CHECK_EQ(tuza_conn_close(p.b), 0);
	}
}

// In the middle of a handshake that the other side does not take part in, and of a write that it
// does not read.
TEST(close_wakes_who_waits_for_the_other_side)
{
	enum { MUCH = 64 << 20 };
	struct world w = make_world(tls_defaults, tls_defaults);
	struct pair under = pair_of(0), p;
	char bytes[64];
	CHECK_EQ(tuza_tls_client(under.a, w.at_client, NULL, &p.a), 0);
	struct call read = {.conn = p.a, .bytes = bytes, .count = 1};
	struct call write = {.conn = p.a, .bytes = "x", .count = 1};
	TUZA_GO(read_now, &read);
	TUZA_GO(write_now, &write);
	CHECK_EQ(tuza_conn_read(under.b, bytes, sizeof bytes), sizeof bytes); // it has begun
	CHECK_EQ(tuza_conn_close(p.a), 0);
	WAIT_UNTIL(read.done && write.done);
	CHECK_EQ(read.result, TUZA_ECONNCLOSED);
	CHECK_EQ(write.result, TUZA_ECONNCLOSED);
	CHECK_EQ(tuza_conn_close(under.b), 0);

	p = ready_pair(&w, 0);
	struct call much = {.conn = p.a, .bytes = calloc(1, MUCH), .count = MUCH};
	TUZA_GO(write_now, &much);
	CHECK_EQ(tuza_conn_read(p.b, bytes, 1), 1);
	CHECK_EQ(tuza_conn_close(p.a), 0);
	WAIT_UNTIL(much.done);
	CHECK(much.result < MUCH);
	free(much.bytes);
	CHECK_EQ(tuza_conn_close(p.b), 0);
	free_world(&w);
}

TEST(reading_may_be_given_up)
{
	FOR_EACH_TLS_PAIR(w, p)
	{
		char byte;
		struct shaking client, server;
		shake(p, &client, &server);
		struct call read = {.conn = p.a, .bytes = &byte, .count = 1};
		TUZA_GO(read_now, &read);
		tuza_yield();
		CHECK_EQ(tuza_conn_close_read(p.a), 0);
		WAIT_UNTIL(read.done);
		CHECK_EQ(read.result, 0);
		CHECK_EQ(tuza_conn_read(p.a, &byte, 1), 0);
		close_pair(&p);
	}
}

// ---- deadlines --------------------------------------------------------------------------------

TEST(a_read_times_out_and_goes_on_with_a_later_deadline)
{
	FOR_EACH_TLS_PAIR(w, p)
	{
		char got[8] = "";
		struct shaking client, server;
		shake(p, &client, &server);
		CHECK_EQ(tuza_conn_set_read_deadline(p.a, tuza_now() + 2 * MS), 0);
		CHECK_EQ(tuza_conn_read(p.a, got, 1), TUZA_EIOTIMEOUT);
		CHECK_EQ(tuza_conn_wait_readable(p.a), TUZA_EIOTIMEOUT);
		CHECK_EQ(tuza_conn_set_read_deadline(p.a, 0), 0);
		struct call write = {.conn = p.b, .bytes = "hello", .count = 5};
		TUZA_GO(write_now, &write);
		CHECK_EQ(tuza_conn_wait_readable(p.a), 0);
		CHECK_EQ(tuza_conn_peek(p.a, got, 2), 2);
		CHECK_EQ(read_all(p.a, got, 5), 5);
		CHECK_STR(got, "hello");
		WAIT_UNTIL(write.done);

		// The rest of what was decrypted does not count past the deadline.
		struct call more = {.conn = p.b, .bytes = "world", .count = 5};
		TUZA_GO(write_now, &more);
		CHECK_EQ(tuza_conn_read(p.a, got, 1), 1);
		WAIT_UNTIL(more.done);
		CHECK_EQ(tuza_conn_set_read_deadline(p.a, 1), 0);
		CHECK_EQ(tuza_conn_read(p.a, got, 4), TUZA_EIOTIMEOUT);
		CHECK_EQ(tuza_conn_set_read_deadline(p.a, 0), 0);
		CHECK_EQ(read_all(p.a, got, 4), 4);
		close_pair(&p);
	}
}

TEST(a_write_that_timed_out_half_way_ends_writing)
{
	enum { MUCH = 64 << 20, BEGUN = 100000 };
	struct world w = make_world(tls_defaults, tls_defaults);
	struct pair p = ready_pair(&w, 0);
	char *much = calloc(1, MUCH), got[4] = "";
	CHECK_EQ(tuza_conn_set_write_deadline(p.a, 1), 0);
	CHECK_EQ(tuza_conn_write(p.a, "x", 1), TUZA_EIOTIMEOUT); // before it begins: no harm
	CHECK_EQ(tuza_conn_set_write_deadline(p.a, 0), 0);
	CHECK_EQ(tuza_conn_write(p.a, "x", 1), 1);
	CHECK_EQ(tuza_conn_read(p.b, got, 1), 1);

	struct call write = {.conn = p.a, .bytes = calloc(1, MUCH), .count = MUCH};
	TUZA_GO(write_now, &write);
	CHECK_EQ(read_all(p.b, much, BEGUN), BEGUN);
	CHECK_EQ(tuza_conn_set_write_deadline(p.a, 1), 0);
	WAIT_UNTIL(write.done);
	ssize_t n = write.result;
	CHECK(n > 0 && n < MUCH);
	free(write.bytes);
	CHECK_EQ(tuza_conn_set_write_deadline(p.a, 0), 0);
	CHECK_EQ(tuza_conn_write(p.a, "x", 1), TUZA_EIOTIMEOUT);
	// What was reported as written is there, and the other direction goes on.
	CHECK_EQ(tuza_conn_write(p.b, "yes", 3), 3);
	CHECK_EQ(read_all(p.a, got, 3), 3);
	size_t left = n > BEGUN ? (size_t)n - BEGUN : 0;
	CHECK_EQ(read_all(p.b, much, left), left);
	CHECK_EQ(tuza_conn_close(p.a), 0);
	CHECK_EQ(tuza_conn_read(p.b, much, 1) > 0, false);
	CHECK_EQ(tuza_conn_close(p.b), 0);
	free(much);
	free_world(&w);
}

// ---- the end of a run, and threads ------------------------------------------------------------

enum { TOO_MUCH = 64 << 20 };

struct left {
	struct world w;
	struct pair shaking, writing;
	tuza_conn *silent; // the other side of shaking.a
	char *bytes;
};

static void read_one(tuza_conn *conn)
{
	char byte;
	(void)!tuza_conn_read(conn, &byte, 1);
}

static void write_much(struct left *left)
{
	(void)!tuza_conn_write(left->writing.a, left->bytes, TOO_MUCH);
}

// One goroutine is in the middle of a handshake when it is dropped, another of a write.
static int leave_behind(void *arg)
{
	struct left *left = arg;
	struct pair under = pair_of(0);
	char bytes[64];
	CHECK_EQ(tuza_tls_client(under.a, left->w.at_client, NULL, &left->shaking.a), 0);
	left->silent = under.b;
	TUZA_GO(read_one, left->shaking.a);
	CHECK_EQ(tuza_conn_peek(left->silent, bytes, sizeof bytes) > 0, true);
	left->writing = ready_pair(&left->w, 0);
	TUZA_GO(write_much, left);
	CHECK_EQ(read_all(left->writing.b, bytes, sizeof bytes), sizeof bytes);
	return 0;
}

static int go_on(void *arg)
{
	struct left *left = arg;
	struct shaking client, server;
	char got[4] = "";
	CHECK_EQ(tuza_tls_server(left->silent, left->w.at_server, &left->shaking.b), 0);
	shake(left->shaking, &client, &server);
	CHECK_EQ(client.result, 0);
	CHECK_EQ(server.result, 0);
	CHECK_EQ(tuza_conn_write(left->shaking.a, "yes", 3), 3);
	CHECK_EQ(read_all(left->shaking.b, got, 3), 3);
	close_pair(&left->shaking);

	// How much of it has gone nobody knows, if it was dropped while it waited for that. The
	// other direction goes on.
	ssize_t n = tuza_conn_write(left->writing.a, "x", 1);
	CHECK(n == -ECONNABORTED || n == 1);
	CHECK_EQ(tuza_conn_write(left->writing.b, "yes", 3), 3);
	CHECK_EQ(read_all(left->writing.a, got, 3), 3);
	close_pair(&left->writing);
	return 0;
}

TEST_PLAIN(a_connection_outlives_goroutines_that_were_dropped_in_it)
{
	struct left left = {
		.bytes = calloc(1, TOO_MUCH), .w = make_world(tls_defaults, tls_defaults)};
	CHECK_EQ(tuza_run(leave_behind, &left), 0);
	CHECK_EQ(tuza_run(go_on, &left), 0);
	free_world(&left.w);
	free(left.bytes);
}
