// SPDX-License-Identifier: MIT
/*
 * Handshakes: what is agreed on, what is remembered, and how they end early.
 */
#include "tls_support.h"

#include <openssl/ssl.h>

static const tuza_tls_options none;

// ---- versions and protocols -------------------------------------------------------------------

TEST(the_newest_version_of_both_is_taken)
{
	static const struct {
		int least[2], most[2], result;
	} cases[] = {
		{{0, 0}, {0, 0}, TUZA_TLS_1_3},
		{{0, 0}, {0, TUZA_TLS_1_2}, TUZA_TLS_1_2},
		{{0, 0}, {TUZA_TLS_1_2, 0}, TUZA_TLS_1_2},
		{{TUZA_TLS_1_3, 0}, {0, 0}, TUZA_TLS_1_3},
		{{TUZA_TLS_1_3, 0}, {0, TUZA_TLS_1_2}, TUZA_ETLS},
		{{0, TUZA_TLS_1_3}, {TUZA_TLS_1_2, 0}, TUZA_ETLS},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world w = make_world((tuza_tls_options){.min_version = cases[i].least[1],
						    .max_version = cases[i].most[1]},
			(tuza_tls_options){
				.min_version = cases[i].least[0], .max_version = cases[i].most[0]});
		struct pair p = tls_pair(&w, 0);
		struct shaking client, server;
		tuza_tls_state state;
		shake(p, &client, &server);
		CHECK_EQ(tuza_tls_get_state(p.a, &state), 0);
		if (cases[i].result > 0) {
			CHECK_EQ(client.result, 0);
			CHECK_EQ(server.result, 0);
			CHECK_EQ(state.version, cases[i].result);
		} else {
			CHECK_EQ(client.result, TUZA_ETLS);
			CHECK_EQ(server.result, TUZA_ETLS);
			CHECK_STR(server.why.text, "tls: there is no version that both sides take");
			CHECK_STR(client.why.text, "remote error: tls: protocol version");
			CHECK(!state.handshake_made);
		}
		close_pair(&p);
		free_world(&w);
	}
}

TEST(the_protocol_that_the_server_likes_best_is_taken)
{
	static const char *const both[] = {"h2", "http/1.1", NULL},
				 *const one[] = {"http/1.1", NULL}, *const other[] = {"mqtt", NULL};
	static const struct {
		const char *const *client, *const *server;
		const char *result; // NULL: it fails
	} cases[] = {{both, both, "h2"}, {both, one, "http/1.1"}, {one, both, "http/1.1"},
		{both, NULL, ""}, {NULL, both, ""}, {both, other, NULL}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world w = make_world((tuza_tls_options){.protocols = cases[i].server},
			(tuza_tls_options){.protocols = cases[i].client});
		struct pair p = tls_pair(&w, 0);
		struct shaking client, server;
		tuza_tls_state a, b;
		shake(p, &client, &server);
		CHECK_EQ(tuza_tls_get_state(p.a, &a), 0);
		CHECK_EQ(tuza_tls_get_state(p.b, &b), 0);
		if (cases[i].result) {
			CHECK_EQ(client.result, 0);
			CHECK_EQ(server.result, 0);
			CHECK_STR(a.protocol, cases[i].result);
			CHECK_STR(b.protocol, cases[i].result);
		} else {
			CHECK_EQ(client.result, TUZA_ETLS);
			CHECK_STR(client.why.text, "remote error: tls: no application protocol");
			CHECK_STR(
				server.why.text, "tls: there is no protocol that both sides take");
		}
		close_pair(&p);
		free_world(&w);
	}
}

// ---- sessions ---------------------------------------------------------------------------------

// Whether both sides say that a connection was resumed. A byte goes each way, so tickets arrive.
static bool meet_again(const struct world *w)
{
	struct pair p = ready_pair(w, 0);
	tuza_tls_state a, b;
	char byte;
	CHECK_EQ(tuza_conn_write(p.a, "x", 1), 1);
	CHECK_EQ(tuza_conn_read(p.b, &byte, 1), 1);
	CHECK_EQ(tuza_conn_write(p.b, "y", 1), 1);
	CHECK_EQ(tuza_conn_read(p.a, &byte, 1), 1);
	CHECK_EQ(tuza_tls_get_state(p.a, &a), 0);
	CHECK_EQ(tuza_tls_get_state(p.b, &b), 0);
	CHECK_EQ(a.resumed, b.resumed);
	CHECK(a.peer_verified);
	CHECK_STR(a.server_name, "localhost");
	CHECK_STR(b.server_name, "localhost");
	close_pair(&p);
	return a.resumed;
}

