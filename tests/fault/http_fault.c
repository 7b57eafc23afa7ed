// SPDX-License-Identifier: MIT
/*
 * A server that has no memory for a connection: its client sees it closed, the server's log has a
 * line about it, one for many, and nothing is lost.
 */
#include "allocation_support.h"

#include <tuza/http.h>
#include <tuza/net.h>
#include <tuza/sync.h>

#define GET_HELLO "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

static atomic_int lines;
static char last_line[256];

static void keep_line(const char *text, void *arg)
{
	(void)arg;
	snprintf(last_line, sizeof last_line, "%s", text);
	lines++;
}

static void say_hello(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)r;
	(void)arg;
	(void)tuza_http_write(w, "hello", 5);
}

static tuza_http_server *new_server(void)
{
	lines = 0;
	last_line[0] = '\0';
	return tuza_http_server_new(
		&(tuza_http_server_options){.handler = say_hello, .error_log = keep_line});
}

// A client of a listener that nobody accepts from but these tests.
struct site {
	tuza_listener *l;
	tuza_conn *client, *accepted;
	char from[TUZA_ADDRESS_TEXT]; // the client's address
};

static void site_connect(struct site *s)
{
	char address[TUZA_ADDRESS_TEXT];
	CHECK_EQ(tuza_listener_address(s->l, address, sizeof address), 0);
	CHECK_EQ(tuza_dial(tuza_context_background(), "tcp", address, &s->client), 0);
	CHECK_EQ(tuza_accept(s->l, &s->accepted), 0);
	CHECK_EQ(tuza_conn_local_address(s->client, s->from, sizeof s->from), 0);
}

// What comes until the end. Closes the client.
static const char *site_read(struct site *s, char *answer, size_t room)
{
	size_t length = 0;
	ssize_t n;
	while ((n = tuza_conn_read(s->client, answer + length, room - 1 - length)) > 0)
		length += (size_t)n;
	CHECK(n == 0 || n == -ECONNRESET); // what it has sent was not read
	answer[length] = '\0';
	CHECK_EQ(tuza_conn_close(s->client), 0);
	return answer;
}

static void serve(tuza_http_server *server, tuza_conn *conn, int n, tuza_waitgroup *ended)
{
	fails_in = n;
	tuza_http_server_serve_conn(server, conn);
	tuza_waitgroup_done(ended);
}

// One request. Returns the answer; *failed: the n-th allocation for it was there, and failed.
static const char *ask(struct site *s, tuza_http_server *server, const char *request, int n,
	bool *failed, char *answer, size_t room)
{
	tuza_waitgroup ended = {0};
	site_connect(s);
	CHECK(tuza_conn_write(s->client, request, strlen(request)) > 0);
	tuza_waitgroup_add(&ended, 1);
	TUZA_GO(serve, server, s->accepted, n, &ended);
	tuza_waitgroup_wait(&ended);
	*failed = n > 0 && fails_in <= 0;
	fails_in = 0;
	return site_read(s, answer, room);
}

// While nothing can be had at all, the line in the log included.
TEST(a_connection_that_finds_no_memory_is_closed_and_the_log_says_so_once)
{
	struct site s;
	char answer[1024], expected[TUZA_ADDRESS_TEXT + 64];
	tuza_http_server *server = new_server();

	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &s.l), 0);
	for (int i = 0; i < 3; i++) {
		site_connect(&s);
		long before = live();
		fails_always = true;
		tuza_http_server_serve_conn(server, s.accepted);
		fails_always = false;
		CHECK_EQ(live(), before);
		CHECK_EQ(tuza_http_server_connections(server), 0);
		if (i == 0)
			snprintf(expected, sizeof expected,
				"http: no memory to serve %s; its connection is closed", s.from);
		CHECK_STR(site_read(&s, answer, sizeof answer), "");
		CHECK_EQ(lines, 1);
		CHECK_STR(last_line, expected);
	}
	bool failed;
	CHECK_CONTAINS(
		ask(&s, server, GET_HELLO, 0, &failed, answer, sizeof answer), "\r\n\r\nhello");
	CHECK_EQ(tuza_listener_close(s.l), 0);
	tuza_http_server_free(server);
}

// ---- each in turn ------------------------------------------------------------------------------

#define A10 "aaaaaaaaaa"
#define A99 A10 A10 A10 A10 A10 A10 A10 A10 A10 "aaaaaaaaa"
#define A100 "a" A99
#define A599 A100 A100 A100 A100 A100 A99 // more than a request has room for at first
#define A600 "a" A599
#define REQUEST(method, path, more)                                                                \
	method " " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" more "\r\n"

