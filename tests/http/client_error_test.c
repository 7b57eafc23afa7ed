// SPDX-License-Identifier: MIT
// How requests fail: codes, words, time limits, contexts; and that nothing stays behind.
#include "../port.h"
#include "client_support.h"

#include <limits.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

// The request fails with this code, and these words are in its text.
static void check_fails(
	struct server *s, tuza_http_client *client, const char *path, int code, const char *words)
{
	tuza_http_response *r;
	char text[600];
	CHECK_EQ(get(s, client, path, &r), code);
	snprintf(text, sizeof(text), "GET %s%s: %s", s->base, path, words);
	CHECK_CONTAINS(tuza_http_response_error(r), text);
	CHECK_EQ(tuza_http_response_status(r), 0);
	tuza_http_response_free(r);
}

TEST(a_failure_says_what_it_was)
{
	struct server s = {0};
	char address[TUZA_ADDRESS_TEXT];
	int kept = keep_port(address, sizeof(address));
	if (!server_start_at(&s, address))
		return;
	tuza_http_client *client = client_new();
	check_fails(&s, client, "/empty", TUZA_EOF, "EOF");
	check_fails(&s, client, "/garbage", TUZA_EHTTP, "");
	server_stop(&s);
	check_fails(&s, client, "/hello", -ECONNREFUSED, "connection refused");
	tuza_http_client_free(client);
	close(kept);
}

TEST(a_redirect_to_itself_ends)
{
	struct server s = {0};
	tuza_http_response *r;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_with((tuza_http_client_options){.max_redirects = 3});
	CHECK_EQ(get(&s, client, "/go/302,/go/302,/go/302,/go/302,/hello", &r), TUZA_EREDIRECTS);
	CHECK_CONTAINS(tuza_http_response_error(r), "stopped after 3 redirects");
	CHECK_EQ(s.requests, 4);
	tuza_http_response_free(r);
	tuza_http_client_free(client);
	server_stop(&s);
}

static void check_refused(tuza_http_client *client, tuza_http_call call, const char *words)
{
	tuza_http_response *r;
	CHECK_EQ(tuza_http_do(client, tuza_context_background(), &call, &r), TUZA_EURL);
	CHECK_CONTAINS(tuza_http_response_error(r), words);
	tuza_http_response_free(r);
}

TEST(what_is_no_request_is_not_sent_and_the_reason_is_told)
{
	static const struct {
		const char *url, *words;
	} urls[] = {
		{NULL, "GET : not an http: or https: URL"},
		{"", "GET : not an http: or https: URL"},
		{"127.0.0.1:1", "GET 127.0.0.1:1: not an http: or https: URL"},
		{"//127.0.0.1:1/", ": not an http: or https: URL"},
		{"ftp://127.0.0.1/", ": not an http: or https: URL"},
		{"nonsense://x", ": not an http: or https: URL"},
		{"http:/127.0.0.1/", ": not an http: or https: URL"},
		{"http://", "GET http://: no host in the URL"},
		{"https:///path", "GET https:///path: no host in the URL"},
		{"http://127.0.0.1:99999/", "GET http://127.0.0.1:99999/: "},
		{"http://127.0.0.1/\r\nX: y", ": invalid URL"},
	};
	static const char *const lines[] = {
		"X: y\r\nZ: 1", "X", ": value", "X Y: value", "X: a\001b", ""};
	static const char *const methods[] = {"GET /x HTTP/1.1", "", "G\tET"};
	tuza_http_client *client = client_new();
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
		check_refused(client, (tuza_http_call){.url = urls[i].url}, urls[i].words);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *headers[] = {"Fine: 1", lines[i], NULL};
		tuza_http_call call = {.url = "http://127.0.0.1:1/", .headers = headers};
		check_refused(client, call, "GET http://127.0.0.1:1/: invalid header \"");
	}
	const char *secret[] = {"Authorization: sec\nret", NULL};
	tuza_http_call call = {.url = "http://127.0.0.1:1/", .headers = secret};
	check_refused(client, call, "invalid header \"Authorization\"");
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		call = (tuza_http_call){.url = "http://127.0.0.1:1/", .method = methods[i]};
		check_refused(client, call, " http://127.0.0.1:1/: invalid method");
	}
	CHECK_STR(tuza_http_response_error(NULL), "out of memory");
	tuza_http_client_free(client);
	client = client_with((tuza_http_client_options){.user_agent = "me\r\nX: y"});
	check_refused(client, (tuza_http_call){.url = "http://127.0.0.1:1/"},
		"GET http://127.0.0.1:1/: invalid user agent");
	tuza_http_client_free(client);
}