TEST(a_client_comes_back_with_a_session)
{
	for (int version = TUZA_TLS_1_2; version <= TUZA_TLS_1_3; version++) {
		struct world w = make_world((tuza_tls_options){.max_version = version}, none);
		CHECK(!meet_again(&w));
		for (int i = 0; i < 5; i++)
			CHECK(meet_again(&w));
		free_world(&w);

		w = make_world(
			(tuza_tls_options){.max_version = version, .no_tickets = true}, none);
		CHECK(!meet_again(&w));
		CHECK(!meet_again(&w));
		free_world(&w);

		w = make_world((tuza_tls_options){.max_version = version},
			(tuza_tls_options){.sessions = -1});
		CHECK(!meet_again(&w));
		CHECK(!meet_again(&w));
		free_world(&w);
	}
}

static SSL_TICKET_RETURN take_and_renew(SSL *ssl, SSL_SESSION *session, const unsigned char *key,
	size_t bytes, SSL_TICKET_STATUS status, void *arg)
{
	(void)ssl;
	(void)session;
	(void)key;
	(void)bytes;
	(void)arg;
	bool is_good = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
	return is_good ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_IGNORE_RENEW;
}

static int renew_tickets(void *ctx, void *arg)
{
	(void)arg;
	return SSL_CTX_set_session_ticket_cb(ctx, NULL, take_and_renew, NULL) == 1 ? 0 : -EINVAL;
}

// Go's does: the old ticket is of no use from then on.
TEST(a_server_may_give_another_ticket_each_time)
{
	for (int version = TUZA_TLS_1_2; version <= TUZA_TLS_1_3; version++) {
		struct world w = make_world(
			(tuza_tls_options){.max_version = version, .customize = renew_tickets},
			none);
		CHECK(!meet_again(&w));
		for (int i = 0; i < 5; i++)
			CHECK(meet_again(&w));
		free_world(&w);
	}
}

// Whether a connection to a server of that name was resumed.
static bool meet_by_name(tuza_tls_config *at_client, tuza_tls_config *at_server, const char *name)
{
	struct pair under = pair_of(0), p;
	struct shaking client, server;
	tuza_tls_state state;
	char byte;
	CHECK_EQ(tuza_tls_client(under.a, at_client, name, &p.a), 0);
	CHECK_EQ(tuza_tls_server(under.b, at_server, &p.b), 0);
	shake(p, &client, &server);
	CHECK_EQ(tuza_conn_write(p.b, "y", 1), 1);
	CHECK_EQ(tuza_conn_read(p.a, &byte, 1), 1);
	CHECK_EQ(tuza_tls_get_state(p.a, &state), 0);
	close_pair(&p);
	return state.resumed;
}

// Two names for one server, one after the other.
static void check_resumed(
	tuza_tls_options server, const char *const names[5], const bool resumed[5])
{
	struct identity ca = make_authority("CA");
	struct identity both = issue(&ca, "both", "DNS:one,DNS:two");
	server.cert_pem = both.cert;
	server.key_pem = both.key;
	tuza_tls_config *at_server = config_of(&server);
	tuza_tls_config *at_client =
		config_of(&(tuza_tls_options){.ca_pem = ca.cert, .sessions = 2});
	for (int i = 0; i < 5; i++)
		CHECK_EQ(meet_by_name(at_client, at_server, names[i]), resumed[i]);
	tuza_tls_config_free(at_server);
	tuza_tls_config_free(at_client);
	free_identity(&both);
	free_identity(&ca);
}

// The last one pushes out what came first: there is room for one handshake's tickets.
TEST(a_session_is_for_the_server_that_gave_it)
{
	static const char *const names[] = {"one", "one", "two", "two", "one"};
	static const bool resumed[] = {false, true, false, true, false};
	check_resumed(none, names, resumed);
}

// There is room for both, and each has one at a time that is of use.
TEST(a_session_that_another_has_replaced_takes_nobody_s_place)
{
	static const char *const names[] = {"one", "two", "one", "two", "one"};
	static const bool resumed[] = {false, false, true, true, true};
	const tuza_tls_options renewing = {.max_version = TUZA_TLS_1_2, .customize = renew_tickets};
	check_resumed(renewing, names, resumed);
}

// ---- how they end early -----------------------------------------------------------------------