// Answers with all that it has got, in an answer that grows.
static void echo(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	char bytes[64];
	ssize_t n;
	int error = tuza_http_set_trailer(w, "X-End", A600 A600 A600);
	(void)arg;
	if (tuza_context_err(tuza_http_context(r)) != 0)
		return;
	for (int i = 0; i < 5000 && error == 0; i += 10)
		error = (int)tuza_http_write(w, "0123456789", 10) - 10;
	while (error == 0 && (n = tuza_http_body_read(r, bytes, sizeof bytes)) != 0)
		error = n < 0 ? (int)n : (int)(tuza_http_write(w, bytes, (size_t)n) - n);
	const char *trailer = tuza_http_trailer(r, "X-T");
	if (error == 0 && trailer && tuza_http_printf(w, " %s; " A600 A600, trailer) > 0)
		(void)tuza_http_write(w, "all of it", 9);
	else if (tuza_http_error(w, 503, NULL) != 0) // the client shall not take it for an answer
		tuza_panic("no memory");
}

static void serve_etc(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)arg;
	(void)tuza_http_serve_file(w, r, "/etc", "passwd");
}

static void name_pattern(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	if (strcmp(tuza_http_path_value(r, "w"), arg) == 0)
		(void)tuza_http_write(w, "hello", 5);
	else
		(void)tuza_http_set_status(w, 418);
}

static tuza_http_mux *new_mux(void)
{
	tuza_http_mux *mux = tuza_http_mux_new();
	tuza_http_handle(mux, "GET /{$}", say_hello, NULL);
	tuza_http_handle(mux, "POST /echo", echo, NULL);
	tuza_http_handle(mux, "GET /file", serve_etc, NULL);
	tuza_http_handle(mux, "GET /wild/{w}", name_pattern, A600 "b");
	tuza_http_handle(mux, "GET /rest/{w...}", name_pattern, "not this one");
	tuza_http_handle(mux, "GET /rest/" A600, name_pattern, "");
	tuza_http_handle(mux, "GET /tree/" A600 "/", name_pattern, "");
	return mux;
}

// Wherever memory is missing for a moment: the right answer, a 503 (a 500, where it had to panic),
// one that is not complete, or an end and a line. Never another one.
static void check_each(const char *request, const char *expected, const char *at_end, int least)
{
	struct site s;
	static char answer[1 << 16];
	int refused = 0, n = 0;
	bool failed = false, again;
	tuza_http_mux *mux = new_mux();

	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &s.l), 0);
	do { // the first time nothing fails: what the runtime keeps, it has then
		long before = live();
		lines = 0;
		tuza_http_server *server = tuza_http_server_new(&(tuza_http_server_options){
			.handler = tuza_http_mux_serve, .arg = mux, .error_log = keep_line});
		const char *got = ask(&s, server, request, n, &failed, answer, sizeof answer);
		size_t length = strlen(got), end = strlen(at_end);
		bool served = strstr(got, expected) && length >= end &&
			      strcmp(got + length - end, at_end) == 0;
		if (!CHECK(served || (n > 0 && (lines == 1 || strstr(got, "HTTP/1.1 503 ")))))
			printf("  allocation %d: \"%s\", %d lines\n", n, got, lines);
		refused += !served;
		CHECK_CONTAINS(ask(&s, server, GET_HELLO, 0, &again, answer, sizeof answer),
			"\r\n\r\nhello");
		tuza_http_server_free(server);
		if (n > 0 && !WAIT_UNTIL(live() == before))
			printf("  allocation %d: %ld left\n", n, live() - before);
	} while (n++ == 0 || failed);
	int shown = (int)strcspn(request, "%a\r");
	printf("  %.*s: %d allocations, %d were fatal for the answer\n", shown, request, n - 2,
		refused);
	CHECK(refused >= least);
	CHECK_EQ(tuza_listener_close(s.l), 0);
	tuza_http_mux_free(mux);
}

TEST(each_allocation_for_a_connection_may_fail)
{
	check_each(GET_HELLO, "HTTP/1.1 200 OK\r\n", "\r\n\r\nhello", 4);
}

// A segment that could not be decoded for want of memory is not taken for another.
TEST(each_allocation_for_a_path_may_fail)
{
	check_each(REQUEST("GET", "/wild/" A600 "%62", ""), "HTTP/1.1 200 ", "hello", 5);
	check_each(REQUEST("GET", "/rest/%61" A599, ""), "HTTP/1.1 200 ", "hello", 5);
	check_each(REQUEST("GET", "/tree/" A600 "?q", ""), "\r\nLocation: /tree/" A600 "/?q\r\n",
		"/?q\n", 5);
	check_each(
		REQUEST("GET", "//tree/" A600, ""), "\r\nLocation: /tree/" A600 "/\r\n", "/\n", 5);
	check_each(REQUEST("PUT", "/tree/" A600, ""), "\r\nAllow: GET, HEAD\r\n", "Allowed\n", 5);
	check_each(REQUEST("PUT", "/tree/" A599, ""), "HTTP/1.1 404 ", "", 4);
}

TEST(each_allocation_for_a_file_may_fail)
{
	check_each(REQUEST("GET", "/file", ""), "root:", "\n", 6);
}

TEST(each_allocation_for_bodies_and_trailers_may_fail)
{
	check_each(REQUEST("POST", "/echo",
			   "Transfer-Encoding: chunked\r\n") "5\r\nhello\r\n0\r\nX-T: " A600
							     "\r\n\r\n",
		"HTTP/1.1 200 ", A600 "\r\n\r\n", 6);
}
