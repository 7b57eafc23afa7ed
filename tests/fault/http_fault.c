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
static const char *ask(
	struct site *s, tuza_http_server *server, int n, bool *failed, char *answer, size_t room)
{
	tuza_waitgroup ended = {0};
	site_connect(s);
	CHECK(tuza_conn_write(s->client, GET_HELLO, strlen(GET_HELLO)) > 0);
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
	CHECK_CONTAINS(ask(&s, server, 0, &failed, answer, sizeof answer), "\r\n\r\nhello");
	CHECK_EQ(tuza_listener_close(s.l), 0);
	tuza_http_server_free(server);
}

// Wherever else memory is missing for a moment: an answer, or an end and a line.
TEST(each_allocation_for_a_connection_may_fail)
{
	struct site s;
	char answer[1024];
	int refused = 0, n = 0;
	bool failed = false;

	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &s.l), 0);
	do { // the first time nothing fails: what the runtime keeps, it has then
		long before = live();
		tuza_http_server *server = new_server();
		const char *got = ask(&s, server, n, &failed, answer, sizeof answer);
		bool served = strstr(got, "\r\n\r\nhello");
		if (!CHECK(served || lines == 1 || strstr(got, "HTTP/1.1 503 ")))
			printf("  allocation %d: \"%s\", %d lines\n", n, got, lines);
		refused += !served;
		bool again;
		CHECK_CONTAINS(ask(&s, server, 0, &again, answer, sizeof answer), "\r\n\r\nhello");
		tuza_http_server_free(server);
		if (n > 0 && !WAIT_UNTIL(live() == before))
			printf("  allocation %d: %ld left\n", n, live() - before);
	} while (n++ == 0 || failed);
	printf("  %d allocations, %d were fatal for the connection\n", n - 2, refused);
	CHECK(refused >= 4);
	CHECK_EQ(tuza_listener_close(s.l), 0);
}
