// SPDX-License-Identifier: MIT
// What a client gets back: status, headers; kept connections, redirects, headers sent.
#include "client_support.h"

TEST(get_returns_status_headers_and_body)
{
	struct server s = {0};
	tuza_http_response *r;
	const char *name, *value;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	CHECK_EQ(get(&s, client, "/hello", &r), 0);
	CHECK_EQ(tuza_http_response_status(r), 200);
	CHECK_STR(tuza_http_response_protocol(r), "HTTP/1.1");
	CHECK_STR(tuza_http_response_header(r, "x-one"), "1");
	CHECK_STR(tuza_http_response_header(r, "X-Two"), "2 2");
	CHECK(tuza_http_response_header(r, "X-Three") == NULL);
	CHECK(tuza_http_response_header_at(r, 3, &name, &value));
	CHECK_STR(name, "X-One");
	CHECK_STR(value, "again");
	CHECK(!tuza_http_response_header_at(r, 4, &name, &value));
	CHECK_EQ(tuza_http_response_length(r), 5);
	CHECK_CONTAINS(tuza_http_response_url(r), "/hello");
	CHECK_STR(tuza_http_response_error(r), "");
	check_body(r, "hello");
	tuza_http_client_free(client);
	server_stop(&s);
}

TEST(a_status_that_says_no_is_no_failure)
{
	struct server s = {0};
	tuza_http_response *r;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	CHECK_EQ(get(&s, client, "/missing", &r), 0);
	CHECK_EQ(tuza_http_response_status(r), 404);
	check_body(r, "none");
	CHECK_EQ(get(&s, client, "/early", &r), 0); // 103 comes first
	CHECK_EQ(tuza_http_response_status(r), 200);
	CHECK(tuza_http_response_header(r, "Link") == NULL);
	check_body(r, "");
	tuza_http_client_free(client);
	server_stop(&s);
}

TEST(the_default_client_serves_get_and_lives_through_runs)
{
	struct server s = {0};
	tuza_http_response *r;
	char url[512];
	if (!server_start(&s))
		return;
	setenv("no_proxy", "127.0.0.1", 1);
	snprintf(url, sizeof(url), "%s/hello", s.base);
	for (int i = 0; i < 3; i++) {
		if (CHECK_EQ(tuza_http_get(tuza_context_background(), url, &r), 0))
			check_body(r, "hello");
	}
	CHECK_EQ(s.accepted, 1);
	tuza_http_client_close_idle(tuza_http_client_default());
	server_stop(&s);
}

TEST(the_default_client_serves_another_run)
{
	struct server s = {0};
	tuza_http_response *r;
	char url[512];
	if (!server_start(&s))
		return;
	snprintf(url, sizeof(url), "%s/hello", s.base);
	if (CHECK_EQ(tuza_http_get(tuza_context_background(), url, &r), 0))
		check_body(r, "hello");
	tuza_http_client_close_idle(tuza_http_client_default());
	server_stop(&s);
}

TEST(one_connection_serves_one_request_after_another)
{
	struct server s = {0};
	tuza_http_response *r;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(get(&s, client, i % 2 ? "/hello" : "/go/302,/hello", &r), 0);
		check_body(r, "hello");
	}
	CHECK_EQ(s.accepted, 1);
	CHECK_EQ(s.requests, 30);
	tuza_http_client_free(client);
	server_stop(&s);
}

struct many {
	struct server *server;
	tuza_http_client *client;
	tuza_waitgroup done;
	atomic_int good;
};

static void get_twice(struct many *m)
{
	for (int i = 0; i < 2; i++) {
		tuza_http_response *r;
		char *body = NULL;
		if (CHECK_EQ(get(m->server, m->client, "/hello", &r), 0) &&
			CHECK_EQ(tuza_http_response_read_all(r, 100, &body, NULL), 0))
			m->good += strcmp(body, "hello") == 0;
		free(body);
		tuza_http_response_free(r);
	}
	tuza_waitgroup_done(&m->done);
}

TEST(a_hundred_requests_at_once_share_the_connections_allowed)
{
	struct server s = {0};
	if (!server_start(&s))
		return;
	struct many m = {.server = &s,
		.client = client_with((tuza_http_client_options){.max_connections_per_host = 5})};
	tuza_waitgroup_add(&m.done, 100);
	for (int i = 0; i < 100; i++)
		TUZA_GO(get_twice, &m);
	tuza_waitgroup_wait(&m.done);
	CHECK_EQ(m.good, 200);
	CHECK_EQ(s.requests, 200);
	CHECK(s.accepted >= 1 && s.accepted <= 5);
	CHECK(s.busiest <= 5);
	tuza_http_client_free(m.client);
	server_stop(&s);
}

TEST(a_hundred_requests_at_once_without_a_limit)
{
	struct server s = {0};
	if (!server_start(&s))
		return;
	struct many m = {.server = &s, .client = client_new()};
	tuza_waitgroup_add(&m.done, 100);
	for (int i = 0; i < 100; i++)
		TUZA_GO(get_twice, &m);
	tuza_waitgroup_wait(&m.done);
	CHECK_EQ(m.good, 200);
	CHECK_EQ(s.requests, 200);
	CHECK(s.accepted <= 200);
	tuza_http_client_free(m.client);
	server_stop(&s);
}

static void get_gate(struct many *m)
{
	tuza_http_response *r;
	CHECK_EQ(get(m->server, m->client, "/gate", &r), 0);
	check_body(r, "ok");
	m->good++;
	tuza_waitgroup_done(&m->done);
}

