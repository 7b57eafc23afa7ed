// SPDX-License-Identifier: MIT
// Bodies that a client gets and sends: whole or in pieces, with backpressure, with a limit.
#include "client_support.h"

// ---- received ----------------------------------------------------------------------------------

TEST(chunks_and_compressed_bodies_arrive_whole)
{
	struct server s = {0};
	tuza_http_response *r;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	CHECK_EQ(get(&s, client, "/chunked", &r), 0);
	CHECK_EQ(tuza_http_response_length(r), -1);
	check_body(r, "abc0123456789abcdef");
	CHECK_EQ(get(&s, client, "/gzip", &r), 0);
	CHECK_EQ(tuza_http_response_length(r), -1);
	check_body(r, "hello");
	tuza_http_client_free(client);
	server_stop(&s);
}

TEST(what_has_no_body_by_its_status_has_the_length_0)
{
	struct server s = {0};
	tuza_http_response *r;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(get(&s, client, i ? "/same" : "/no-content", &r), 0);
		CHECK_EQ(tuza_http_response_length(r), 0);
		check_body(r, "");
	}
	tuza_http_client_free(client);
	server_stop(&s);
}

TEST(a_large_body_is_streamed_and_waits_for_its_reader)
{
	enum { BYTES = 20000000 };
	struct server s = {0};
	tuza_http_response *r;
	char piece[10000];
	size_t at = 0, wrong = 0;
	ssize_t n;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	CHECK_EQ(get(&s, client, "/large/20000000", &r), 0);
	// The server gets stuck: in its own buffer and ours there is no room for all.
	long long seen;
	do {
		seen = s.sent;
		tuza_sleep(50 * MS);
	} while (s.sent != seen);
	CHECK(seen < BYTES);
	while ((n = tuza_http_response_read(r, piece, sizeof(piece))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			wrong += piece[i] != large_byte(at + (size_t)i);
		at += (size_t)n;
	}
	CHECK_EQ(n, 0);
	CHECK_EQ(at, BYTES);
	CHECK_EQ(wrong, 0);
	tuza_http_response_free(r);
	tuza_http_client_free(client);
	server_stop(&s);
}

TEST(a_body_above_the_limit_is_refused)
{
	struct server s = {0};
	tuza_http_response *r;
	char *body;
	size_t bytes;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	CHECK_EQ(get(&s, client, "/large/10001", &r), 0);
	CHECK_EQ(tuza_http_response_read_all(r, 10000, &body, &bytes), TUZA_EBODYLIMIT);
	CHECK(body == NULL);
	tuza_http_response_free(r);
	CHECK_EQ(get(&s, client, "/large/10001", &r), 0);
	CHECK_EQ(tuza_http_response_read_all(r, 10001, &body, &bytes), 0);
	CHECK_EQ(bytes, 10001);
	free(body);
	tuza_http_response_free(r);
	tuza_http_client_free(client);
	server_stop(&s);
}

// ---- sent --------------------------------------------------------------------------------------

static void check_echo(struct server *s, tuza_http_client *client, tuza_http_call call,
	const char *path, const char *method, const char *body)
{
	tuza_http_response *r;
	char url[512], *text;
	snprintf(url, sizeof(url), "%s%s", s->base, path);
	call.url = url;
	if (CHECK_EQ(tuza_http_do(client, tuza_context_background(), &call, &r), 0) &&
		CHECK_EQ(tuza_http_response_read_all(r, 1 << 22, &text, NULL), 0)) {
		CHECK_STR(tuza_http_response_header(r, "X-Method"), method);
		CHECK(strlen(text) > strlen(body));
		CHECK_STR(text + strlen(text) - strlen(body), body);
		free(text);
	}
	tuza_http_response_free(r);
}

TEST(a_body_of_bytes_goes_along_with_a_redirect_that_keeps_the_method)
{
	struct server s = {0};
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	tuza_http_call call = {.body = "a body", .body_bytes = 6};
	check_echo(&s, client, call, "/echo", "POST", "\na body");
	call.method = "PUT";
	check_echo(&s, client, call, "/echo", "PUT", "\na body");
	check_echo(&s, client, call, "/go/307,/echo", "PUT", "\na body");
	check_echo(&s, client, call, "/go/303,/echo", "GET", "");
	check_echo(&s, client, (tuza_http_call){.method = "DELETE"}, "/echo", "DELETE", "");
	check_echo(&s, client, (tuza_http_call){.method = "POST"}, "/echo", "POST", "");
	tuza_http_client_free(client);
	server_stop(&s);
}

// A body of `total` bytes in pieces, which yields now and then.
struct source {
	size_t at, total;
	int error;
	atomic_int calls;
};

static ssize_t read_source(void *arg, void *bytes, size_t count)
{
	struct source *from = arg;
	size_t n = from->total - from->at;
	if (n == 0)
		return from->error;
	if (n > 1000)
		n = 1000;
	if (n > count)
		n = count;
	for (size_t i = 0; i < n; i++)
		((char *)bytes)[i] = large_byte(from->at + i);
	from->at += n;
	if (from->calls++ % 8 == 0)
		tuza_yield();
	return (ssize_t)n;
}

static void send_source(struct server *s, tuza_http_client *client, bool sized)
{
	struct source from = {.total = 500000};
	tuza_http_response *r;
	char url[512], *text;
	size_t bytes;
	snprintf(url, sizeof(url), "%s/echo", s->base);
	tuza_http_call call = {.url = url, .body_read = read_source, .body_arg = &from};
	call.body_length = sized ? 500000 : 0;
	if (CHECK_EQ(tuza_http_do(client, tuza_context_background(), &call, &r), 0) &&
		CHECK_EQ(tuza_http_response_read_all(r, 1 << 22, &text, &bytes), 0)) {
		size_t head = bytes - 500000, wrong = 0;
		CHECK_CONTAINS(text, sized ? "Content-Length: 500000\n" : "chunked\n");
		for (size_t i = 0; i < 500000; i++)
			wrong += text[head + i] != large_byte(i);
		CHECK_EQ(wrong, 0);
		free(text);
	}
	tuza_http_response_free(r);
}

TEST(a_body_from_a_function_is_sent_in_chunks_or_with_its_length)
{
	struct server s = {0};
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	send_source(&s, client, true);
	send_source(&s, client, false);
	tuza_http_client_free(client);
	server_stop(&s);
}

struct senders {
	struct server *server;
	tuza_http_client *client;
	tuza_waitgroup done;
};

static void send_failing_bodies(struct senders *m)
{
	char url[512];
	snprintf(url, sizeof(url), "%s/echo", m->server->base);
	for (int i = 0; i < 50; i++) {
		// At once, too: then perhaps before the request has begun.
		struct source from = {.total = i % 4 ? 0 : 5000, .error = -EDOM};
		tuza_http_call call = {.url = url, .body_read = read_source, .body_arg = &from};
		tuza_http_response *r;
		CHECK_EQ(tuza_http_do(m->client, tuza_context_background(), &call, &r), -EDOM);
		tuza_http_response_free(r);
	}
	tuza_waitgroup_done(&m->done);
}

TEST(a_failure_of_the_body_is_that_of_the_request)
{
	struct server s = {0};
	if (!server_start(&s))
		return;
	struct senders m = {.server = &s, .client = client_new()};
	tuza_waitgroup_add(&m.done, 8);
	for (int i = 0; i < 8; i++)
		TUZA_GO(send_failing_bodies, &m);
	tuza_waitgroup_wait(&m.done);
	tuza_http_client_free(m.client);
	server_stop(&s);
}
