// SPDX-License-Identifier: MIT
/*
 * HTTP over TLS: a server takes a listener of TLS as any other.
 */
#include "../http/http_support.h"
#include "tls_support.h"

#include <tuza/http_server.h>

static const tuza_tls_options none;

static void show_client(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	tuza_tls_state state;
	(void)arg;
	CHECK_EQ(tuza_tls_get_state(tuza_http_conn(r), &state), 0);
	tuza_http_printf(w, "%s %s %s", tuza_http_path(r), state.server_name, state.peer);
}

static void echo(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	char bytes[4096];
	ssize_t n;
	(void)arg;
	while ((n = tuza_http_body_read(r, bytes, sizeof bytes)) > 0)
		CHECK_EQ(tuza_http_write(w, bytes, (size_t)n), n);
	CHECK_EQ(n, 0);
}

// Until the client goes away.
static void wait_for_end(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)w;
	CHECK_EQ(tuza_sleep_ctx(tuza_http_context(r), TUZA_HOUR), -ECANCELED);
	atomic_store((atomic_int *)arg, 1);
}

struct secure_site {
	struct world w;
	struct site s;
};

static void open_secure(struct secure_site *x, const tuza_http_server_options *options)
{
	x->w = make_world(none, none);
	memset(&x->s, 0, sizeof x->s);
	x->s.server = tuza_http_server_new(options);
	CHECK_EQ(tuza_tls_listen("tcp", "127.0.0.1:0", x->w.at_server, &x->s.l), 0);
	CHECK_EQ(tuza_listener_address(x->s.l, x->s.address, sizeof x->s.address), 0);
	TUZA_GO(site_run, &x->s);
}

static void close_secure(struct secure_site *x)
{
	site_close(&x->s);
	free_world(&x->w);
}

static tuza_conn *dial_secure(const struct secure_site *x)
{
	tuza_conn *conn;
	tuza_tls_error why;
	if (!CHECK_EQ(tuza_tls_dial(tuza_context_background(), "tcp", x->s.address, x->w.at_client,
			      &conn, &why),
		    0))
		printf("  %s\n", why.text);
	return conn;
}

static struct answer a;

TEST(requests_are_answered_one_after_another)
{
	struct secure_site x;
	open_secure(&x, &(tuza_http_server_options){.handler = show_client});
	tuza_conn *conn = dial_secure(&x);
	for (int i = 0; i < 10; i++) {
		CHECK(send_text(conn, "GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n"));
		CHECK_STR(read_answer(conn, &a, false),
			"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n/who localhost ");
	}
	CHECK_EQ(tuza_conn_close(conn), 0);
	close_secure(&x);
}

TEST(large_bodies_go_both_ways_at_once)
{
	enum { BODY = 4 << 20 };
	struct secure_site x;
	open_secure(&x, &(tuza_http_server_options){.handler = echo});
	tuza_conn *conn = dial_secure(&x);
	char *body = malloc(BODY + 100), *got = malloc(BODY);
	int head = sprintf(body, "POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n", BODY);
	fill_pattern(body + head, BODY, 3);
	struct sending s = {
		.conn = conn, .bytes = body, .count = (size_t)head + BODY, .step = 100000};
	TUZA_GO(send_in_steps, &s);
	char c, last[4] = "";
	while (strcmp(last, "\r\n\r") != 0 && tuza_conn_read(conn, &c, 1) == 1) {
		memmove(last, last + 1, 2);
		last[2] = c;
	}
	CHECK_EQ(tuza_conn_read(conn, &c, 1), 1);
	CHECK_EQ(read_all(conn, got, BODY), BODY);
	CHECK(memcmp(body + head, got, BODY) == 0);
	CHECK_EQ(tuza_conn_read(conn, &c, 1), 0); // it says that this is all
	WAIT_UNTIL(s.done);
	CHECK_EQ(tuza_conn_close(conn), 0);
	free(body);
	free(got);
	close_secure(&x);
}

enum { LARGE = 4 << 20 };
static tuza_chan *has_begun, *may_answer;

static void answer_when_told(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)r;
	tuza_chan_send(has_begun, NULL);
	tuza_chan_recv(may_answer, NULL);
	CHECK_EQ(tuza_http_write(w, arg, LARGE), LARGE);
}