// As many connections as callers, since nobody is answered before all have asked.
static void get_together(struct many *m, int callers)
{
	m->server->requests = 0;
	m->server->gate = false;
	tuza_waitgroup_add(&m->done, callers);
	for (int i = 0; i < callers; i++)
		TUZA_GO(get_gate, m);
	WAIT_UNTIL(m->server->requests == callers);
	m->server->gate = true;
	tuza_waitgroup_wait(&m->done);
}

TEST(of_many_connections_as_many_are_kept_as_are_asked_for)
{
	struct server s = {0};
	if (!server_start(&s))
		return;
	struct many m = {.server = &s,
		.client = client_with((tuza_http_client_options){.max_idle_connections = 8})};
	get_together(&m, 64);
	CHECK_EQ(s.accepted, 64);
	WAIT_UNTIL(s.accepted - s.closed <= 8);
	get_together(&m, 64);
	CHECK_EQ(m.good, 128);
	tuza_http_client_free(m.client);
	server_stop(&s);
}

TEST(all_connections_are_used_again_when_so_many_may_be_kept)
{
	struct server s = {0};
	if (!server_start(&s))
		return;
	struct many m = {.server = &s,
		.client = client_with((tuza_http_client_options){.max_idle_connections = 128})};
	get_together(&m, 64);
	CHECK_EQ(s.accepted, 64);
	CHECK_EQ(s.closed, 0);
	m.good = 0;
	tuza_waitgroup_add(&m.done, 1); // one at a time finds one of them
	get_twice(&m);
	CHECK_EQ(m.good, 2);
	CHECK_EQ(s.accepted, 64);
	tuza_http_client_close_idle(m.client); // of all drivers
	WAIT_UNTIL(s.closed == 64);
	tuza_http_client_free(m.client);
	server_stop(&s);
}

TEST(a_connection_that_the_server_has_closed_is_not_used_again)
{
	struct server s = {0};
	tuza_http_response *r;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	for (int i = 1; i <= 20; i++) { // descriptors are used again, too
		CHECK_EQ(get(&s, client, "/bye", &r), 0);
		check_body(r, "bye");
		WAIT_UNTIL(s.closed == i);
	}
	CHECK_EQ(s.requests, 20);
	tuza_http_client_free(client);
	server_stop(&s);
}

TEST(redirects_are_followed_up_to_the_limit)
{
	struct server s = {0};
	tuza_http_response *r;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	CHECK_EQ(get(&s, client, "/go/301,/go/307,/hello", &r), 0);
	CHECK_EQ(tuza_http_response_status(r), 200);
	CHECK_CONTAINS(tuza_http_response_url(r), "/hello");
	check_body(r, "hello");
	CHECK_EQ(s.requests, 3);
	CHECK_EQ(get(&s, client, "/go/302,", &r), 0); // goes nowhere: the response itself
	CHECK_EQ(tuza_http_response_status(r), 302);
	check_body(r, "moved");
	tuza_http_client_free(client);
	client = client_with((tuza_http_client_options){.max_redirects = -1});
	CHECK_EQ(get(&s, client, "/go/302,/hello", &r), 0);
	CHECK_EQ(tuza_http_response_status(r), 302);
	CHECK_STR(tuza_http_response_header(r, "location"), "/hello");
	check_body(r, "moved");
	tuza_http_client_free(client);
	server_stop(&s);
}

TEST(headers_are_sent_as_given_and_nothing_is_added_in_secret)
{
	struct server s = {0};
	tuza_http_response *r;
	char url[512], *text = NULL;
	const char *headers[] = {
		"X-Mine: 1", "Authorization: secret", "Tight:2", "Wide: \t3 ", "Empty:", NULL};
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	snprintf(url, sizeof(url), "%s/echo", s.base);
	tuza_http_call call = {.url = url, .headers = headers, .body = "x", .body_bytes = 1};
	CHECK_EQ(tuza_http_do(client, tuza_context_background(), &call, &r), 0);
	if (CHECK_EQ(tuza_http_response_read_all(r, 1 << 16, &text, NULL), 0)) {
		CHECK_CONTAINS(text, "X-Mine: 1\n");
		CHECK_CONTAINS(text, "Authorization: secret\n");
		CHECK_CONTAINS(text, "Tight: 2\n");
		CHECK_CONTAINS(text, "Wide: 3\n");
		CHECK_CONTAINS(text, "\nEmpty:\n");
		CHECK_CONTAINS(text, "User-Agent: tuza/");
		CHECK(strstr(text, "Expect:") == NULL);
		CHECK(strstr(text, "Content-Type:") == NULL);
	}
	free(text);
	tuza_http_response_free(r);
	// To another host, be it the same machine, the secret does not go.
	snprintf(url, sizeof(url), "%s/go/307,http://localhost:%s/echo", s.base,
		strrchr(s.base, ':') + 1);
	CHECK_EQ(tuza_http_do(client, tuza_context_background(), &call, &r), 0);
	if (CHECK_EQ(tuza_http_response_read_all(r, 1 << 16, &text, NULL), 0)) {
		CHECK_CONTAINS(text, "X-Mine: 1\n");
		CHECK(strstr(text, "Authorization") == NULL);
	}
	free(text);
	tuza_http_response_free(r);
	tuza_http_client_free(client);
	server_stop(&s);
}

TEST(a_proxy_gets_the_whole_url) { check_by_proxy("http://nobody.invalid/proxied", "by proxy"); }
