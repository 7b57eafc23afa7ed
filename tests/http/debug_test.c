// SPDX-License-Identifier: MIT
// The debug pages on the program's own server. (O31)
#include "http_support.h"

#include <tuza/malloc.h>
#include <tuza/pprof.h>

static void hello(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)r;
	(void)arg;
	tuza_http_printf(w, "hello\n");
}

static tuza_http_server *make_server(tuza_http_mux *mux)
{
	tuza_http_handle(mux, "/", hello, NULL);
	tuza_http_handle_debug(mux);
	return tuza_http_server_new(
		&(tuza_http_server_options){.handler = tuza_http_mux_serve, .arg = mux});
}

static const char *get(tuza_http_server *server, const char *target, struct answer *a)
{
	char request[300];

	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		target);
	answer_to(server, request, strlen(request), sizeof request, a);
	return a->bytes;
}

TEST(pages_are_on_the_programs_server)
{
	static const struct {
		const char *target, *status, *part;
	} pages[] = {
		{"/", "200", "hello\n"},
		{"/debug/", "200", "<html"},
		{"/debug/pprof/", "200", "goroutine?debug=1"},
		{"/debug/pprof/goroutine?debug=1", "200", "goroutine profile: total "},
		{"/debug/pprof/goroutine?debug=2", "200", " [running]:\n"},
		{"/debug/pprof/heap?debug=1", "200", "heap profile: "},
		{"/debug/pprof/block?debug=1", "200", "--- contention:"},
		{"/debug/pprof/mutex?debug=1", "200", "--- mutex:"},
		{"/debug/pprof/threadcreate?debug=1", "200", "threadcreate profile: "},
		{"/debug/pprof/goroutine", "200", "filename=\"goroutine\"\r\n"},
		{"/debug/pprof/nothing", "404", "Unknown profile\n"},
		{"/debug/nothing", "404", "404 page not found\n"},
		{"/debug/pprof/heap?seconds=x", "400", "positive integer\n"},
		{"/debug/vars", "200", "\"goroutines\":"},
		{"/metrics", "200", "tuza_sched_goroutines_goroutines"},
	};
	tuza_http_mux *mux = tuza_http_mux_new();
	tuza_http_server *server = make_server(mux);
	struct answer *a = malloc(sizeof *a);

	for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
		const char *text = get(server, pages[i].target, a);

		if (!CHECK(strncmp(text + 9, pages[i].status, 3) == 0))
			printf("  %s: %.200s\n", pages[i].target, text);
		CHECK_CONTAINS(text, pages[i].part);
		if (i > 0)
			CHECK_CONTAINS(text, "X-Content-Type-Options: nosniff\r\n");
	}
	free(a);
	tuza_http_server_free(server);
	tuza_http_mux_free(mux);
}

TEST(other_sites_pages_may_not_ask)
{
	static const struct {
		const char *headers, *status;
	} asked[] = {
		{"", "200"},
		{"Sec-Fetch-Site: same-origin\r\n", "200"},
		{"Sec-Fetch-Site: none\r\n", "200"},
		{"Sec-Fetch-Site: cross-site\r\n", "403"},
		{"Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors\r\n", "403"},
		{"Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n", "200"},
	};
	tuza_http_mux *mux = tuza_http_mux_new();
	tuza_http_server *server = make_server(mux);
	struct answer *a = malloc(sizeof *a);

	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		char request[300];

		snprintf(request, sizeof request,
			"GET /debug/vars HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n",
			asked[i].headers);
		answer_to(server, request, strlen(request), sizeof request, a);
		CHECK(strncmp(a->bytes + 9, asked[i].status, 3) == 0);
	}
	free(a);
	tuza_http_server_free(server);
	tuza_http_mux_free(mux);
}

// A page that takes an hour is given up when the client goes.
TEST(wait_ends_with_the_request)
{
	tuza_http_mux *mux = tuza_http_mux_new();
	tuza_http_server_options options = {.handler = tuza_http_mux_serve, .arg = mux};
	static const char request[] =
		"GET /debug/pprof/goroutine?seconds=3600 HTTP/1.1\r\nHost: a\r\n\r\n";
	struct site site;
	size_t before;

	tuza_http_handle_debug(mux);
	site_open(&site, &options);
	before = tuza_num_goroutine();
	tuza_conn *conn = site_dial(&site);
	CHECK_EQ(tuza_conn_write(conn, request, strlen(request)), strlen(request));
	WAIT_UNTIL(tuza_num_goroutine() > before);
	tuza_sleep(20 * MS); // so that it waits, as a rule
	tuza_conn_close(conn);
	WAIT_UNTIL(tuza_num_goroutine() == before);
	site_close(&site);
	tuza_http_mux_free(mux);
}

TEST(pages_can_be_had_without_a_server)
{
	tuza_debug_page *page = tuza_debug_page_make(tuza_context_background(), "/metrics", "");

	CHECK_EQ(page->status, 200);
	CHECK_STR(page->headers[0].name, "Content-Type");
	CHECK(memmem(page->body, page->body_bytes, "tuza_sched_", 11));
	tuza_debug_page_free(page);
	tuza_debug_page_free(NULL);
}
