// SPDX-License-Identifier: MIT
/*
 * The pages of the debug server: the table of them, and what they share.
 *
 * A page is made in memory before anything of it is sent: its length is known then, and its reader
 * holds nothing up. So it has to be bounded: 64 MiB are the most.
 *
 * Go: src/net/http/pprof/pprof.go
 */
#define _GNU_SOURCE
#include "pprof/pages.h"

#include "pprof/json.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// Go: src/runtime/pprof/pprof.go, writeGoroutineStacks
static const size_t PAGE_BYTES_MAX = 64 << 20;

const char PAGE_TEXT[] = "text/plain; charset=utf-8";
const char PAGE_HTML[] = "text/html; charset=utf-8";
const char PAGE_JSON[] = "application/json; charset=utf-8";
const char PAGE_BINARY[] = "application/octet-stream";

void page_error(struct page *p, int status, const char *text)
{
	p->status = status;
	p->type = PAGE_TEXT;
	p->file = NULL;
	p->body.length = 0;
	bytes_text(&p->body, text);
	bytes_text(&p->body, "\n");
}

static void add_header(struct page_headers *h, const char *name, const char *value)
{
	h->list[h->count].name = name;
	h->list[h->count].value = value;
	h->count++;
}

void page_headers(const struct page *p, struct page_headers *h)
{
	h->count = 0;
	add_header(h, "Content-Type", p->type);
	add_header(h, "X-Content-Type-Options", "nosniff");
	add_header(h, "Cache-Control", "no-store");
	if (p->file) {
		snprintf(h->disposition, sizeof(h->disposition), "attachment; filename=\"%s\"",
			p->file);
		add_header(h, "Content-Disposition", h->disposition);
	}
	if (p->is_pprof)
		add_header(h, "X-Go-Pprof", "1");
	if (p->policy[0])
		add_header(h, "Content-Security-Policy", p->policy);
}

const char *page_query(const struct page_request *r, const char *key, size_t *length)
{
	size_t n = strlen(key);

	for (const char *at = r->query; at; at = strchr(at, '&')) {
		at += *at == '&';
		if (strncmp(at, key, n) == 0 && at[n] == '=') {
			*length = strcspn(at + n + 1, "&");
			return at + n + 1;
		}
	}
	return NULL;
}

bool page_query_number(const struct page_request *r, const char *key, int64_t *number)
{
	size_t length;
	const char *value = page_query(r, key, &length);
	char *end;

	if (!value)
		return false;
	*number = strtoll(value, &end, 10);
	if (length == 0 || end != value + length)
		*number = 0;
	return true;
}

// ---- files in memory ---------------------------------------------------------------------------

int page_file_open(struct page *p)
{
	int fd = memfd_create("tuza page", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	// What it may hold costs nothing before it is written.
	if (fd >= 0 && (ftruncate(fd, (off_t)PAGE_BYTES_MAX) != 0 ||
			       fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) != 0)) {
		close(fd);
		fd = -1;
	}
	if (fd < 0)
		page_error(p, 500, "no memory for the page");
	return fd;
}

static void append_file(struct page *p, int fd, off_t length)
{
	char part[4096];
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	while (length > 0 && (n = read(fd, part, sizeof(part))) > 0) {
		if (n > length)
			n = (ssize_t)length;
		bytes_put(&p->body, part, (size_t)n);
		length -= n;
	}
}

void page_file_close(struct page *p, int fd, int error)
{
	off_t length = lseek(fd, 0, SEEK_CUR);

	if (error)
		page_error(p, 500, "it could not be written");
	else
		append_file(p, fd, length);
	close(fd);
	if (!error && length == (off_t)PAGE_BYTES_MAX && p->type == PAGE_TEXT)
		bytes_text(&p->body, "\n...cut at 64 MiB...\n");
}

// ---- the index ---------------------------------------------------------------------------------

