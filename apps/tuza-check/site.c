// SPDX-License-Identifier: MIT
/*
 * A site on loopback with pages of all kinds: fast, slow, large, redirecting, failing now and then,
 * failing always, and hanging. Each says what has to come of it.
 */
#include "tuza-check.h"

#include <tuza/http_server.h>

#include <stdlib.h>
#include <string.h>

enum { FLAKY_PAGES = 8, URLS_MOST = 256 };

struct site {
	tuza_http_server *server;
	tuza_http_mux *mux;
	tuza_listener *listener;
	tuza_waitgroup serving;
	_Atomic int flaky[FLAKY_PAGES]; // how often each was asked for
	char *urls[URLS_MOST + 1];
	size_t count;
};

// ---- pages ------------------------------------------------------------------------------------

// The number in the page's path.
static int number(const tuza_http_request *r)
{
	int n = atoi(tuza_http_path_value(r, "n"));
	return n < 0 || n > 1000000 ? 0 : n;
}

static void say(tuza_http_writer *w, int status, size_t bytes)
{
	char piece[4096];
	char length[32];
	ssize_t n = 1;
	snprintf(length, sizeof length, "%zu", bytes);
	(void)tuza_http_set_status(w, status);
	(void)tuza_http_set_header(w, "Content-Length", length);
	memset(piece, 'x', sizeof piece);
	for (; n > 0 && bytes > 0; bytes -= (size_t)n)
		n = tuza_http_write(w, piece, bytes < sizeof piece ? bytes : sizeof piece);
}

static void fast(tuza_http_writer *w, tuza_http_request *r, void *site)
{
	(void)site;
	say(w, 200, 100 + (size_t)number(r));
}

static void large(tuza_http_writer *w, tuza_http_request *r, void *site)
{
	(void)site;
	say(w, 200, 1000000 + (size_t)number(r));
}

static void slow(tuza_http_writer *w, tuza_http_request *r, void *site)
{
	(void)site;
	tuza_sleep((20 + 20 * (number(r) % 10)) * TUZA_MILLISECOND);
	say(w, 200, 1000);
}

static void redirect(tuza_http_writer *w, tuza_http_request *r, void *site)
{
	char to[64];
	(void)site;
	snprintf(to, sizeof to, "/fast/%d", number(r));
	(void)tuza_http_redirect(w, to, 302);
}

static void loop(tuza_http_writer *w, tuza_http_request *r, void *site)
{
	char to[64];
	(void)site;
	snprintf(to, sizeof to, "/loop/%d", number(r) + 1);
	(void)tuza_http_redirect(w, to, 302);
}

static void flaky(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	struct site *site = arg;
	bool first = site->flaky[number(r) % FLAKY_PAGES]++ == 0;
	say(w, first ? 503 : 200, 50);
}

static void broken(tuza_http_writer *w, tuza_http_request *r, void *site)
{
	(void)r, (void)site;
	(void)tuza_http_error(w, 500, "broken for ever");
}

// "hello", as gzip has it.
static void packed(tuza_http_writer *w, tuza_http_request *r, void *site)
{
	static const unsigned char hello[25] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48,
		0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0, 0, 0};
	(void)r, (void)site;
	(void)tuza_http_set_header(w, "Content-Encoding", "gzip");
	(void)!tuza_http_write(w, hello, sizeof hello);
}

// For longer than anybody waits.
static void busy(tuza_http_writer *w, tuza_http_request *r, void *site)
{
	(void)r, (void)site;
	(void)tuza_http_set_header(w, "Retry-After", "3600");
	(void)tuza_http_error(w, 503, "come back in an hour");
}

static void panics(tuza_http_writer *w, tuza_http_request *r, void *site)
{
	(void)w, (void)r, (void)site;
	tuza_panic("a page that panics");
}

// Less than it said.
static void cut(tuza_http_writer *w, tuza_http_request *r, void *site)
{
	(void)r, (void)site;
	(void)tuza_http_set_header(w, "Content-Length", "100");
	(void)tuza_http_printf(w, "not all of it");
	(void)tuza_http_flush(w);
}

