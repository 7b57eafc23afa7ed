// SPDX-License-Identifier: MIT
/*
 * Files as answers, and names that lead out of their directory.
 */
#include "http_support.h"

#include <sys/stat.h>

static char root[] = "/tmp/tuza-http-XXXXXX";

static void make(const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", root, name);
	if (!text) {
		CHECK_EQ(mkdir(path, 0700), 0);
		return;
	}
	FILE *f = fopen(path, "w");
	if (CHECK(f != NULL)) {
		fputs(text, f);
		fclose(f);
	}
}

static void unmake(const char *name)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", root, name);
	CHECK_EQ(remove(path), 0);
}

static void serve(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)arg;
	CHECK_EQ(tuza_http_serve_file(w, r, root, tuza_http_path_value(r, "name")), 0);
}

static const char *get(tuza_http_server *server, const char *method, const char *target,
	const char *header, struct answer *a)
{
	char request[512];

	snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n", method, target,
		header);
	return answer_to(server, request, strlen(request), 999, a);
}

#define REFUSED(status, length, words)                                                             \
	"HTTP/1.1 " status "\r\nContent-Type: text/plain; charset=utf-8\r\n"                       \
	"X-Content-Type-Options: nosniff\r\nContent-Length: " length "\r\n\r\n" words "\n"

TEST(files_are_served_and_nothing_beside_them)
{
	struct answer *a = malloc(sizeof *a);
	tuza_http_mux *mux = tuza_http_mux_new();
	char *large = malloc(200001), tag[64] = "", header[128];

	CHECK(mkdtemp(root) != NULL);
	memset(large, 'l', 200000);
	large[200000] = '\0';
	make("index.html", "<p>");
	make(".hidden", "secret");
	make("large.JS", large);
	make("dir", NULL);
	make("dir/plain", "plain");
	make("empty", NULL);
	tuza_http_handle(mux, "/{name...}", serve, NULL);
	tuza_http_server *server = tuza_http_server_new(
		&(tuza_http_server_options){.handler = tuza_http_mux_serve, .arg = mux});

	CHECK_CONTAINS(
		get(server, "GET", "/", "", a), "Content-Type: text/html; charset=utf-8\r\n");
	CHECK_CONTAINS(a->bytes, "Content-Length: 3\r\n\r\n<p>");
	CHECK_CONTAINS(get(server, "GET", "/dir/plain", "", a),
		"Content-Type: application/octet-stream\r\n");
	CHECK_CONTAINS(a->bytes, "Content-Length: 5\r\n\r\nplain");
	CHECK(sscanf(strstr(a->bytes, "ETag: "), "ETag: %63s", tag) == 1);
	CHECK_CONTAINS(get(server, "GET", "/large.JS", "", a), "text/javascript");
	CHECK_CONTAINS(a->bytes, "Content-Length: 200000\r\n\r\nllll");
	CHECK(strcmp(strstr(a->bytes, "\r\n\r\n") + 4, large) == 0);
	CHECK_CONTAINS(get(server, "HEAD", "/large.JS", "", a), "Content-Length: 200000\r\n\r\n");
	CHECK_EQ(strlen(strstr(a->bytes, "\r\n\r\n")), 4);

	snprintf(header, sizeof header, "If-None-Match: %s\r\n", tag);
	get(server, "GET", "/dir/plain", header, a);
	CHECK(strncmp(a->bytes, "HTTP/1.1 304 Not Modified\r\n", 27) == 0);
	CHECK_EQ(strlen(strstr(a->bytes, "\r\n\r\n")), 4);
	snprintf(header, sizeof header, "If-None-Match: \"other\", W/%s\r\n", tag); // by a proxy
	CHECK_CONTAINS(get(server, "GET", "/dir/plain", header, a), "304 Not Modified");
	CHECK_CONTAINS(
		get(server, "GET", "/dir/plain", "If-None-Match: *\r\n", a), "304 Not Modified");
	snprintf(header, sizeof header, "If-None-Match: \"a,%.10s, %s\r\n", tag + 1, tag + 1);
	CHECK_CONTAINS(get(server, "GET", "/dir/plain", header, a), "200 OK"); // quotes are missing
	snprintf(header, sizeof header, "If-None-Match: \"other\", %s\r\n", tag);
	make("dir/plain", "changed");
	CHECK_CONTAINS(get(server, "GET", "/dir/plain", header, a), "\r\n\r\nchanged");

	CHECK_CONTAINS(get(server, "GET", "/dir?q", "", a), "Location: /dir/?q\r\n");
	CHECK_CONTAINS(a->bytes, "HTTP/1.1 307 ");
	CHECK_STR(
		get(server, "GET", "/empty/", "", a), REFUSED("404 Not Found", "10", "Not Found"));
	CHECK_STR(get(server, "GET", "/none", "", a), REFUSED("404 Not Found", "10", "Not Found"));
	CHECK_STR(get(server, "GET", "/dir/plain/x", "", a),
		REFUSED("404 Not Found", "10", "Not Found"));
	static const char *const outside[] = {"/.hidden", "/dir/%2e%2e/index.html", "/%2e%2e/x",
		"/dir/..%2findex.html", "/%2Fetc/passwd", "/dir%2F%2Fplain", "/.", "/%2e"};
	for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
		get(server, "GET", outside[i], "", a);
		if (strncmp(a->bytes, "HTTP/1.1 307", 12) != 0)
			CHECK_STR(a->bytes, REFUSED("404 Not Found", "10", "Not Found"));
		CHECK(strstr(a->bytes, "secret") == NULL);
	}
	CHECK_CONTAINS(get(server, "PUT", "/index.html", "", a), "405 Method Not Allowed");
	CHECK_CONTAINS(a->bytes, "Allow: GET, HEAD\r\n");

	tuza_http_server_free(server);
	tuza_http_mux_free(mux);
	unmake("index.html");
	unmake(".hidden");
	unmake("large.JS");
	unmake("dir/plain");
	unmake("dir");
	unmake("empty");
	unmake("");
	free(large);
	free(a);
}