TEST(a_context_ends_a_handshake)
{
	struct world w = make_world(none, none);
	for (int kind = 0; kind < PAIR_KINDS; kind++) {
		struct pair under = pair_of(kind);
		tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
		struct shaking s = {.ctx = ctx};
		char bytes[64];
		CHECK_EQ(tuza_tls_client(under.a, w.at_client, NULL, &s.conn), 0);
		TUZA_GO(shake_now, &s);
		CHECK(tuza_conn_read(under.b, bytes, sizeof bytes) > 0); // it has begun
		CHECK_EQ(s.done, 0);
		tuza_context_cancel(ctx);
		WAIT_UNTIL(s.done);
		CHECK_EQ(s.result, -ECANCELED);
		CHECK_STR(s.why.text, "context canceled");
		CHECK_EQ(tuza_tls_handshake(NULL, s.conn, NULL), -ECANCELED); // for good
		CHECK_EQ(tuza_conn_write(s.conn, "x", 1) < 0, true);
		CHECK_EQ(tuza_conn_close(s.conn), 0);
		CHECK_EQ(tuza_conn_close(under.b), 0);
		tuza_context_free(ctx);
	}
	// One that has ended begins nothing; one that goes on does no harm.
	struct pair p = tls_pair(&w, 0);
	tuza_context *ended = tuza_context_with_timeout(tuza_context_background(), -1);
	tuza_context *goes_on = tuza_context_with_timeout(tuza_context_background(), TUZA_HOUR);
	struct shaking client = {.conn = p.a, .ctx = goes_on}, server = {.conn = p.b};
	TUZA_GO(shake_now, &client);
	TUZA_GO(shake_now, &server);
	WAIT_UNTIL(client.done && server.done);
	CHECK_EQ(client.result, 0);
	CHECK_EQ(server.result, 0);
	CHECK_EQ(tuza_tls_handshake(ended, p.a, NULL), 0); // it is made
	close_pair(&p);
	p = tls_pair(&w, 0);
	CHECK_EQ(tuza_tls_handshake(ended, p.a, NULL), -ETIMEDOUT);
	close_pair(&p);
	tuza_context_free(ended);
	tuza_context_free(goes_on);
	free_world(&w);
}

TEST(a_deadline_interrupts_a_handshake_that_then_goes_on)
{
	struct world w = make_world(none, none);
	for (int kind = 0; kind < 2; kind++) {
		struct pair p = tls_pair(&w, kind);
		struct shaking client = {.conn = p.a}, server = {.conn = p.b};
		char byte;
		CHECK_EQ(tuza_conn_set_deadline(p.a, tuza_now() + 2 * MS), 0);
		CHECK_EQ(tuza_conn_read(p.a, &byte, 1), TUZA_EIOTIMEOUT);
		CHECK_EQ(tuza_tls_handshake(NULL, p.a, NULL), TUZA_EIOTIMEOUT);
		CHECK_EQ(tuza_conn_set_deadline(p.a, 0), 0);
		TUZA_GO(shake_now, &server);
		shake_now(&client);
		WAIT_UNTIL(server.done);
		CHECK_EQ(client.result, 0);
		CHECK_EQ(server.result, 0);
		close_pair(&p);
	}
	free_world(&w);
}

static void send_and_close(tuza_conn *conn, const char *text, atomic_int *done)
{
	char bytes[4096];
	(void)!tuza_conn_write(conn, text, strlen(text));
	(void)tuza_conn_close_write(conn);
	while (tuza_conn_read(conn, bytes, sizeof bytes) > 0)
		;
	CHECK_EQ(tuza_conn_close(conn), 0);
	atomic_store(done, 1);
}

TEST(a_side_that_does_not_speak_tls_is_told_so)
{
	struct world w = make_world(none, none);
	static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		for (int is_server = 0; is_server < 2; is_server++) {
			struct pair under = pair_of(0);
			atomic_int done = 0;
			struct shaking s = {.conn = NULL};
			CHECK_EQ(is_server ? tuza_tls_server(under.a, w.at_server, &s.conn)
					   : tuza_tls_client(under.a, w.at_client, NULL, &s.conn),
				0);
			TUZA_GO(send_and_close, under.b, texts[i], &done);
			shake_now(&s);
			CHECK_EQ(s.result, TUZA_ETLS);
			CHECK_STR(s.why.text,
				"tls: what came first does not look like a TLS handshake");
			CHECK_EQ(tuza_conn_close(s.conn), 0);
			WAIT_UNTIL(done);
		}

	// Nothing at all.
	struct pair under = pair_of(0);
	struct shaking s = {.conn = NULL};
	CHECK_EQ(tuza_tls_client(under.a, w.at_client, NULL, &s.conn), 0);
	CHECK_EQ(tuza_conn_close_write(under.b), 0);
	shake_now(&s);
	CHECK_EQ(s.result, TUZA_EUNEXPECTEDEOF);
	CHECK_STR(s.why.text, "tls: the other side went away during the handshake");
	CHECK_EQ(tuza_conn_close(s.conn), 0);
	CHECK_EQ(tuza_conn_close(under.b), 0);
	free_world(&w);
}

