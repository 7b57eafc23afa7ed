// SPDX-License-Identifier: MIT
/*
 * What goes over a connection: one request after the other, bodies both ways, and the exact bytes
 * of answers.
 */
#include "http_support.h"

#include <time.h>

static void path(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)arg;
	CHECK(tuza_http_printf(w, "%s", tuza_http_path(r)) > 0);
}

// Sends back what comes, as it comes.
static void echo(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	char bytes[1000];
	ssize_t n;

	(void)arg;
	while ((n = tuza_http_body_read(r, bytes, sizeof bytes)) > 0)
		CHECK_EQ(tuza_http_write(w, bytes, (size_t)n), n);
	CHECK_EQ(n, 0);
	CHECK_EQ(tuza_http_body_read(r, bytes, sizeof bytes), 0);
}

// As many bytes as the path says, in pieces.
static void many(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	long count = strtol(tuza_http_path(r) + 1, NULL, 10);
	char bytes[1000];

	memset(bytes, 'm', sizeof bytes);
	if (arg)
		CHECK_EQ(tuza_http_set_header(w, "Content-Length", tuza_http_path(r) + 1), 0);
	for (long n; count > 0; count -= n) {
		n = count < 1000 ? count : 1000;
		CHECK_EQ(tuza_http_write(w, bytes, (size_t)n), n);
	}
}

static const char *answer_of(
	tuza_http_handler handler, void *arg, const char *request, struct answer *a)
{
	tuza_http_server *server =
		tuza_http_server_new(&(tuza_http_server_options){.handler = handler, .arg = arg});

	answer_to(server, request, strlen(request), 4096, a);
	tuza_http_server_free(server);
	return a->bytes;
}

// ---- one after the other -----------------------------------------------------------------------

TEST(a_connection_serves_many_requests)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;

	site_open(&s, &(tuza_http_server_options){.handler = say_hello});
	tuza_conn *conn = site_dial(&s);
	for (int i = 0; i < 100; i++) {
		CHECK(send_text(conn, GET("/")));
		if (!CHECK_STR(read_answer(conn, a, false), HELLO))
			break;
	}
	WAIT_UNTIL(tuza_http_server_requests(s.server) == 100);
	CHECK_EQ(tuza_http_server_connections(s.server), 1);
	CHECK_EQ(tuza_conn_close(conn), 0);
	WAIT_UNTIL(tuza_http_server_connections(s.server) == 0);
	site_close(&s);
	free(a);
}

TEST(requests_in_a_row_are_answered_in_order)
{
	struct answer *a = malloc(sizeof *a);
	char *requests = malloc(200000), *want = malloc(200000);
	size_t sent = 0, wanted = 0;
	tuza_http_server *server =
		tuza_http_server_new(&(tuza_http_server_options){.handler = path});

	for (int i = 0; i < 1000; i++) {
		sent += (size_t)sprintf(requests + sent,
			i % 3 ? "GET /%d HTTP/1.1\r\nHost: a" END
			      : "PUT /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 5" END "GET /",
			i);
		wanted += (size_t)sprintf(want + wanted,
			"HTTP/1.1 200 OK\r\nContent-Length: %d" END "/%d",
			1 + snprintf(NULL, 0, "%d", i), i);
	}
	size_t times = test_is_on_valgrind() ? 11 * 11 : 11; // a piece takes long there

	for (size_t step = 7; step < 200000; step *= times)
		CHECK_STR(answer_to(server, requests, sent, step, a), want);
	tuza_http_server_free(server);
	free(requests);
	free(want);
	free(a);
}

static void change_its_mind(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	CHECK_EQ(tuza_http_set_header(w, "Connection", "close"), 0);
	CHECK_EQ(tuza_http_set_header(w, "Connection", NULL), 0);
	say_hello(w, r, arg);
}

TEST(who_asks_to_close_is_closed)
{
	static const char *const closed =
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close" END "hello";
	static const char *const kept =
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive" END "hello";
	struct answer *a = malloc(sizeof *a);
	char twice[512];

	CHECK_STR(answer_of(say_hello, NULL,
			  "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close" END GET("/"), a),
		closed);
	CHECK_STR(answer_of(say_hello, NULL, "GET / HTTP/1.0" END GET("/"), a), closed);
	CHECK_STR(answer_of(change_its_mind, NULL, "GET / HTTP/1.0" END GET("/"), a), closed);
	CHECK_STR(answer_of(change_its_mind, NULL, GET("/"), a), HELLO);
	snprintf(twice, sizeof twice, "%s%s", kept, closed);
	CHECK_STR(answer_of(say_hello, NULL,
			  "GET / HTTP/1.0\r\nConnection: keep-alive" END "GET / HTTP/1.0" END, a),
		twice);
	free(a);
}

