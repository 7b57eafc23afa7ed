// SPDX-License-Identifier: MIT
/*
 * Patterns. What they mean, and which of two is more specific: Go's net/http, pattern.go.
 */
#include "http/pattern.h"

#include "http/path.h"
#include "http/text.h"
#include <tuza/panic.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *copy(const char *bytes, size_t count)
{
	char *text = need(malloc(count + 1));
	memcpy(text, bytes, count);
	text[count] = '\0';
	return text;
}

void pattern_free(struct pattern *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->count; i++)
		free(p->segments[i].text);
	free(p->segments);
	free(p->wild_names);
	free(p->method);
	free(p->host);
	free(p->text);
	free(p);
}

// ---- parsing -----------------------------------------------------------------------------------

// Frees what there is of the pattern, and panics; `name` is that of the part that is wrong.
static NORETURN void wrong_name(
	struct pattern *p, size_t offset, const char *what, const char *name, size_t length)
{
	char text[160], quoted[80] = "";
	snprintf(text, sizeof text, "%s", p->text);
	if (name)
		snprintf(
			quoted, sizeof quoted, " \"%.*s\"", (int)(length < 70 ? length : 70), name);
	pattern_free(p);
	tuza_panic("parsing \"%s\": at offset %zu: %s%s", text, offset, what, quoted);
}

static NORETURN void wrong(struct pattern *p, size_t offset, const char *what)
{
	wrong_name(p, offset, what, NULL, 0);
}

static bool is_name(const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)name[i];
		bool letter =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
		if (!letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return length > 0;
}

static void add_segment(struct pattern *p, enum segment_kind kind, const char *text, size_t length)
{
	struct segment *s = &p->segments[p->count];
	s->kind = kind;
	s->text = copy(text, length);
	p->count++;
	if (kind == SEGMENT_LITERAL) {
		ssize_t decoded = percent_decode(s->text, text, length);
		if (decoded >= 0)
			s->text[decoded] = '\0';
		else
			memcpy(s->text, text, length);
	}
	if ((kind == SEGMENT_WILD || kind == SEGMENT_REST) && length > 0)
		p->wild_names[p->wilds++] = s->text;
}

// "{…}", which ends the path if `last`.
static void add_wildcard(struct pattern *p, const char *segment, size_t length, bool last)
{
	size_t offset = (size_t)(segment - p->text);
	if (segment[0] != '{')
		wrong(p, offset, "bad wildcard segment (must start with '{')");
	if (segment[length - 1] != '}')
		wrong(p, offset, "bad wildcard segment (must end with '}')");
	const char *name = segment + 1;
	length -= 2;
	if (length == 1 && *name == '$') {
		if (!last)
			wrong(p, offset, "{$} not at end");
		add_segment(p, SEGMENT_END, "", 0);
		return;
	}
	bool rest = length >= 3 && memcmp(name + length - 3, "...", 3) == 0;
	if (rest)
		length -= 3;
	if (rest && !last)
		wrong(p, offset, "{...} wildcard not at end");
	if (length == 0)
		wrong(p, offset, "empty wildcard");
	if (!is_name(name, length))
		wrong_name(p, offset, "bad wildcard name", name, length);
	for (size_t i = 0; i < p->wilds; i++)
		if (strlen(p->wild_names[i]) == length &&
			memcmp(p->wild_names[i], name, length) == 0)
			wrong_name(p, offset, "duplicate wildcard name", name, length);
	add_segment(p, rest ? SEGMENT_REST : SEGMENT_WILD, name, length);
}

static void parse_path(struct pattern *p, const char *path)
{
	size_t most = 1;
	for (const char *at = path + 1; *at; at++) // it begins with a '/'
		most += *at == '/';
	p->segments = need(calloc(most, sizeof *p->segments));
	p->wild_names = need(calloc(most, sizeof *p->wild_names));
	while (*path) {
		path++; // the '/'
		size_t length = strcspn(path, "/");
		if (*path == '\0')
			add_segment(p, SEGMENT_REST, "", 0);
		else if (memchr(path, '{', length))
			add_wildcard(p, path, length, path[length] == '\0');
		else
			add_segment(p, SEGMENT_LITERAL, path, length);
		path += length;
	}
}