// Until the visitor has gone.
static void hang(tuza_http_writer *w, tuza_http_request *r, void *site)
{
	(void)w, (void)site;
	(void)tuza_chan_recv(tuza_context_done(tuza_http_context(r)), NULL);
}

static const struct page {
	const char *name;
	tuza_http_handler handler; // NULL: there is no such page
	int count;                 // how many URLs the site has of it
	int status, error;         // what has to come of it
} PAGES[] = {
	{"fast", fast, 20, 200, 0},
	{"slow", slow, 8, 200, 0},
	{"large", large, 3, 200, 0},
	{"packed", packed, 1, 200, 0},
	{"redirect", redirect, 4, 200, 0},
	{"flaky", flaky, 2, 200, 0},
	{"missing", NULL, 1, 404, 0},
	{"broken", broken, 1, 500, 0},
	{"busy", busy, 1, 503, 0},
	{"panics", panics, 1, 500, 0},
	{"loop", loop, 1, 0, TUZA_EREDIRECTS},
	{"cut", cut, 1, 200, TUZA_EUNEXPECTEDEOF},
	{"hang", hang, 1, 0, TUZA_EIOTIMEOUT},
};
enum { PAGES_COUNT = sizeof PAGES / sizeof PAGES[0] };

bool site_meant(const struct job *j)
{
	const char *host = strstr(j->url, "://");
	const char *path = host ? strchr(host + 3, '/') : NULL;
	for (size_t i = 0; path && i < PAGES_COUNT; i++) {
		size_t length = strlen(PAGES[i].name);
		if (strncmp(path + 1, PAGES[i].name, length) == 0 && path[1 + length] == '/')
			return PAGES[i].status == j->status && PAGES[i].error == j->error;
	}
	return false;
}

// ---- the server -------------------------------------------------------------------------------

static void serve(void *arg)
{
	struct site *s = arg;
	(void)!tuza_http_server_serve(s->server, s->listener);
}

// A page that panics is no news.
static void say_nothing(const char *text, void *arg) { (void)text, (void)arg; }

static void add_urls(struct site *s, const struct page *page, const char *at)
{
	char url[TUZA_ADDRESS_TEXT + 64];
	for (int n = 0; n < page->count; n++) {
		snprintf(url, sizeof url, "http://%s/%s/%d", at, page->name, n);
		s->urls[s->count] = strdup(url);
		s->count += s->urls[s->count] != NULL;
	}
}

struct site *site_start(void)
{
	char at[TUZA_ADDRESS_TEXT], pattern[64];
	struct site *s = calloc(1, sizeof *s);
	// The first traceback reads the program's debug information, which takes longer than a page
	// may on a busy machine: not while a page panics.
	char text[64];
	(void)tuza_stack(text, sizeof text);
	if (!s || tuza_listen("tcp", "127.0.0.1:0", &s->listener) != 0) {
		free(s);
		return NULL;
	}
	(void)tuza_listener_address(s->listener, at, sizeof at);
	s->mux = tuza_http_mux_new();
	for (size_t i = 0; i < PAGES_COUNT; i++) {
		snprintf(pattern, sizeof pattern, "/%s/{n}", PAGES[i].name);
		if (PAGES[i].handler)
			tuza_http_handle(s->mux, pattern, PAGES[i].handler, s);
		add_urls(s, &PAGES[i], at);
	}
	s->server = tuza_http_server_new(&(tuza_http_server_options){
		.handler = tuza_http_mux_serve, .arg = s->mux, .error_log = say_nothing});
	tuza_waitgroup_go(&s->serving, serve, s);
	return s;
}

const char *const *site_urls(const struct site *s) { return (const char *const *)s->urls; }

void site_stop(struct site *s)
{
	tuza_http_server_close(s->server);
	tuza_waitgroup_wait(&s->serving);
	tuza_http_server_free(s->server);
	tuza_http_mux_free(s->mux);
	for (size_t i = 0; i < s->count; i++)
		free(s->urls[i]);
	free(s);
}