// The goodbye is bytes that nobody reads: with them a close throws away what has not been sent.
TEST(who_says_goodbye_before_the_answer_gets_all_of_it)
{
	enum { STEP = 64 << 10 };
	struct secure_site x;
	char *body = malloc(LARGE), *got = malloc(LARGE), c, last[4] = "";
	fill_pattern(body, LARGE, 5);
	has_begun = tuza_chan_new(0, 0);
	may_answer = tuza_chan_new(0, 0);
	open_secure(&x, &(tuza_http_server_options){.handler = answer_when_told, .arg = body});
	tuza_conn *conn = dial_secure(&x);
	CHECK(send_text(conn, "GET / HTTP/1.0\r\n\r\n"));
	CHECK(tuza_chan_recv(has_begun, NULL));
	CHECK_EQ(tuza_conn_close_write(conn), 0);
	tuza_chan_send(may_answer, NULL);
	while (strcmp(last, "\r\n\r") != 0 && tuza_conn_read(conn, &c, 1) == 1) {
		memmove(last, last + 1, 2);
		last[2] = c;
	}
	CHECK_EQ(tuza_conn_read(conn, &c, 1), 1);
	// Slowly: the server is done long before.
	for (size_t at = 0; at < LARGE; at += STEP) {
		tuza_sleep(TUZA_MILLISECOND);
		if (!CHECK_EQ(read_all(conn, got + at, STEP), STEP))
			break;
	}
	CHECK(memcmp(body, got, LARGE) == 0);
	CHECK_EQ(tuza_conn_read(conn, &c, 1), 0);
	CHECK_EQ(tuza_conn_close(conn), 0);
	close_secure(&x);
	tuza_chan_release(has_begun);
	tuza_chan_release(may_answer);
	free(body);
	free(got);
}

TEST(a_handler_learns_that_the_client_is_gone)
{
	atomic_int ended = 0;
	struct secure_site x;
	open_secure(&x, &(tuza_http_server_options){.handler = wait_for_end, .arg = &ended});
	tuza_conn *conn = dial_secure(&x);
	CHECK(send_text(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
	CHECK_EQ(ended, 0);
	CHECK_EQ(tuza_conn_close(conn), 0);
	WAIT_UNTIL(ended);
	close_secure(&x);
}

TEST(a_shutdown_ends_idle_connections_with_a_goodbye)
{
	struct secure_site x;
	open_secure(&x, &(tuza_http_server_options){.handler = show_client});
	tuza_conn *conn = dial_secure(&x);
	char byte;
	CHECK(send_text(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
	CHECK_CONTAINS(read_answer(conn, &a, false), "200 OK");
	CHECK_EQ(tuza_http_server_shutdown(x.s.server, tuza_context_background()), 0);
	CHECK_EQ(tuza_conn_read(conn, &byte, 1), 0);
	CHECK_EQ(tuza_conn_close(conn), 0);
	close_secure(&x);
}

// Whoever sends nothing, or something else than TLS, keeps nobody waiting.
TEST(handshakes_have_their_time)
{
	struct secure_site x;
	open_secure(&x, &(tuza_http_server_options){
				.handler = show_client, .read_header_timeout = 50 * MS});
	tuza_conn *silent = site_dial(&x.s), *plain = site_dial(&x.s);
	char byte;
	(void)send_text(plain, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
	while (tuza_conn_read(plain, &byte, 1) > 0) // an alert
		;
	CHECK_EQ(tuza_conn_read(silent, &byte, 1), 0);
	CHECK_EQ(tuza_conn_close(silent), 0);
	CHECK_EQ(tuza_conn_close(plain), 0);
	WAIT_UNTIL(tuza_http_server_connections(x.s.server) == 0);
	close_secure(&x);
}

// A close waits for nobody, whatever the clients read. A connection that was about to wait for the
// next request sees it first, and says goodbye.
TEST(a_close_cuts_connections)
{
	struct secure_site x;
	open_secure(&x, &(tuza_http_server_options){.handler = show_client});
	tuza_conn *conn = dial_secure(&x);
	char byte;
	CHECK(send_text(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
	CHECK_CONTAINS(read_answer(conn, &a, false), "200 OK");
	tuza_http_server_close(x.s.server);
	ssize_t n = tuza_conn_read(conn, &byte, 1);
	CHECK(n == 0 || n == TUZA_EUNEXPECTEDEOF);
	CHECK_EQ(tuza_conn_close(conn), 0);
	close_secure(&x);
}
