// SPDX-License-Identifier: MIT
/*
 * What the tests of the server share: a server for a moment, and a client that sends bytes as they
 * are and looks at the bytes of the answer.
 */
#ifndef TUZA_HTTP_SUPPORT_H
#define TUZA_HTTP_SUPPORT_H

#include "../test.h"

#include <tuza/context.h>
#include <tuza/http.h>
#include <tuza/net.h>

#define MS TUZA_MILLISECOND

// ---- a server that listens ---------------------------------------------------------------------

struct site {
	tuza_http_server *server;
	char address[TUZA_ADDRESS_TEXT];
	tuza_listener *l;
	int result; // of tuza_http_server_serve
	atomic_int done;
};

TEST_UNUSED_ static void site_run(struct site *s)
{
	s->result = tuza_http_server_serve(s->server, s->l);
	atomic_store(&s->done, 1);
}

TEST_UNUSED_ static void site_open_at(
	struct site *s, const char *address, const tuza_http_server_options *options)
{
	memset(s, 0, sizeof *s);
	s->server = tuza_http_server_new(options);
	if (!CHECK_EQ(tuza_listen("tcp", address, &s->l), 0))
		return;
	CHECK_EQ(tuza_listener_address(s->l, s->address, sizeof s->address), 0);
	TUZA_GO(site_run, s);
}

TEST_UNUSED_ static void site_open(struct site *s, const tuza_http_server_options *options)
{
	site_open_at(s, "127.0.0.1:0", options);
}

TEST_UNUSED_ static void site_close(struct site *s)
{
	tuza_http_server_close(s->server);
	WAIT_UNTIL(s->done);
	CHECK_EQ(s->result, 0);
	tuza_http_server_free(s->server);
}

TEST_UNUSED_ static tuza_conn *site_dial(const struct site *s)
{
	tuza_conn *conn;
	CHECK_EQ(tuza_dial(tuza_context_background(), "tcp", s->address, &conn), 0);
	return conn;
}

// ---- what most of them answer ------------------------------------------------------------------

#define END "\r\n\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: a" END
#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5" END "hello"

TEST_UNUSED_ static void say_hello(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)r;
	(void)arg;
	CHECK_EQ(tuza_http_write(w, "hello", 5), 5);
}

// ---- a client ----------------------------------------------------------------------------------

enum { ANSWER_BYTES = 1 << 20 };

struct answer {
	char bytes[ANSWER_BYTES]; // with a final NUL
	size_t length;
};

TEST_UNUSED_ static bool send_text(tuza_conn *conn, const char *text)
{
	size_t length = strlen(text);
	return tuza_conn_write(conn, text, length) == (ssize_t)length;
}

// The Date is left out: all else is known beforehand.
TEST_UNUSED_ static void cut_date(struct answer *a, size_t from)
{
	char *date = strstr(a->bytes + from, "Date: ");
	char *end = date ? strstr(date, "\r\n") : NULL;
	if (!end)
		return;
	a->length -= (size_t)(end + 2 - date);
	memmove(date, end + 2, strlen(end + 2) + 1);
}

static bool read_more(tuza_conn *conn, struct answer *a)
{
	if (a->length + 1 >= sizeof a->bytes)
		return false;
	ssize_t n = tuza_conn_read(conn, a->bytes + a->length, sizeof a->bytes - a->length - 1);
	if (n <= 0)
		return false;
	a->length += (size_t)n;
	a->bytes[a->length] = '\0';
	return true;
}

// All until the end of the connection, without any Date.
TEST_UNUSED_ static const char *read_to_end(tuza_conn *conn, struct answer *a)
{
	a->length = 0;
	a->bytes[0] = '\0';
	while (read_more(conn, a))
		;
	while (strstr(a->bytes, "\r\nDate: "))
		cut_date(a, 0);
	return a->bytes;
}

// One answer with a Content-Length or chunks, or none; without its Date.
TEST_UNUSED_ static const char *read_answer(tuza_conn *conn, struct answer *a, bool no_body)
{
	const char *end, *length;
	a->length = 0;
	a->bytes[0] = '\0';
	while (!(end = strstr(a->bytes, "\r\n\r\n")))
		if (!read_more(conn, a))
			return a->bytes;
	size_t head = (size_t)(end + 4 - a->bytes);
	if (!no_body && strstr(a->bytes, "Transfer-Encoding: chunked")) {
		while (!strstr(a->bytes + head - 2, "\r\n0\r\n\r\n"))
			if (!read_more(conn, a))
				break;
	} else if (!no_body && (length = strstr(a->bytes, "Content-Length: "))) {
		size_t all = head + strtoul(length + 16, NULL, 10);
		while (a->length < all && read_more(conn, a))
			;
	}
	cut_date(a, 0);
	return a->bytes;
}

struct sending {
	tuza_conn *conn;
	const char *bytes;
	size_t count, step;
	atomic_int done;
};

// In steps; then it sends no more. Who refuses it may be gone before.
TEST_UNUSED_ static void send_in_steps(struct sending *s)
{
	for (size_t at = 0; at < s->count; at += s->step) {
		size_t n = s->count - at < s->step ? s->count - at : s->step;
		if (tuza_conn_write(s->conn, s->bytes + at, n) != (ssize_t)n)
			break;
	}
	(void)tuza_conn_close_write(s->conn);
	atomic_store(&s->done, 1);
}

TEST_UNUSED_ static void serve_pipe(tuza_http_server *server, tuza_conn *conn)
{
	tuza_http_server_serve_conn(server, conn);
}

/*
 * What a server answers to these bytes, sent over a pipe in steps of so many at a time, until it
 * closes the connection.
 */
TEST_UNUSED_ static const char *answer_to(
	tuza_http_server *server, const char *bytes, size_t count, size_t step, struct answer *a)
{
	tuza_conn *near, *far;
	CHECK_EQ(tuza_pipe(&near, &far), 0);
	TUZA_GO(serve_pipe, server, far);
	struct sending s = {.conn = near, .bytes = bytes, .count = count, .step = step};
	TUZA_GO(send_in_steps, &s);
	read_to_end(near, a);
	WAIT_UNTIL(s.done);
	CHECK_EQ(tuza_conn_close(near), 0);
	return a->bytes;
}

#endif
