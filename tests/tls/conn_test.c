// SPDX-License-Identifier: MIT
/*
 * A TLS connection is a connection: bytes in both directions, from goroutines and threads.
 */
#include "tls_support.h"

#include <openssl/ssl.h>
#include <pthread.h>

// T9.6.
TEST(what_is_written_is_read_in_order)
{
	enum { TOTAL = 1 << 20 };
	char *sent = malloc(TOTAL), *got = malloc(TOTAL);
	fill_pattern(sent, TOTAL, 1);
	FOR_EACH_TLS_PAIR(w, p)
	{
		struct call write = {.conn = p.a, .bytes = sent, .count = TOTAL};
		memset(got, 0, TOTAL);
		TUZA_GO(write_now, &write);
		CHECK_EQ(read_all(p.b, got, TOTAL), TOTAL);
		WAIT_UNTIL(write.done);
		CHECK_EQ(write.result, TOTAL);
		CHECK(memcmp(sent, got, TOTAL) == 0);
		close_pair(&p);
	}
	free(sent);
	free(got);
}

// T9.6.
TEST(two_ends_answer_each_other)
{
	FOR_EACH_TLS_PAIR(w, p)
	{
		atomic_int done = 0;
		uint64_t n = 0;
		TUZA_GO(answer_numbers, p.b, &done);
		for (uint64_t i = 0; i < 100; i++) {
			CHECK_EQ(tuza_conn_write(p.a, &n, sizeof n), sizeof n);
			CHECK_EQ(read_all(p.a, (char *)&n, sizeof n), sizeof n);
			if (!CHECK_EQ(n, i + 1))
				break;
		}
		CHECK_EQ(tuza_conn_close(p.a), 0);
		WAIT_UNTIL(done);
		CHECK_EQ(tuza_conn_close(p.b), 0);
	}
}

TEST(pieces_are_written_as_one)
{
	FOR_EACH_TLS_PAIR(w, p)
	{
		char got[16] = "", *twenty = calloc(1, 20000);
		struct iovec pieces[] = {{"a", 1}, {NULL, 0}, {twenty, 20000}, {"bc", 2}};
		struct call read = {.conn = p.b, .bytes = got, .count = 1};
		TUZA_GO(read_now, &read);
		struct call rest = {.conn = p.b, .bytes = malloc(20002), .count = 20002};
		CHECK_EQ(tuza_tls_handshake(NULL, p.a, NULL), 0);
		if (kind < 2) { // in memory a write waits for its reader
			CHECK_EQ(tuza_conn_writev(p.a, pieces, 4), 20003);
			WAIT_UNTIL(read.done);
			CHECK_EQ(got[0], 'a');
			CHECK_EQ(read_all(p.b, rest.bytes, 20002), 20002);
			CHECK(memcmp(rest.bytes + 20000, "bc", 2) == 0);
			CHECK_EQ(tuza_conn_write(p.a, "", 0), 0);
		}
		close_pair(&p);
		WAIT_UNTIL(read.done);
		free(rest.bytes);
		free(twenty);
	}
}

// ---- both directions at once ------------------------------------------------------------------

struct flow {
	tuza_conn *conn;
	size_t total;
	unsigned seed;
	bool held;
	atomic_int done;
};

static void pour(struct flow *f)
{
	char *bytes = malloc(f->total);
	fill_pattern(bytes, f->total, f->seed);
	f->held = tuza_conn_write(f->conn, bytes, f->total) == (ssize_t)f->total;
	free(bytes);
	atomic_store(&f->done, 1);
}

static void drain(struct flow *f)
{
	char *want = malloc(f->total), *got = calloc(1, f->total);
	fill_pattern(want, f->total, f->seed);
	f->held = read_all(f->conn, got, f->total) == f->total && memcmp(want, got, f->total) == 0;
	free(want);
	free(got);
	atomic_store(&f->done, 1);
}

// Each side is in the middle of a long write all the time: whoever held a lock while it waits to
// write would keep its own side from reading, and with that the other side from writing.
static void both_ways(struct pair p, size_t total)
{
	struct flow flows[] = {{p.a, total, 1, false, 0}, {p.b, total, 2, false, 0},
		{p.b, total, 1, false, 0}, {p.a, total, 2, false, 0}};
	TUZA_GO(pour, &flows[0]);
	TUZA_GO(pour, &flows[1]);
	TUZA_GO(drain, &flows[2]);
	TUZA_GO(drain, &flows[3]);
	for (int i = 0; i < 4; i++) {
		WAIT_UNTIL(flows[i].done);
		CHECK(flows[i].held);
	}
}

TEST(both_directions_go_on_at_once)
{
	FOR_EACH_TLS_PAIR(w, p)
	{
		both_ways(p, kind == 0 ? 4 << 20 : 1 << 19);
		close_pair(&p);
	}
}