// ---- bodies of requests ------------------------------------------------------------------------

TEST(bodies_are_streams_both_ways)
{
	enum { BYTES = 300000 };
	struct answer *a = malloc(sizeof *a);
	struct site s;
	char *body = malloc(BYTES), head[128];

	for (size_t i = 0; i < BYTES; i++)
		body[i] = (char)('a' + i * 7919 % 26);
	site_open(&s, &(tuza_http_server_options){.handler = echo});
	for (int chunked = 0; chunked < 2; chunked++) {
		tuza_conn *conn = site_dial(&s);
		snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: a\r\n%s: %s" END,
			chunked ? "Transfer-Encoding" : "Content-Length",
			chunked ? "chunked" : "300000");
		CHECK(send_text(conn, head));
		a->length = 0;
		// A piece is answered before the next is sent: nobody waits for the end.
		for (size_t at = 0; at < BYTES; at += 30000) {
			if (chunked)
				CHECK(send_text(conn, "7530\r\n"));
			CHECK_EQ(tuza_conn_write(conn, body + at, 30000), 30000);
			if (chunked)
				CHECK(send_text(conn, "\r\n"));
			while (a->length < at + 20000)
				if (!CHECK(read_more(conn, a)))
					break;
		}
		if (chunked)
			CHECK(send_text(conn, "0" END));
		while (!strstr(a->bytes + (a->length > 20 ? a->length - 20 : 0), "\r\n0" END))
			if (!CHECK(read_more(conn, a)))
				break;
		cut_date(a, 0);
		CHECK(strncmp(a->bytes, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked" END, 47) ==
			0);
		// Without the frames it is what was sent.
		size_t got = 0;
		for (char *at = strstr(a->bytes, END) + 4; *at;) {
			size_t size = strtoul(at, &at, 16);
			if (!CHECK(got + size <= BYTES) ||
				!CHECK(memcmp(at + 2, body + got, size) == 0))
				break;
			got += size;
			at += 2 + size + 2;
		}
		CHECK_EQ(got, BYTES);
		CHECK_EQ(tuza_conn_close(conn), 0);
	}
	site_close(&s);
	free(body);
	free(a);
}