static void make_index(struct page *p, const struct page_request *r)
{
	static const char text[] =
		"<!DOCTYPE html>\n<html><head><title>/debug/pprof/</title></head><body>\n"
		"<h1>Looking inside</h1>\n<ul>\n"
		"<li><a href=\"/debug/pprof/goroutine?debug=1\">goroutine</a>: where goroutines "
		"are; <a href=\"/debug/pprof/goroutine?debug=2\">all of them</a></li>\n"
		"<li><a href=\"/debug/pprof/goroutineleak?debug=1\">goroutineleak</a>: those that "
		"can never go on; the look stops all threads</li>\n"
		"<li><a href=\"/debug/pprof/threadcreate?debug=1\">threadcreate</a>: threads by "
		"name</li>\n"
		"<li><a href=\"/debug/pprof/heap?debug=1\">heap</a>, <a "
		"href=\"/debug/pprof/allocs?debug=1\">allocs</a>: memory of tuza_malloc, in use "
		"and all that there was</li>\n"
		"<li><a href=\"/debug/pprof/block?debug=1\">block</a>, <a "
		"href=\"/debug/pprof/mutex?debug=1\">mutex</a>: who waited, and for whom, once "
		"these are on</li>\n"
		"<li><a href=\"/debug/pprof/profile?seconds=5\">profile</a>: where CPU time goes "
		"in the next seconds; for <code>go tool pprof</code></li>\n"
		"<li><a href=\"/debug/pprof/trace?seconds=1\">trace</a>: what happens in the "
		"next seconds; for <code>go tool trace</code>. <a "
		"href=\"/debug/flightrecorder\">flightrecorder</a>: what has happened, once it is "
		"on</li>\n"
		"<li><a href=\"/debug/pprof/cmdline\">cmdline</a>: the program's command "
		"line</li>\n"
		"<li><a href=\"/debug/vars\">/debug/vars</a>, <a href=\"/metrics\">/metrics</a>: "
		"what the runtime counts</li>\n"
		"</ul>\n</body></html>\n";

	(void)r;
	p->type = PAGE_HTML;
	bytes_text(&p->body, text);
}

// ---- which page --------------------------------------------------------------------------------

static const struct page_route {
	const char *path;
	page_maker *make;
} routes[] = {
	{"/debug/", page_live},
	{"/debug/state.json", page_state},
	{"/debug/goroutines.json", page_members},
	{"/debug/goroutine", page_goroutine},
	{"/debug/leaks.json", page_leaks},
	{"/debug/pprof/", make_index},
	{"/debug/pprof/goroutine", page_profile},
	{"/debug/pprof/goroutineleak", page_profile},
	{"/debug/pprof/threadcreate", page_profile},
	{"/debug/pprof/heap", page_profile},
	{"/debug/pprof/block", page_profile},
	{"/debug/pprof/mutex", page_profile},
	{"/debug/pprof/allocs", page_profile},
	{"/debug/pprof/profile", page_cpu_profile},
	{"/debug/pprof/trace", page_trace},
	{"/debug/flightrecorder", page_flight_recorder},
	{"/debug/pprof/cmdline", page_command_line},
	{"/debug/pprof/symbol", page_symbols},
	{"/debug/vars", page_vars},
	{"/metrics", page_metrics},
};

void page_append_paths(struct bytes *b)
{
	bytes_text(b, "[");
	for (size_t i = 0; i < COUNT_OF(routes); i++) {
		json_separate(b);
		json_text(b, routes[i].path, SIZE_MAX - 1);
	}
	bytes_text(b, "]");
}

static const struct page_route *route_of(const char *path)
{
	for (size_t i = 0; i < COUNT_OF(routes); i++)
		if (strcmp(routes[i].path, path) == 0)
			return &routes[i];
	return NULL;
}

void page_make(struct page *p, const struct page_request *r)
{
	static const char pprof[] = "/debug/pprof/";
	const struct page_route *route = route_of(r->path);

	*p = (struct page){.status = 200, .type = PAGE_TEXT};
	if (route) {
		route->make(p, r);
	} else if (strncmp(r->path, pprof, sizeof(pprof) - 1) == 0) {
		p->is_pprof = true;
		page_error(p, 404, "Unknown profile");
	} else {
		page_error(p, 404, "404 page not found");
	}
	if (p->body.failed) {
		p->body.failed = false;
		page_error(p, 500, "no memory for the page");
	}
}