TEST(passwords_are_not_in_the_words)
{
	tuza_http_client *client = client_new();
	tuza_http_response *r;
	tuza_http_call call = {.url = "http://me:secret@127.0.0.1:1/p@th"};
	CHECK_EQ(tuza_http_do(client, tuza_context_background(), &call, &r), -ECONNREFUSED);
	CHECK_STR(tuza_http_response_error(r), "GET http://127.0.0.1:1/p@th: connection refused");
	tuza_http_response_free(r);
	tuza_http_client_free(client);
}

// Reads until something is wrong.
static void check_body_fails(tuza_http_response *r, size_t before, int code)
{
	char bytes[64];
	size_t got = 0;
	ssize_t n;
	while ((n = tuza_http_response_read(r, bytes, sizeof(bytes))) > 0)
		got += (size_t)n;
	CHECK_EQ(got, before);
	CHECK_EQ(n, code);
	CHECK_EQ(tuza_http_response_read(r, bytes, sizeof(bytes)), code);
	CHECK(tuza_http_response_error(r)[0] != '\0');
	tuza_http_response_free(r);
}

TEST(a_body_that_ends_too_early_is_a_failure_after_what_came)
{
	struct server s = {0};
	tuza_http_response *r;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	CHECK_EQ(get(&s, client, "/truncated", &r), 0);
	CHECK_EQ(tuza_http_response_status(r), 200);
	check_body_fails(r, 10, TUZA_EUNEXPECTEDEOF);
	CHECK_EQ(get(&s, client, "/reset", &r), 0);
	char bytes[10];
	CHECK_EQ(tuza_http_response_read(r, bytes, 10), 10);
	s.gate = true; // now the server resets
	check_body_fails(r, 0, -ECONNRESET);
	tuza_http_client_free(client);
	server_stop(&s);
}

// ---- contexts ----------------------------------------------------------------------------------

struct cancelling {
	struct server *server;
	tuza_context *ctx;
	int requests;
};

static void cancel_when_asked(struct cancelling *c)
{
	tuza_context *ctx = c->ctx;

	WAIT_UNTIL(c->server->requests >= c->requests);
	tuza_context_cancel(ctx); // the test may return from here on
	tuza_context_release(ctx);
}

// X16
TEST(cancelling_ends_a_request_that_waits_for_headers)
{
	struct server s = {0};
	tuza_http_response *r;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	struct cancelling c = {&s, tuza_context_retain(ctx), 1};
	TUZA_GO(cancel_when_asked, &c);
	CHECK_EQ(get_from(&s, client, ctx, "/hang", &r), -ECANCELED);
	CHECK_CONTAINS(tuza_http_response_error(r), "/hang: context canceled");
	WAIT_UNTIL(s.gone == 1); // the connection is closed, not kept
	tuza_http_response_free(r);
	CHECK_EQ(get_from(&s, client, ctx, "/hello", &r), -ECANCELED);
	CHECK_EQ(s.requests, 1);
	tuza_http_response_free(r);
	tuza_context_free(ctx);
	tuza_http_client_free(client);
	server_stop(&s);
}

static void read_to_the_end(tuza_http_response *r, atomic_int *result)
{
	char bytes[64];
	ssize_t n;
	while ((n = tuza_http_response_read(r, bytes, sizeof(bytes))) > 0)
		continue;
	atomic_store(result, (int)n);
}

TEST(cancelling_ends_a_body_whether_it_is_read_or_not)
{
	struct server s = {0};
	tuza_http_response *read, *unread;
	atomic_int result = 1;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	CHECK_EQ(get_from(&s, client, ctx, "/drip", &read), 0);
	CHECK_EQ(get_from(&s, client, ctx, "/drip", &unread), 0);
	TUZA_GO(read_to_the_end, read, &result);
	wait_parked("chan receive", 1);
	tuza_context_cancel(ctx);
	WAIT_UNTIL(s.gone == 2);
	WAIT_UNTIL(result == -ECANCELED);
	check_body_fails(unread, 0, -ECANCELED);
	tuza_http_response_free(read);
	tuza_context_free(ctx);
	tuza_http_client_free(client);
	server_stop(&s);
}

TEST(freeing_an_unread_response_closes_its_connection)
{
	struct server s = {0};
	tuza_http_response *r;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	CHECK_EQ(get(&s, client, "/drip", &r), 0);
	tuza_http_response_free(r);
	WAIT_UNTIL(s.gone == 1);
	CHECK_EQ(get(&s, client, "/large/50000000", &r), 0);
	tuza_http_response_free(r);
	tuza_http_client_free(client);
	server_stop(&s);
	CHECK(s.sent < 50000000);
}

