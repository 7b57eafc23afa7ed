// SPDX-License-Identifier: MIT
/*
 * Any patterns, and any path. For libFuzzer (tools/fuzz.sh). The input's first line is the path,
 * the second the host, the others are patterns. Besides what the sanitizers find, these must hold:
 *
 *	a pattern is registered or refused with a panic, and nothing else happens to the mux
 *	the handler that is called has a pattern that matches, by a matching that is as simple as
 *	can be, and no other that matches is more specific
 *	nothing is found only if nothing matches
 *	a redirect stays on this host
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include "http/path.h"
#include "http/pattern.h"

#include <tuza/panic.h>

enum { PATTERNS_MOST = 12 };

// ---- patterns ----------------------------------------------------------------------------------

struct registered {
	tuza_http_mux *mux;
	const char *text;
	struct pattern *pattern;
};

static const struct registered *called;

static void handler(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)w;
	called = arg;
	MUST(strcmp(tuza_http_pattern(r), called->text) == 0);
	for (size_t i = 0; i < called->pattern->wilds; i++)
		(void)strlen(tuza_http_path_value(r, called->pattern->wild_names[i]));
}

static void enroll(void *arg)
{
	struct registered *p = arg;
	p->pattern = pattern_parse(p->text);
	tuza_http_handle(p->mux, p->text, handler, p);
}

// ---- what matches ------------------------------------------------------------------------------

static bool is_literal(const char *segment, size_t length, const char *text)
{
	char decoded[600];
	ssize_t n = percent_decode(decoded, segment, length);
	if (n < 0) {
		memcpy(decoded, segment, length);
		n = (ssize_t)length;
	}
	return strlen(text) == (size_t)n && memcmp(decoded, text, (size_t)n) == 0;
}

static bool path_matches(const struct pattern *p, const char *at)
{
	for (size_t i = 0; i < p->count; i++) {
		if (*at != '/')
			return false;
		size_t length = strcspn(++at, "/");
		switch (p->segments[i].kind) {
		case SEGMENT_REST:
			return true;
		case SEGMENT_END:
			return *at == '\0';
		case SEGMENT_WILD:
			if (length == 0)
				return false;
			break;
		case SEGMENT_LITERAL:
			if (length == 0 || !is_literal(at, length, p->segments[i].text))
				return false;
		}
		at += length;
	}
	return *at == '\0';
}

static bool matches(const struct pattern *p, const char *host, const char *path)
{
	return p && (*p->method == '\0' || strcmp(p->method, "GET") == 0) &&
	       (*p->host == '\0' || strcmp(p->host, host) == 0) && path_matches(p, path);
}

// ---- an input ----------------------------------------------------------------------------------

static struct exchange *ask(tuza_http_mux *mux, const char *host, const char *path)
{
	static tuza_http_server *server;
	static struct exchange *x;
	if (!server) {
		server = tuza_http_server_new(NULL);
		x = exchange_new(server);
	}
	arena_reset(&x->request.arena);
	x->request.head.method = "GET";
	x->request.head.path = x->request.head.target = path;
	x->request.head.query = "";
	x->request.head.host = host;
	x->request.head.minor = 1;
	request_begin(&x->request);
	writer_begin(&x->writer);
	called = NULL;
	tuza_http_mux_serve(&x->writer, &x->request, mux);
	return x;
}

static void check_location(const struct text *headers)
{
	const char *at = memmem(headers->bytes, headers->length, "Location: ", 10);
	MUST(at != NULL);
	MUST(at[10] == '/' && at[11] != '/' && at[11] != '\\');
}

static void check_answer(const struct exchange *x, const struct registered *all, size_t count,
	const char *host, const char *path)
{
	if (called) {
		MUST(path_is_clean(path));
		MUST(matches(called->pattern, host, path));
	}
	for (size_t i = 0; i < count; i++) {
		const struct pattern *p = all[i].pattern;
		if (!matches(p, host, path) || !path_is_clean(path))
			continue;
		MUST(called != NULL || x->writer.status == 307);
		if (called && strcmp(p->host, called->pattern->host) == 0 &&
			strcmp(p->method, called->pattern->method) == 0)
			MUST(pattern_compare_paths(p, called->pattern) != MORE_SPECIFIC);
	}
	if (!called)
		MUST(x->writer.status == 307 || x->writer.status == 404 || x->writer.status == 405);
	if (x->writer.status == 307)
		check_location(&x->writer.headers);
}

// What the parsing of heads lets through, and not so long that the answer would be sent.
static bool may_be_path(const char *path)
{
	return *path == '/' && strlen(path) < 500 && is_value(path, strlen(path)) &&
	       !strpbrk(path, " \t?#") && !strstr(path, "%00");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *more = text;
	const char *path = strsep(&more, "\n"), *host = more ? strsep(&more, "\n") : "";
	struct registered all[PATTERNS_MOST];
	tuza_http_mux *mux = tuza_http_mux_new();
	size_t count = 0;
	host = strpbrk(host, ":[") ? "" : host;
	for (const char *line; count < PATTERNS_MOST && (line = strsep(&more, "\n")); count++) {
		all[count] = (struct registered){.mux = mux, .text = line};
		if (tuza_try(enroll, &all[count], NULL) != 0 && all[count].pattern) {
			pattern_free(all[count].pattern);
			all[count].pattern = NULL;
		}
	}
	if (may_be_path(path))
		check_answer(ask(mux, host, path), all, count, host, path);
	for (size_t i = 0; i < count; i++)
		if (all[i].pattern)
			pattern_free(all[i].pattern);
	tuza_http_mux_free(mux);
	free(text);
	return 0;
}