// A handler that does not care for the body: it is skipped, unless it is long.
TEST(unread_bodies_do_not_become_requests)
{
	static const char once[] = HELLO;
	struct answer *a = malloc(sizeof *a);
	char want[256];

	snprintf(want, sizeof want, "%s%s", once, once);
	CHECK_STR(answer_of(say_hello, NULL,
			  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 27" END
			  "GET / HTTP/1.1\r\nHost: b" END GET("/"),
			  a),
		want);
	CHECK_STR(answer_of(say_hello, NULL,
			  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked" END
			  "1b\r\nGET / HTTP/1.1\r\nHost: b" END "\r\n0" END GET("/"),
			  a),
		want);
	snprintf(want, sizeof want,
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close" END "hello");
	CHECK_STR(answer_of(say_hello, NULL,
			  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000" END GET("/"), a),
		want);
	free(a);
}

TEST(a_client_that_asks_is_told_to_go_on)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;

	site_open(&s, &(tuza_http_server_options){.handler = echo});
	tuza_conn *conn = site_dial(&s);
	for (int i = 0; i < 2; i++) {
		CHECK(send_text(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
				      "Expect: 100-Continue" END));
		CHECK_STR(read_answer(conn, a, true), "HTTP/1.1 100 Continue" END);
		CHECK(send_text(conn, "hello"));
		CHECK_STR(read_answer(conn, a, false), HELLO);
	}
	CHECK_EQ(tuza_conn_close(conn), 0);
	site_close(&s);

	// One that is not told may send its body or not: nothing can follow.
	CHECK_STR(answer_of(say_hello, NULL,
			  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
			  "Expect: 100-continue" END "hello" GET("/"),
			  a),
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close" END "hello");
	free(a);
}

// ---- answers -----------------------------------------------------------------------------------

TEST(short_answers_have_a_length_and_long_ones_are_chunked)
{
	struct answer *a = malloc(sizeof *a);
	char *want = malloc(20000);
	size_t length;

	length = (size_t)sprintf(want, "HTTP/1.1 200 OK\r\nContent-Length: 4096" END);
	memset(want + length, 'm', 4096);
	want[length + 4096] = '\0';
	CHECK_STR(answer_of(many, NULL, GET("/4096"), a), want);

	// Four pieces are kept; the fifth sends all.
	length = (size_t)sprintf(
		want, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked" END "1388\r\n");
	memset(want + length, 'm', 5000);
	sprintf(want + length + 5000, "\r\n1\r\nm\r\n0" END);
	CHECK_STR(answer_of(many, NULL, GET("/5001"), a), want);

	length = (size_t)sprintf(want, "HTTP/1.1 200 OK\r\nConnection: close" END);
	memset(want + length, 'm', 5001);
	want[length + 5001] = '\0';
	CHECK_STR(
		answer_of(many, NULL, "GET /5001 HTTP/1.0\r\nConnection: keep-alive" END, a), want);

	length = (size_t)sprintf(want, "HTTP/1.1 200 OK\r\nContent-Length: 5001" END);
	memset(want + length, 'm', 5001);
	want[length + 5001] = '\0';
	CHECK_STR(answer_of(many, "length", GET("/5001"), a), want);

	CHECK_STR(answer_of(many, NULL, GET("/0"), a), "HTTP/1.1 200 OK\r\nContent-Length: 0" END);
	free(want);
	free(a);
}

TEST(head_is_answered_without_a_body)
{
	struct answer *a = malloc(sizeof *a);

	CHECK_STR(answer_of(many, NULL, "HEAD /7 HTTP/1.1\r\nHost: a" END GET("/1"), a),
		"HTTP/1.1 200 OK\r\nContent-Length: 7" END
		"HTTP/1.1 200 OK\r\nContent-Length: 1" END "m");
	CHECK_STR(answer_of(many, NULL, "HEAD /9999 HTTP/1.1\r\nHost: a" END, a),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked" END);
	CHECK_STR(answer_of(many, "length", "HEAD /9999 HTTP/1.1\r\nHost: a" END, a),
		"HTTP/1.1 200 OK\r\nContent-Length: 9999" END);
	CHECK_STR(
		answer_of(many, NULL, "HEAD /0 HTTP/1.1\r\nHost: a" END, a), "HTTP/1.1 200 OK" END);
	free(a);
}

static void statuses(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	int status = (int)strtol(tuza_http_path(r) + 1, NULL, 10);

	(void)arg;
	CHECK_EQ(tuza_http_set_status(w, status), status >= 200 && status < 600 ? 0 : -EINVAL);
	CHECK_EQ(tuza_http_write(w, "x", 1), status == 204 || status == 304 ? -EINVAL : 1);
}

TEST(statuses_have_their_words_and_some_no_body)
{
	struct answer *a = malloc(sizeof *a);

	CHECK_STR(answer_of(statuses, NULL, GET("/404"), a),
		"HTTP/1.1 404 Not Found\r\nContent-Length: 1" END "x");
	CHECK_STR(answer_of(statuses, NULL, GET("/299"), a),
		"HTTP/1.1 299 \r\nContent-Length: 1" END "x");
	CHECK_STR(answer_of(statuses, NULL, GET("/204") GET("/304"), a),
		"HTTP/1.1 204 No Content" END "HTTP/1.1 304 Not Modified" END);
	CHECK_STR(answer_of(statuses, NULL, GET("/100") GET("/600"), a),
		"HTTP/1.1 200 OK\r\nContent-Length: 1" END "x"
		"HTTP/1.1 200 OK\r\nContent-Length: 1" END "x");
	CHECK_STR(tuza_http_status_text(404), "Not Found");
	CHECK_STR(tuza_http_status_text(299), "");
	free(a);
}

static void headers(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)r;
	(void)arg;
	CHECK_EQ(tuza_http_set_header(w, "A", "1"), 0);
	CHECK_EQ(tuza_http_add_header(w, "B", "1"), 0);
	CHECK_EQ(tuza_http_add_header(w, "b", "2"), 0);
	CHECK_EQ(tuza_http_set_header(w, "a", "2"), 0);
	CHECK_EQ(tuza_http_set_header(w, "C", "gone"), 0);
	CHECK_EQ(tuza_http_set_header(w, "C", NULL), 0);
	CHECK_EQ(tuza_http_set_header(w, "Empty", ""), 0);
	// what would be another header, or another answer
	CHECK_EQ(tuza_http_set_header(w, "D", "x\r\nSet-Cookie: y"), -EINVAL);
	CHECK_EQ(tuza_http_set_header(w, "D", "x\ny"), -EINVAL);
	CHECK_EQ(tuza_http_set_header(w, "D: x\r\nE", "y"), -EINVAL);
	CHECK_EQ(tuza_http_set_header(w, "", "y"), -EINVAL);
	CHECK_EQ(tuza_http_set_header(w, "Transfer-Encoding", "chunked"), -EINVAL);
	CHECK_EQ(tuza_http_set_header(w, "Content-Length", "many"), -EINVAL);
	CHECK_EQ(tuza_http_set_header(w, "Content-Length", "-1"), -EINVAL);
	CHECK_EQ(tuza_http_set_header(w, "Connection", "upgrade"), -EINVAL);
	CHECK_EQ(tuza_http_flush(w), 0);
	CHECK_EQ(tuza_http_set_header(w, "F", "late"), -EALREADY);
	CHECK_EQ(tuza_http_set_status(w, 404), -EALREADY);
	CHECK_EQ(tuza_http_error(w, 404, NULL), -EALREADY);
}

TEST(headers_are_set_added_and_checked)
{
	struct answer *a = malloc(sizeof *a);

	CHECK_STR(answer_of(headers, NULL, GET("/"), a),
		"HTTP/1.1 200 OK\r\nB: 1\r\nb: 2\r\na: 2\r\nEmpty: \r\n"
		"Transfer-Encoding: chunked" END "0" END);
	free(a);
}

static void lengths(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)r;
	CHECK_EQ(tuza_http_set_header(w, "Content-Length", "3"), 0);
	CHECK_EQ(tuza_http_write(w, "ab", 2), 2);
	if (strcmp(arg, "all") == 0) {
		CHECK_EQ(tuza_http_write(w, "c", 1), 1);
	} else {
		CHECK_EQ(tuza_http_write(w, "cd", 2), -EMSGSIZE);
		CHECK_EQ(tuza_http_write(w, "c", 1), -EMSGSIZE); // the answer would look complete
	}
	if (strcmp(arg, "error") == 0)
		CHECK_EQ(tuza_http_error(w, 500, NULL), 0);
}

// Too much is refused; too little must not look complete.
TEST(a_set_length_is_kept_to)
{
	struct answer *a = malloc(sizeof *a);

	CHECK_STR(answer_of(lengths, "all", GET("/"), a),
		"HTTP/1.1 200 OK\r\nContent-Length: 3" END "abc");
	CHECK_STR(answer_of(lengths, "too much", GET("/") GET("/"), a),
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close" END "ab");
	CHECK_CONTAINS(answer_of(lengths, "error", GET("/"), a), "Internal Server Error\n");
	free(a);
}

static void elsewhere(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)r;
	(void)arg;
	CHECK(tuza_http_printf(w, "forgotten") > 0);
	CHECK_EQ(tuza_http_redirect(w, "/a\r\nX: y", 302), -EINVAL);
	CHECK_EQ(tuza_http_redirect(w, "/there", 200), -EINVAL);
	CHECK_EQ(tuza_http_redirect(w, "/there", 303), 0);
}

TEST(redirects_say_where_to)
{
	struct answer *a = malloc(sizeof *a);

	CHECK_STR(answer_of(elsewhere, NULL, GET("/"), a),
		"HTTP/1.1 303 See Other\r\nLocation: /there\r\n"
		"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 18" END
		"See Other: /there\n");
	free(a);
}

static void long_text(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)r;
	(void)arg;
	CHECK_EQ(tuza_http_printf(w, "%02000d", 7), 2000);
}

TEST(printf_takes_text_of_any_length)
{
	struct answer *a = malloc(sizeof *a);

	answer_of(long_text, NULL, GET("/"), a);
	CHECK_CONTAINS(a->bytes, "Content-Length: 2000" END "0000");
	CHECK_EQ(a->bytes[a->length - 1], '7');
	free(a);
}

// The date is of now, in the form of RFC 9110.
TEST(answers_have_a_date)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;
	char want[64], *date;
	time_t before = time(NULL), at;

	site_open(&s, &(tuza_http_server_options){.handler = say_hello});
	tuza_conn *conn = site_dial(&s);
	CHECK(send_text(conn, GET("/")));
	a->length = 0;
	a->bytes[0] = '\0';
	while (!strstr(a->bytes, END "hello"))
		if (!CHECK(read_more(conn, a)))
			break;
	date = strstr(a->bytes, "\r\nDate: ");
	if (CHECK(date != NULL)) {
		bool found = false;
		for (at = before - 1; at <= time(NULL); at++) {
			strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S GMT\r\n", gmtime(&at));
			found |= strncmp(date + 8, want, strlen(want)) == 0;
		}
		CHECK(found);
	}
	CHECK_EQ(tuza_conn_close(conn), 0);
	site_close(&s);
	free(a);
}