// The time limit ends the wait for an answer. False: it came before that, on a busy machine.
static bool answer_is_waited_for(struct server *s, int64_t limit)
{
	tuza_http_client *client = client_with((tuza_http_client_options){.timeout = limit});
	tuza_http_response *r;
	CHECK_EQ(get(s, client, "/hang", &r), TUZA_EIOTIMEOUT);
	bool has_begun =
		strstr(tuza_http_response_error(r), "/hang: timeout awaiting the response") != NULL;
	tuza_http_response_free(r);
	tuza_http_client_free(client);
	return has_begun;
}

// The time limit ends the body. False: it came before that, on a busy machine.
static bool body_is_cut_short(struct server *s, int64_t limit)
{
	tuza_http_client *client = client_with((tuza_http_client_options){.timeout = limit});
	tuza_http_response *r;
	char bytes[10];
	bool has_begun = get(s, client, "/drip", &r) == 0;

	if (has_begun && tuza_http_response_read(r, bytes, 10) == 10) {
		check_body_fails(r, 0, TUZA_EIOTIMEOUT);
	} else {
		has_begun = false;
		tuza_http_response_free(r);
	}
	tuza_http_client_free(client);
	return has_begun;
}

TEST(deadlines_and_time_limits_are_told_apart)
{
	struct server s = {0};
	tuza_http_response *r;
	if (!server_start(&s))
		return;
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), 30 * MS);
	tuza_http_client *client = client_new();
	CHECK_EQ(get_from(&s, client, ctx, "/hang", &r), -ETIMEDOUT);
	CHECK_CONTAINS(tuza_http_response_error(r), "/hang: context deadline exceeded");
	tuza_http_response_free(r);
	tuza_http_client_free(client);

	int64_t limit = 50 * MS;
	while (!answer_is_waited_for(&s, limit) && CHECK(limit < 10 * TUZA_SECOND))
		limit *= 2;

	limit = 50 * MS;
	while (!body_is_cut_short(&s, limit) && CHECK(limit < 10 * TUZA_SECOND))
		limit *= 2;

	client = client_with((tuza_http_client_options){.header_timeout = 30 * MS});
	check_fails(&s, client, "/hang", TUZA_EIOTIMEOUT, "timeout awaiting response headers");
	tuza_http_client_free(client);
	tuza_context_free(ctx);
	server_stop(&s);
}

// The system takes the connection, but nobody the client's part of TLS.
TEST(a_connection_that_does_not_come_about_is_given_up)
{
	tuza_http_client *client =
		client_with((tuza_http_client_options){.connect_timeout = 50 * MS});
	char address[TUZA_ADDRESS_TEXT], url[512];
	tuza_listener *listener;
	tuza_http_response *r;
	if (!CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &listener), 0))
		return;
	CHECK_EQ(tuza_listener_address(listener, address, sizeof(address)), 0);
	snprintf(url, sizeof(url), "https://%s/", address);
	tuza_http_call call = {.url = url};
	CHECK_EQ(tuza_http_do(client, tuza_context_background(), &call, &r), TUZA_EIOTIMEOUT);
	CHECK_CONTAINS(tuza_http_response_error(r), "timeout while connecting");
	tuza_http_response_free(r);
	tuza_http_client_free(client);
	tuza_listener_close(listener);
}

#if !TEST_SANITIZED // whose own functions these would replace

static atomic_int refused_watches, refused_sockets; // so many calls fail from now on

// Of all that is linked here only the client's driver calls these two.
int epoll_ctl(int poll, int operation, int fd, struct epoll_event *event)
{
	struct stat s;
	if (operation != EPOLL_CTL_DEL && fstat(fd, &s) == 0 && S_ISSOCK(s.st_mode) &&
		atomic_load(&refused_watches) > 0) {
		atomic_fetch_sub(&refused_watches, 1);
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_epoll_ctl, poll, operation, fd, event);
}

int socket(int family, int type, int protocol)
{
	if (atomic_load(&refused_sockets) > 0) {
		atomic_fetch_sub(&refused_sockets, 1);
		errno = EMFILE;
		return -1;
	}
	return (int)syscall(SYS_socket, family, type, protocol);
}

