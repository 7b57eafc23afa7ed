// SPDX-License-Identifier: MIT
/*
 * Connections that handlers take over. Go: net/http, TestHijack…, TestServerUndeclared…
 */
#include "http_support.h"

// Another protocol: says what it was given, then every byte again, until the client has no more.
static void echo_on(tuza_conn *conn)
{
	char bytes[64];
	ssize_t n;

	while ((n = tuza_conn_read(conn, bytes, sizeof bytes)) > 0)
		if (tuza_conn_write(conn, bytes, (size_t)n) != n)
			break;
	tuza_conn_close(conn);
}

static void take_over(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	const void *bytes;
	size_t count;
	tuza_conn *conn, *again;
	char body[8];

	if (arg)
		CHECK(tuza_http_context(r)); // somebody watches the connection
	if (!CHECK_EQ(tuza_http_hijack(w, &conn, &bytes, &count), 0))
		return;
	CHECK_EQ(tuza_http_hijack(w, &again, &bytes, &count), -EALREADY);
	CHECK(!again);
	CHECK_EQ(tuza_http_write(w, "x", 1), -EALREADY);
	CHECK_EQ(tuza_http_flush(w), -EALREADY);
	CHECK_EQ(tuza_http_body_read(r, body, sizeof body), -EALREADY);
	CHECK_EQ(tuza_context_err(tuza_http_context(r)), 0);
	CHECK(send_text(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo" END));
	CHECK_EQ(tuza_conn_write(conn, bytes, count), count);
	TUZA_GO(echo_on, conn);
}

TEST(connection_is_taken_over_with_what_has_come)
{
	struct answer *a = malloc(sizeof *a);

	for (int watched = 0; watched < 2; watched++)
		for (int early = 0; early < 2; early++) {
			struct site s;
			site_open(&s, &(tuza_http_server_options){.handler = take_over,
					      .arg = watched ? a : NULL,
					      .idle_timeout = 1});
			tuza_conn *conn = site_dial(&s);
			char request[256];

			snprintf(request, sizeof request,
				"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
				"Upgrade: echo" END "%s",
				early ? "early " : "");
			CHECK(send_text(conn, request));
			a->length = 0;
			a->bytes[0] = '\0';
			while (!strstr(a->bytes, END) && read_more(conn, a))
				;
			CHECK(send_text(conn, "hello"));
			while (!strstr(a->bytes, "hello") && read_more(conn, a))
				;
			CHECK_STR(strstr(a->bytes, END) + 4, early ? "early hello" : "hello");
			CHECK_EQ(tuza_http_server_connections(s.server), 0);
			CHECK_EQ(tuza_conn_close_write(conn), 0);
			CHECK_EQ(tuza_conn_read(conn, a->bytes, 1), 0);
			CHECK_EQ(tuza_conn_close(conn), 0);
			site_close(&s);
		}
	free(a);
}

static atomic_int stay, stays;

static void take_over_and_stay(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	const void *bytes;
	size_t count;
	tuza_conn *conn;

	(void)arg;
	if (!CHECK_EQ(tuza_http_hijack(w, &conn, &bytes, &count), 0))
		return;
	tuza_context *ctx = tuza_http_context(r);
	atomic_store(&stays, 1);
	if (stay)
		WAIT_UNTIL(tuza_context_err(ctx) != 0); // until the server is closed
	CHECK(send_text(conn, "bye"));
	CHECK_EQ(tuza_conn_close(conn), 0);
	atomic_store(&stays, 0);
}

// Shutdown and close leave it alone; free waits for the handler, which uses the server's things.
TEST(server_ends_without_the_connections_that_were_taken_over)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;

	atomic_store(&stay, 1);
	site_open(&s, &(tuza_http_server_options){.handler = take_over_and_stay});
	tuza_conn *conn = site_dial(&s);
	CHECK(send_text(conn, "GET / HTTP/1.1\r\nHost: a" END));
	WAIT_UNTIL(stays);
	CHECK_EQ(tuza_http_server_shutdown(s.server, tuza_context_background()), 0);
	CHECK_EQ(stays, 1);
	site_close(&s);
	CHECK_EQ(stays, 0);
	CHECK_STR(read_to_end(conn, a), "bye");
	CHECK_EQ(tuza_conn_close(conn), 0);
	free(a);
}

static void too_late(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	const void *bytes;
	size_t count;
	tuza_conn *conn = (tuza_conn *)w;

	(void)r;
	CHECK_EQ(tuza_http_write(w, "ok", 2), 2);
	if (arg)
		CHECK_EQ(tuza_http_flush(w), 0);
	CHECK_EQ(tuza_http_hijack(w, &conn, &bytes, &count), -EALREADY);
	CHECK(!conn);
}

static void take_over_and_panic(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	const void *bytes;
	size_t count;

	(void)r;
	CHECK_EQ(tuza_http_hijack(w, (tuza_conn **)arg, &bytes, &count), 0);
	tuza_panic("after all");
}

static atomic_int lines;

static void count_lines(const char *text, void *arg)
{
	(void)arg;
	CHECK_CONTAINS(text, "after all");
	atomic_fetch_add(&lines, 1);
}

TEST(answers_under_way_cannot_be_taken_over_and_panics_leave_the_connection)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;

	for (int flushed = 0; flushed < 2; flushed++) {
		site_open(&s, &(tuza_http_server_options){
				      .handler = too_late, .arg = flushed ? a : NULL});
		tuza_conn *conn = site_dial(&s);
		CHECK(send_text(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close" END));
		CHECK_CONTAINS(read_to_end(conn, a), "HTTP/1.1 200 OK\r\n");
		CHECK_EQ(tuza_conn_close(conn), 0);
		site_close(&s);
	}
	tuza_conn *taken = NULL;
	site_open(&s,
		&(tuza_http_server_options){
			.handler = take_over_and_panic, .arg = &taken, .error_log = count_lines});
	tuza_conn *conn = site_dial(&s);
	CHECK(send_text(conn, "GET / HTTP/1.1\r\nHost: a" END));
	WAIT_UNTIL(lines == 1);
	site_close(&s);
	CHECK(send_text(taken, "still here"));
	CHECK_EQ(tuza_conn_close(taken), 0);
	CHECK_STR(read_to_end(conn, a), "still here");
	CHECK_EQ(tuza_conn_close(conn), 0);
	free(a);
}
