// SPDX-License-Identifier: MIT
/*
 * A site on loopback with pages of all kinds: fast, slow, large, redirecting, failing now and then,
 * failing always, and hanging. Each says what has to come of it.
 */
#include "tuza-check.h"

#include <stdlib.h>
#include <string.h>

enum { FLAKY_PAGES = 8, URLS_MOST = 256 };

struct site {
	tuza_listener *listener;
	tuza_waitgroup running;
	_Atomic int flaky[FLAKY_PAGES]; // how often each was asked for
	char *urls[URLS_MOST + 1];
	size_t count;
};

struct visitor {
	struct site *site;
	tuza_conn *conn;
	char buffer[8192];
	size_t count;
};

// ---- pages ------------------------------------------------------------------------------------

static bool say(struct visitor *v, const char *text)
{
	ssize_t count = (ssize_t)strlen(text);
	return tuza_conn_write(v->conn, text, (size_t)count) == count;
}

static bool answer(struct visitor *v, const char *status, const char *header, size_t bytes)
{
	char text[512];
	char piece[4096];
	snprintf(text, sizeof text, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, header,
		bytes);
	bool ok = say(v, text);
	memset(piece, 'x', sizeof piece);
	while (ok && bytes > 0) {
		size_t n = bytes < sizeof piece ? bytes : sizeof piece;
		ok = tuza_conn_write(v->conn, piece, n) == (ssize_t)n;
		bytes -= n;
	}
	return ok;
}