static void write_in_turn(struct pair p, int i, atomic_int *left)
{
	char bytes[100];
	memset(bytes, i, sizeof bytes);
	for (int n = 0; n < 50; n++)
		CHECK_EQ(tuza_conn_write(p.a, bytes, sizeof bytes), sizeof bytes);
	atomic_fetch_sub(left, 1);
}

TEST(writes_of_many_are_not_mixed)
{
	enum { WRITERS = 8 };
	struct world w = make_world(tls_defaults, tls_defaults);
	struct pair p = ready_pair(&w, 0);
	atomic_int left = WRITERS;
	char bytes[100];
	for (int i = 0; i < WRITERS; i++)
		TUZA_GO(write_in_turn, p, i, &left);
	for (int n = 0; n < 50 * WRITERS; n++) {
		if (!CHECK_EQ(read_all(p.b, bytes, sizeof bytes), sizeof bytes))
			break;
		for (size_t i = 1; i < sizeof bytes; i++)
			if (!CHECK_EQ(bytes[i], bytes[0]))
				break;
	}
	WAIT_UNTIL(left == 0);
	close_pair(&p);
	free_world(&w);
}

// ---- new keys ---------------------------------------------------------------------------------

// What a side has seen of OpenSSL, for what tuza has no call for.
struct watch {
	SSL *ssl;
	atomic_int updates_sent, updates_got;
};

static void watch_message(
	int writing, int version, int type, const void *bytes, size_t count, SSL *ssl, void *arg)
{
	struct watch *w = arg;
	(void)version;
	w->ssl = ssl;
	if (type == SSL3_RT_HANDSHAKE && count > 0 && *(const char *)bytes == SSL3_MT_KEY_UPDATE)
		atomic_fetch_add(writing ? &w->updates_sent : &w->updates_got, 1);
}

static int watch_it(void *ctx, void *arg)
{
	SSL_CTX_set_msg_callback(ctx, watch_message);
	SSL_CTX_set_msg_callback_arg(ctx, arg);
	return 0;
}

// A key update that asks for another arrives in a read, and makes the reader's side answer.
TEST(keys_are_updated_under_way)
{
	enum { ROUNDS = 4 };
	struct watch client = {0}, server = {0};
	tuza_tls_options o = {.customize = watch_it, .customize_arg = &client};
	tuza_tls_options of_server = {.customize = watch_it, .customize_arg = &server};
	struct world w = make_world(of_server, o);
	for (int kind = 0; kind < PAIR_KINDS; kind++) {
		struct pair p = ready_pair(&w, kind);
		client.updates_sent = client.updates_got = 0;
		server.updates_sent = server.updates_got = 0;
		for (int i = 0; i < ROUNDS; i++) {
			// Nobody uses the connection at this moment.
			CHECK_EQ(SSL_key_update(
					 i & 1 ? server.ssl : client.ssl, SSL_KEY_UPDATE_REQUESTED),
				1);
			both_ways(p, 256 << 10);
			both_ways(p, 1000); // the answer goes with the next write
		}
		CHECK_EQ(client.updates_sent, ROUNDS);
		CHECK_EQ(server.updates_sent, ROUNDS);
		CHECK_EQ(server.updates_got, ROUNDS);
		CHECK_EQ(client.updates_got, ROUNDS);
		close_pair(&p);
	}
	free_world(&w);
}

// ---- what it is -------------------------------------------------------------------------------

TEST(a_connection_is_no_tls_connection_by_chance)
{
	struct pair p = pair_of(0);
	tuza_tls_state state;
	tuza_tls_error why;
	CHECK_EQ(tuza_tls_get_state(p.a, &state), -EINVAL);
	CHECK_EQ(tuza_tls_handshake(NULL, p.a, &why), -EINVAL);
	CHECK_EQ(tuza_tls_get_error(p.a, &why), -EINVAL);
	close_pair(&p);
	CHECK_EQ(tuza_tls_get_state(p.a, &state), TUZA_ECONNCLOSED);
	CHECK_EQ(tuza_tls_handshake(NULL, p.a, &why), TUZA_ECONNCLOSED);
}

static void *answer_in_thread(void *conn)
{
	char got[8] = "";
	CHECK_EQ(read_all(conn, got, 5), 5);
	CHECK_EQ(tuza_conn_write(conn, got, 5), 5);
	CHECK_EQ(tuza_conn_read(conn, got, 1), 0);
	return NULL;
}

TEST(threads_take_part)
{
	struct world w = make_world(tls_defaults, tls_defaults);
	struct pair p = tls_pair(&w, 0);
	pthread_t thread;
	char got[8] = "";
	CHECK_EQ(pthread_create(&thread, NULL, answer_in_thread, p.b), 0);
	CHECK_EQ(tuza_conn_write(p.a, "hello", 5), 5);
	CHECK_EQ(read_all(p.a, got, 5), 5);
	CHECK_STR(got, "hello");
	CHECK_EQ(tuza_conn_close(p.a), 0);
	tuza_blocking_begin();
	pthread_join(thread, NULL);
	tuza_blocking_end();
	CHECK_EQ(tuza_conn_close(p.b), 0);
	free_world(&w);
}