struct pattern *pattern_parse(const char *text)
{
	struct pattern *p = need(calloc(1, sizeof *p));
	p->text = copy(text, strlen(text));
	text = p->text;
	if (*text == '\0')
		wrong(p, 0, "empty pattern");
	size_t method = strcspn(text, " \t");
	const char *rest = text;
	if (text[method] != '\0') {
		if (!is_token(text, method))
			wrong_name(p, 0, "invalid method", text, method);
		rest = text + method + strspn(text + method, " \t");
	} else {
		method = 0;
	}
	p->method = copy(text, method);
	const char *path = strchr(rest, '/');
	if (!path)
		wrong(p, (size_t)(rest - text), "host/path missing /");
	const char *brace = memchr(rest, '{', (size_t)(path - rest));
	if (brace)
		wrong(p, (size_t)(brace - text), "host contains '{' (missing initial '/'?)");
	p->host = copy(rest, (size_t)(path - rest));
	if (method > 0 && strcmp(p->method, "CONNECT") != 0 && !path_is_clean(path))
		wrong(p, (size_t)(path - text),
			"non-CONNECT pattern with unclean path can never match");
	const char *zero = strstr(path, "%00"); // would end a segment early
	if (zero)
		wrong(p, (size_t)(zero - text), "path with %00 can never match");
	parse_path(p, path);
	return p;
}

// ---- comparing ---------------------------------------------------------------------------------

static enum relation both(enum relation a, enum relation b)
{
	return (a | b) & DISJOINT ? DISJOINT : a | b;
}

enum relation pattern_compare_methods(const struct pattern *a, const struct pattern *b)
{
	if (strcmp(a->method, b->method) == 0)
		return SAME;
	bool get_and_head = strcmp(a->method, "GET") == 0 && strcmp(b->method, "HEAD") == 0;
	bool head_and_get = strcmp(a->method, "HEAD") == 0 && strcmp(b->method, "GET") == 0;
	if (*a->method == '\0' || get_and_head)
		return MORE_GENERAL;
	return *b->method == '\0' || head_and_get ? MORE_SPECIFIC : DISJOINT;
}

static enum relation compare_segments(const struct segment *a, const struct segment *b)
{
	if (a->kind == SEGMENT_REST || b->kind == SEGMENT_REST)
		return a->kind == b->kind        ? SAME
		       : a->kind == SEGMENT_REST ? MORE_GENERAL
						 : MORE_SPECIFIC;
	if (a->kind == SEGMENT_END || b->kind == SEGMENT_END)
		return a->kind == b->kind ? SAME : DISJOINT;
	if (a->kind == SEGMENT_WILD || b->kind == SEGMENT_WILD)
		return a->kind == b->kind        ? SAME
		       : a->kind == SEGMENT_WILD ? MORE_GENERAL
						 : MORE_SPECIFIC;
	return strcmp(a->text, b->text) == 0 ? SAME : DISJOINT;
}

enum relation pattern_compare_paths(const struct pattern *a, const struct pattern *b)
{
	size_t shared = a->count < b->count ? a->count : b->count;
	enum relation relation = SAME;
	for (size_t i = 0; i < shared; i++)
		relation = both(relation, compare_segments(&a->segments[i], &b->segments[i]));
	if (a->count == b->count)
		return relation;
	// The shorter one has to take all that the longer one has besides.
	const struct pattern *shorter = a->count < b->count ? a : b;
	if (shorter->segments[shared - 1].kind != SEGMENT_REST)
		return DISJOINT;
	return both(relation, shorter == a ? MORE_GENERAL : MORE_SPECIFIC);
}

bool pattern_conflicts(const struct pattern *a, const struct pattern *b)
{
	if (strcmp(a->host, b->host) != 0)
		return false;
	enum relation relation = both(pattern_compare_methods(a, b), pattern_compare_paths(a, b));
	return relation == SAME || relation == OVERLAP;
}

// Of two segments at the same place of overlapping patterns the one that leaves less open; either
// may be NULL, where that pattern has ended.
static const struct segment *more_special(const struct segment *a, const struct segment *b)
{
	if (!a || !b)
		return a ? a : b;
	if (a->kind == SEGMENT_END || b->kind == SEGMENT_END)
		return a->kind == SEGMENT_END ? a : b;
	return a->kind <= b->kind ? a : b; // literal, one segment, all the rest
}

void pattern_common_path(const struct pattern *a, const struct pattern *b, char *text, size_t bytes)
{
	size_t most = a->count > b->count ? a->count : b->count;
	text[0] = '\0';
	for (size_t i = 0, length = 0; i < most && length < bytes; i++) {
		const struct segment *s = more_special(i < a->count ? &a->segments[i] : NULL,
			i < b->count ? &b->segments[i] : NULL);
		length += (size_t)snprintf(text + length, bytes - length, "/%s",
			s->kind == SEGMENT_END ? "" : s->text);
	}
}