TEST(a_socket_that_cannot_be_watched_is_tried_again_and_one_that_cannot_be_had_is_told)
{
	struct server s = {0};
	tuza_http_response *r;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	atomic_store(&refused_watches, 3);
	CHECK_EQ(get(&s, client, "/hello", &r), 0);
	CHECK_EQ(refused_watches, 0);
	tuza_http_response_free(r);
	tuza_http_client_free(client);
	client = client_new(); // without connections
	atomic_store(&refused_sockets, 1);
	check_fails(&s, client, "/hello", -EMFILE, "too many open files");
	CHECK_EQ(refused_sockets, 0);
	CHECK_EQ(get(&s, client, "/hello", &r), 0);
	tuza_http_response_free(r);
	tuza_http_client_free(client);
	server_stop(&s);
}

static void expect_no_socket(tuza_http_client *client, tuza_waitgroup *done)
{
	tuza_http_response *r;
	tuza_http_call call = {.url = "http://127.0.0.1:1/"};
	TUZA_DEFER(tuza_waitgroup_done, done);
	CHECK_EQ(tuza_http_do(client, tuza_context_background(), &call, &r), -EMFILE);
	CHECK_CONTAINS(tuza_http_response_error(r), "/: too many open files");
	tuza_http_response_free(r);
}

TEST(each_of_many_that_have_no_socket_is_told_why)
{
	tuza_http_client *client = client_new();
	tuza_waitgroup done = {0};
	atomic_store(&refused_sockets, INT_MAX);
	tuza_waitgroup_add(&done, 100);
	for (int i = 0; i < 100; i++)
		TUZA_GO(expect_no_socket, client, &done);
	tuza_waitgroup_wait(&done);
	atomic_store(&refused_sockets, 0);
	tuza_http_client_free(client);
}

#endif

static void answer_in_plain(tuza_listener *listener)
{
	static const char words[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
	char bytes[4096];
	tuza_conn *conn;
	if (!CHECK_EQ(tuza_accept(listener, &conn), 0))
		return;
	CHECK(tuza_conn_read(conn, bytes, sizeof(bytes)) > 0);
	CHECK_EQ(tuza_conn_write(conn, words, strlen(words)), (ssize_t)strlen(words));
	while (tuza_conn_read(conn, bytes, sizeof(bytes)) > 0)
		continue;
	tuza_conn_close(conn);
}

TEST(a_server_that_does_not_speak_tls_is_named_without_a_librarys_numbers)
{
	tuza_http_client *client = client_new();
	char address[TUZA_ADDRESS_TEXT], url[512];
	tuza_listener *listener;
	tuza_http_response *r;
	if (!CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &listener), 0))
		return;
	CHECK_EQ(tuza_listener_address(listener, address, sizeof(address)), 0);
	snprintf(url, sizeof(url), "https://%s/", address);
	TUZA_GO(answer_in_plain, listener);
	tuza_http_call call = {.url = url};
	CHECK_EQ(tuza_http_do(client, tuza_context_background(), &call, &r), TUZA_ETLS);
	CHECK_CONTAINS(tuza_http_response_error(r), url);
	CHECK(!strstr(tuza_http_response_error(r), "routines"));
	tuza_http_response_free(r);
	tuza_http_client_free(client);
	tuza_listener_close(listener);
}

// ---- the end of a client -----------------------------------------------------------------------

static void free_client(tuza_http_client *client, atomic_int *freed)
{
	tuza_http_client_free(client);
	atomic_store(freed, 1);
}

TEST(freeing_a_client_waits_for_its_responses)
{
	struct server s = {0};
	tuza_http_response *r;
	atomic_int freed = 0;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	CHECK_EQ(get(&s, client, "/drip", &r), 0);
	TUZA_GO(free_client, client, &freed);
	wait_parked("sync.WaitGroup.Wait", 1);
	CHECK_EQ(freed, 0);
	tuza_http_response_free(r);
	WAIT_UNTIL(freed == 1);
	server_stop(&s);
}

static ssize_t wait_for_cancel(void *arg, void *bytes, size_t count)
{
	(void)bytes, (void)count;
	return tuza_chan_recv_ctx(NULL, arg, NULL);
}

TEST(a_failed_request_has_done_with_its_body)
{
	struct server s = {0};
	tuza_http_response *r;
	char url[512];
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	struct cancelling c = {&s, tuza_context_retain(ctx), 1};
	snprintf(url, sizeof(url), "%s/hang", s.base);
	tuza_http_call call = {.url = url, .body_read = wait_for_cancel, .body_arg = ctx};
	TUZA_GO(cancel_when_asked, &c);
	CHECK_EQ(tuza_http_do(client, ctx, &call, &r), -ECANCELED);
	tuza_context_free(ctx); // nobody looks at it any more
	tuza_http_response_free(r);
	tuza_http_client_free(client);
	server_stop(&s);
}