static bool page_fast(struct visitor *v, int n) { return answer(v, "200 OK", "", 100 + (size_t)n); }
static bool page_large(struct visitor *v, int n)
{
	return answer(v, "200 OK", "", 1000000 + (size_t)n);
}
static bool page_slow(struct visitor *v, int n)
{
	tuza_sleep((20 + 20 * n) * TUZA_MILLISECOND);
	return answer(v, "200 OK", "", 1000);
}
static bool page_redirect(struct visitor *v, int n)
{
	char header[64];
	snprintf(header, sizeof header, "Location: /fast/%d\r\n", n);
	return answer(v, "302 Found", header, 0);
}
static bool page_loop(struct visitor *v, int n)
{
	char header[64];
	snprintf(header, sizeof header, "Location: /loop/%d\r\n", n + 1);
	return answer(v, "302 Found", header, 0);
}
static bool page_flaky(struct visitor *v, int n)
{
	bool first = v->site->flaky[n % FLAKY_PAGES]++ == 0;
	return answer(v, first ? "503 Service Unavailable" : "200 OK", "", 50);
}
static bool page_missing(struct visitor *v, int n)
{
	(void)n;
	return answer(v, "404 Not Found", "", 10);
}
static bool page_broken(struct visitor *v, int n)
{
	(void)n;
	return answer(v, "500 Internal Server Error", "", 10);
}
static bool page_cut(struct visitor *v, int n)
{
	(void)n;
	(void)say(v, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all of it");
	return false;
}
static bool page_empty(struct visitor *v, int n)
{
	(void)v, (void)n;
	return false;
}
// Until the visitor has gone.
static bool page_hang(struct visitor *v, int n)
{
	(void)n;
	while (tuza_conn_read(v->conn, v->buffer, sizeof v->buffer) > 0)
		continue;
	return false;
}

static const struct page {
	const char *name;
	int count; // how many URLs the site has of it
	bool (*answer)(struct visitor *v, int n);
	int status, error; // what has to come of it
} PAGES[] = {
	{"fast", 20, page_fast, 200, 0},
	{"slow", 8, page_slow, 200, 0},
	{"large", 3, page_large, 200, 0},
	{"redirect", 4, page_redirect, 200, 0},
	{"flaky", 2, page_flaky, 200, 0},
	{"missing", 1, page_missing, 404, 0},
	{"broken", 1, page_broken, 500, 0},
	{"loop", 1, page_loop, 0, TUZA_EREDIRECTS},
	{"cut", 1, page_cut, 200, TUZA_EUNEXPECTEDEOF},
	{"empty", 1, page_empty, 0, TUZA_EOF},
	{"hang", 1, page_hang, 0, TUZA_EIOTIMEOUT},
};

// The page of a path "/name/number".
static const struct page *find_page(const char *path, int *n)
{
	size_t length = *path == '/' ? strcspn(path + 1, "/ ") : 0;
	for (size_t i = 0; i < sizeof PAGES / sizeof PAGES[0]; i++) {
		const char *name = PAGES[i].name;
		if (strlen(name) == length && memcmp(path + 1, name, length) == 0) {
			*n = atoi(path + 1 + length + (path[1 + length] == '/'));
			return &PAGES[i];
		}
	}
	return NULL;
}

bool site_meant(const struct job *j)
{
	int n;
	const char *host = strstr(j->url, "://");
	const char *path = host ? strchr(host + 3, '/') : NULL;
	const struct page *page = path ? find_page(path, &n) : NULL;
	return page && page->status == j->status && page->error == j->error;
}

// ---- serving ----------------------------------------------------------------------------------

// One request: its head; requests here have no bodies. False: the visitor has gone.
static bool read_head(struct visitor *v, char *path, size_t bytes)
{
	char *end;
	v->buffer[v->count] = '\0';
	while (!(end = strstr(v->buffer, "\r\n\r\n"))) {
		size_t room = sizeof v->buffer - 1 - v->count;
		ssize_t n = room ? tuza_conn_read(v->conn, v->buffer + v->count, room) : 0;
		if (n <= 0)
			return false;
		v->count += (size_t)n;
		v->buffer[v->count] = '\0';
	}
	const char *from = strchr(v->buffer, ' ');
	if (!from || from > end)
		return false;
	snprintf(path, bytes, "%.*s", (int)strcspn(from + 1, " \r"), from + 1);
	end += 4;
	v->count -= (size_t)(end - v->buffer);
	memmove(v->buffer, end, v->count);
	return true;
}

static void serve(struct visitor *v)
{
	char path[256];
	int n = 0;
	bool more = true;
	while (more && read_head(v, path, sizeof path)) {
		const struct page *page = find_page(path, &n);
		more = page ? page->answer(v, n) : page_missing(v, n);
	}
	struct site *s = v->site;
	tuza_conn_close(v->conn);
	free(v);
	tuza_waitgroup_done(&s->running);
}

static void accept_all(struct site *s)
{
	tuza_conn *conn;
	while (tuza_accept(s->listener, &conn) == 0) {
		struct visitor *v = malloc(sizeof *v);
		if (!v) {
			tuza_conn_close(conn);
			continue;
		}
		v->site = s;
		v->conn = conn;
		v->count = 0;
		tuza_waitgroup_add(&s->running, 1);
		TUZA_GO(serve, v);
	}
	tuza_waitgroup_done(&s->running);
}

struct site *site_start(void)
{
	char at[TUZA_ADDRESS_TEXT], url[TUZA_ADDRESS_TEXT + 64];
	struct site *s = calloc(1, sizeof *s);
	if (!s || tuza_listen("tcp", "127.0.0.1:0", &s->listener) != 0) {
		free(s);
		return NULL;
	}
	(void)tuza_listener_address(s->listener, at, sizeof at);
	for (size_t i = 0; i < sizeof PAGES / sizeof PAGES[0]; i++) {
		for (int n = 0; n < PAGES[i].count; n++) {
			snprintf(url, sizeof url, "http://%s/%s/%d", at, PAGES[i].name, n);
			s->urls[s->count] = strdup(url);
			s->count += s->urls[s->count] != NULL;
		}
	}
	tuza_waitgroup_add(&s->running, 1);
	TUZA_GO(accept_all, s);
	return s;
}

const char *const *site_urls(const struct site *s) { return (const char *const *)s->urls; }

void site_stop(struct site *s)
{
	tuza_listener_close(s->listener);
	tuza_waitgroup_wait(&s->running);
	for (size_t i = 0; i < s->count; i++)
		free(s->urls[i]);
	free(s);
}
