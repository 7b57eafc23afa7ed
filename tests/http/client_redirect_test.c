// SPDX-License-Identifier: MIT
/*
 * Redirects, as Go's client takes them: what they lead to, what goes along, and that nobody waits
 * for a body that nobody reads. And names of hosts beyond ASCII.
 */
#include "client_support.h"

static char *text_of(tuza_http_client *client, const char *url, const char *const *headers)
{
	tuza_http_response *r;
	char *text = NULL;
	tuza_http_call call = {.url = url, .headers = headers};
	if (CHECK_EQ(tuza_http_do(client, tuza_context_background(), &call, &r), 0))
		CHECK_EQ(tuza_http_response_read_all(r, 1 << 16, &text, NULL), 0);
	tuza_http_response_free(r);
	return text ? text : strdup("");
}

TEST(the_body_of_a_redirect_is_not_waited_for)
{
	struct server s = {0};
	tuza_http_response *r;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	CHECK_EQ(get(&s, client, "/go-without-end", &r), 0); // more than anybody wants
	check_body(r, "hello");
	CHECK_EQ(get(&s, client, "/go-large", &r), 0); // it says that it will be, and does not come
	check_body(r, "hello");
	CHECK_EQ(s.requests, 4);
	tuza_http_client_free(client);
	server_stop(&s);
}

TEST(a_redirect_to_what_is_not_http_is_refused_in_words)
{
	static const struct {
		const char *to, *words;
	} places[] = {
		{"ftp://127.0.0.1/", "GET ftp://127.0.0.1/: not an http: or https: URL"},
		{"file:///etc/passwd", "GET file:///etc/passwd: not an http: or https: URL"},
		{"javascript:1", "GET javascript:1: not an http: or https: URL"},
		{"http:hello", "GET http:hello: not an http: or https: URL"},
		{"http:///hello", "GET http:///hello: no host in the URL"},
		{"///hello", "GET ///hello: no host in the URL"},
		{"http://127.0.0.1:99999/", "GET http://127.0.0.1:99999/: "},
	};
	struct server s = {0};
	tuza_http_response *r;
	char path[128];
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "/go/302,%s", places[i].to);
		CHECK_EQ(get(&s, client, path, &r), TUZA_EURL);
		CHECK_CONTAINS(tuza_http_response_error(r), places[i].words);
		tuza_http_response_free(r);
	}
	CHECK_EQ(s.requests, sizeof(places) / sizeof(places[0]));
	tuza_http_client_free(client);
	server_stop(&s);
}

TEST(a_redirect_that_names_a_server_takes_no_host_header_along)
{
	static const char *const headers[] = {"Host: foo.example", NULL};
	struct server s = {0};
	char url[512], host[256];
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	snprintf(host, sizeof(host), "Host: %s\n", s.base + 7);
	snprintf(url, sizeof(url), "%s/go/302,/echo", s.base);
	char *text = text_of(client, url, headers);
	CHECK_CONTAINS(text, "Host: foo.example\n");
	free(text);
	snprintf(url, sizeof(url), "%s/go/302,%s/echo", s.base, s.base);
	text = text_of(client, url, headers);
	CHECK_CONTAINS(text, host);
	free(text);
	snprintf(url, sizeof(url), "%s/go/302,%s/echo", s.base, s.base + 5); // "//127.0.0.1:…"
	text = text_of(client, url, headers);
	CHECK_CONTAINS(text, host);
	free(text);
	tuza_http_client_free(client);
	server_stop(&s);
}

TEST(a_password_in_the_url_stays_with_its_server)
{
	struct server s = {0};
	char url[512];
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	snprintf(url, sizeof(url), "http://user:secret@%s/go/302,/echo", s.base + 7);
	char *text = text_of(client, url, NULL);
	CHECK_CONTAINS(text, "Authorization: Basic dXNlcjpzZWNyZXQ=\n");
	free(text);
	snprintf(url, sizeof(url), "http://user:secret@%s/go/302,http://localhost:%s/echo",
		s.base + 7, strrchr(s.base, ':') + 1);
	text = text_of(client, url, NULL);
	CHECK_CONTAINS(text, "Host: localhost");
	CHECK(strstr(text, "Authorization") == NULL);
	free(text);
	tuza_http_client_free(client);
	server_stop(&s);
}

// The program's locale is "C", as it is without setlocale.
TEST(a_name_beyond_ascii_is_asked_for_as_it_is_registered)
{
	check_by_proxy("http://B\303\274cher.invalid/proxied", "in punycode");
}