// Bytes that were changed on the way.
TEST(what_was_tampered_with_is_refused)
{
	struct world w = make_world(none, none);
	struct pair client_side = pair_of(0), server_side = pair_of(0), p;
	CHECK_EQ(tuza_tls_client(client_side.a, w.at_client, NULL, &p.a), 0);
	CHECK_EQ(tuza_tls_server(server_side.b, w.at_server, &p.b), 0);
	struct shaking client = {.conn = p.a}, server = {.conn = p.b};
	char bytes[8192];
	ssize_t n;
	TUZA_GO(shake_now, &client);
	TUZA_GO(shake_now, &server);
	// hello, the server's answer, the client's end
	for (int i = 0; i < 3; i++) {
		tuza_conn *from = i & 1 ? server_side.a : client_side.b;
		tuza_conn *to = i & 1 ? client_side.b : server_side.a;
		n = tuza_conn_read(from, bytes, sizeof bytes);
		CHECK(n > 0 && tuza_conn_write(to, bytes, (size_t)n) == n);
	}
	WAIT_UNTIL(client.done && server.done);
	CHECK_EQ(client.result, 0);
	CHECK_EQ(server.result, 0);

	CHECK_EQ(tuza_conn_write(p.a, "hello", 5), 5);
	n = tuza_conn_read(client_side.b, bytes, sizeof bytes);
	bytes[n - 1] ^= 1;
	CHECK_EQ(tuza_conn_write(server_side.a, bytes, (size_t)n), n);
	CHECK_EQ(tuza_conn_read(p.b, bytes, 5), TUZA_ETLS);
	CHECK_EQ(tuza_conn_read(p.b, bytes, 5), TUZA_ETLS);
	CHECK_EQ(tuza_conn_write(p.b, bytes, 5), TUZA_ETLS);
	tuza_tls_error why;
	CHECK_EQ(tuza_tls_get_error(p.b, &why), 0);
	CHECK_CONTAINS(why.text, "decryption failed or bad record mac");
	close_pair(&p);
	close_pair(&(struct pair){client_side.b, server_side.a});
	free_world(&w);
}

// ---- what others send -------------------------------------------------------------------------

static void send_garbage(tuza_conn *conn, unsigned seed, atomic_int *done)
{
	unsigned char bytes[600] = {22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3}; // a hello begins so
	for (size_t i = seed & 1 ? 0 : 1 + seed % 40; i < sizeof bytes; i++) {
		seed = seed * 1103515245 + 12345;
		if (i > 10 || seed >> 28 == 0)
			bytes[i] = (unsigned char)(seed >> 16);
	}
	(void)!tuza_conn_write(conn, bytes, sizeof bytes);
	(void)tuza_conn_close_write(conn);
	while (tuza_conn_read(conn, bytes, sizeof bytes) > 0)
		;
	CHECK_EQ(tuza_conn_close(conn), 0);
	atomic_store(done, 1);
}

TEST(garbage_is_refused)
{
	struct world w = make_world(none, none);
	for (unsigned seed = 0; seed < 100; seed++) {
		struct pair under = pair_of(1);
		struct shaking s = {.conn = NULL};
		atomic_int done = 0;
		CHECK_EQ(seed & 2 ? tuza_tls_server(under.a, w.at_server, &s.conn)
				  : tuza_tls_client(under.a, w.at_client, NULL, &s.conn),
			0);
		TUZA_GO(send_garbage, under.b, seed, &done);
		shake_now(&s);
		CHECK(s.result == TUZA_ETLS || s.result == TUZA_EUNEXPECTEDEOF);
		CHECK(s.why.code == s.result && s.why.text[0]);
		CHECK_EQ(tuza_conn_close(s.conn), 0);
		WAIT_UNTIL(done);
	}
	free_world(&w);
}
