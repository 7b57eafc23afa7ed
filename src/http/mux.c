// SPDX-License-Identifier: MIT
/*
 * The mux: patterns in a tree, a level for the host, one for the method, and one for each segment.
 *
 * A node has children for literals, one for a wildcard, and the pattern whose rest begins here.
 * They are tried in this order, which is from the most specific to the least: patterns of which
 * that cannot be said were refused. A path that fits none of a child's patterns comes back for the
 * next.
 *
 * Go: src/net/http/server.go, ServeMux; routing_tree.go
 */
#include "http/connection.h"
#include "http/path.h"
#include "http/pattern.h"

#include <tuza/panic.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node;

struct child {
	const char *key; // a part of a pattern
	size_t length;   // of that
	struct node *node;
};

struct node {
	struct child *children; // sorted by key
	size_t count;
	struct node *wild;           // children of any segment
	const struct pattern *rest;  // matches all that follows
	const struct pattern *here;  // matches when nothing follows
	const struct pattern *slash; // … but a '/'
};

struct tuza_http_mux {
	struct node *hosts; // children by host, theirs by method, and then paths; "" is any
	struct pattern **patterns;
	size_t count;
	size_t most_wilds; // of a pattern
};

// ---- building ----------------------------------------------------------------------------------

// The child of that key, or NULL; *at: where it is among the children, or would be.
static const struct child *look_up(const struct node *n, const char *key, size_t length, size_t *at)
{
	size_t low = 0, high = n->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct child *c = &n->children[middle];
		int order = memcmp(c->key, key, c->length < length ? c->length : length);
		if (order == 0 && c->length == length) {
			*at = middle;
			return c;
		}
		if (order < 0 || (order == 0 && c->length < length))
			low = middle + 1;
		else
			high = middle;
	}
	*at = low;
	return NULL;
}

static struct node *find_child(const struct node *n, const char *key, size_t length)
{
	size_t at;
	const struct child *c = look_up(n, key, length, &at);
	return c ? c->node : NULL;
}

static struct node *make_child(struct node *n, const char *key)
{
	size_t i, length = strlen(key);
	const struct child *found = look_up(n, key, length, &i);
	if (found)
		return found->node;
	struct child *children = need(realloc(n->children, (n->count + 1) * sizeof *children));
	n->children = children;
	struct node *child = need(calloc(1, sizeof *child));
	memmove(children + i + 1, children + i, (n->count - i) * sizeof *children);
	children[i] = (struct child){key, length, child};
	n->count++;
	return child;
}

static void free_node(struct node *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->count; i++)
		free_node(n->children[i].node);
	free_node(n->wild);
	free(n->children);
	free(n);
}

EXPORT tuza_http_mux *tuza_http_mux_new(void)
{
	tuza_http_mux *mux = need(calloc(1, sizeof *mux));
	mux->hosts = calloc(1, sizeof *mux->hosts);
	if (!mux->hosts) {
		free(mux);
		mux = NULL;
	}
	return need(mux);
}

EXPORT void tuza_http_mux_free(tuza_http_mux *mux)
{
	if (!mux)
		return;
	free_node(mux->hosts);
	for (size_t i = 0; i < mux->count; i++)
		pattern_free(mux->patterns[i]);
	free(mux->patterns);
	free(mux);
}

static void add(tuza_http_mux *mux, const struct pattern *p)
{
	struct node *n = make_child(make_child(mux->hosts, p->host), p->method);
	for (size_t i = 0; i < p->count; i++) {
		switch (p->segments[i].kind) {
		case SEGMENT_LITERAL:
			n = make_child(n, p->segments[i].text);
			break;
		case SEGMENT_WILD:
			if (!n->wild)
				n->wild = need(calloc(1, sizeof *n->wild));
			n = n->wild;
			break;
		case SEGMENT_REST:
			n->rest = p;
			return;
		case SEGMENT_END:
			n->slash = p;
			return;
		}
	}
	n->here = p;
}

static NORETURN void refuse(struct pattern *p, const struct pattern *other)
{
	enum relation methods = pattern_compare_methods(p, other);
	enum relation paths = pattern_compare_paths(p, other);
	char text[100], path[200], reason[300];

	if (methods == SAME && paths == SAME) {
		snprintf(reason, sizeof reason, "they match the same requests");
	} else if (methods == MORE_SPECIFIC && paths == MORE_GENERAL) {
		snprintf(reason, sizeof reason,
			"it matches fewer methods, but has a more general path pattern");
	} else if (methods == MORE_GENERAL && paths == MORE_SPECIFIC) {
		snprintf(reason, sizeof reason,
			"it matches more methods, but has a more specific path pattern");
	} else {
		pattern_common_path(p, other, path, sizeof path);
		snprintf(reason, sizeof reason,
			"both match some paths, like \"%s\", but neither is more specific than the "
			"other",
			path);
	}
	snprintf(text, sizeof text, "%s", p->text);
	pattern_free(p);
	tuza_panic(
		"pattern \"%s\" conflicts with pattern \"%.100s\": %s", text, other->text, reason);
}

EXPORT void tuza_http_handle(
	tuza_http_mux *mux, const char *pattern, tuza_http_handler handler, void *arg)
{
	if (!handler)
		tuza_panic("http: nil handler");
	struct pattern *p = pattern_parse(pattern);
	p->handler = handler;
	p->arg = arg;
	for (size_t i = 0; i < mux->count; i++)
		if (pattern_conflicts(p, mux->patterns[i]))
			refuse(p, mux->patterns[i]);
	struct pattern **patterns =
		realloc(mux->patterns, (mux->count + 1) * sizeof *mux->patterns);
	if (!patterns)
		pattern_free(p);
	mux->patterns = need(patterns);
	mux->patterns[mux->count++] = p;
	if (p->wilds > mux->most_wilds)
		mux->most_wilds = p->wilds;
	add(mux, p);
}

// ---- matching ----------------------------------------------------------------------------------

struct span {
	const char *bytes;
	size_t length;
};

enum { WILDS_ON_STACK = 16 };

struct matching {
	struct arena *arena;
	struct span *wilds; // what wildcards stand for, encoded; enough for any pattern
};

// A segment as literals are written: decoded, if it can be.
static struct span decoded(struct arena *a, struct span s)
{
	// NOLINTNEXTLINE(clang-analyzer-*): as many as a pattern has were filled when it matched
	if (!memchr(s.bytes, '%', s.length))
		return s;
	char *bytes = arena_take(a, s.length + 1);
	ssize_t length = bytes ? percent_decode(bytes, s.bytes, s.length) : -1;
	return length < 0 ? s : (struct span){bytes, (size_t)length};
}

// `path` is what follows, with its '/', or "". `depth` wildcards were passed.
static const struct pattern *match(
	struct matching *m, const struct node *n, const char *path, size_t depth)
{
	if (!n)
		return NULL;
	if (*path == '\0')
		return n->here;
	const struct pattern *p = NULL;
	struct span segment = {path + 1, path_segment(path + 1)};
	if (path[1] == '\0') {
		if (n->slash)
			return n->slash;
	} else {
		const char *next = path + 1 + segment.length;
		if (n->count > 0) {
			struct span key = decoded(m->arena, segment);
			p = memchr(key.bytes, '\0', key.length)
				    ? NULL
				    : match(m, find_child(n, key.bytes, key.length), next, depth);
		}
		if (!p && n->wild) {
			m->wilds[depth] = segment;
			p = match(m, n->wild, next, depth + 1);
		}
	}
	if (p || !n->rest)
		return p;
	if (n->rest->wilds > depth)
		m->wilds[depth] = (struct span){path + 1, strlen(path + 1)};
	return n->rest;
}

static const struct pattern *match_method(
	struct matching *m, const struct node *methods, const char *method, const char *path)
{
	const struct pattern *p;
	if (!methods)
		return NULL;
	p = match(m, find_child(methods, method, strlen(method)), path, 0);
	if (!p && strcmp(method, "HEAD") == 0)
		p = match(m, find_child(methods, "GET", 3), path, 0);
	return p ? p : match(m, find_child(methods, "", 0), path, 0);
}

// Without a port. "[::1]:80" is "[::1]".
static size_t host_length(const char *host)
{
	const char *end = *host == '[' ? strchr(host, ']') : NULL;
	const char *colon = strchr(end ? end : host, ':');
	return colon ? (size_t)(colon - host) : strlen(host);
}

static const struct pattern *find(
	tuza_http_mux *mux, struct matching *m, const tuza_http_request *r, const char *path)
{
	const char *method = r->head.method;
	const struct pattern *p = NULL;
	// Sorted: "" comes first, and is alone where no pattern names a host.
	bool may_name_it = mux->hosts->count > 1 ||
			   (mux->hosts->count > 0 && mux->hosts->children[0].length > 0);
	size_t length = may_name_it ? host_length(r->head.host) : 0;
	if (length > 0)
		p = match_method(m, find_child(mux->hosts, r->head.host, length), method, path);
	return p ? p : match_method(m, find_child(mux->hosts, "", 0), method, path);
}

// ---- serving -----------------------------------------------------------------------------------

// Adds methods that have a pattern for the path; children are sorted, and so is the list.
static bool add_allowed(
	struct matching *m, const struct node *methods, const char *path, struct text *list)
{
	bool fits = true, get = false;
	for (size_t i = 0; fits && methods && i < methods->count; i++) {
		const char *method = methods->children[i].key;
		if (!match(m, methods->children[i].node, path, 0) ||
			(get && strcmp(method, "HEAD") == 0))
			continue;
		get |= strcmp(method, "GET") == 0;
		fits = text_printf(list, "%s%s%s", list->length ? ", " : "", method,
			strcmp(method, "GET") == 0 ? ", HEAD" : "");
	}
	return fits;
}

static void nothing_found(tuza_http_mux *mux, struct matching *m, tuza_http_writer *w,
	tuza_http_request *r, const char *path)
{
	struct text list = {NULL, 0, 0};
	size_t length = host_length(r->head.host);
	const struct node *methods = length ? find_child(mux->hosts, r->head.host, length) : NULL;
	bool fits = add_allowed(m, methods, path, &list);
	// Methods of a host that has its own patterns, and of the others.
	if (fits && list.length == 0)
		fits = add_allowed(m, find_child(mux->hosts, "", 0), path, &list);
	if (fits && list.length > 0 && text_append(&list, "", 1)) {
		(void)tuza_http_set_header(w, "Allow", list.bytes);
		(void)tuza_http_error(w, 405, NULL);
	} else {
		(void)tuza_http_error(w, 404, "404 page not found");
	}
	text_reset(&list, 0);
}

// A pattern that takes a path as it is, rather than as one of those below a '/'.
static bool is_exact(const struct pattern *p, const char *path)
{
	if (!p)
		return false;
	const struct segment *last = &p->segments[p->count - 1];
	if (last->kind != SEGMENT_REST || *last->text)
		return true;
	size_t slashes = 0;
	for (const char *at = path; *at; at++)
		slashes += *at == '/';
	return slashes == p->count && path[strlen(path) - 1] == '/';
}

static bool set_wilds(struct matching *m, const struct pattern *p, tuza_http_request *r)
{
	if (p->wilds == 0)
		return true;
	r->wild_values = arena_take(m->arena, p->wilds * sizeof *r->wild_values);
	if (!r->wild_values)
		return false;
	for (size_t i = 0; i < p->wilds; i++) {
		struct span value = decoded(m->arena, m->wilds[i]);
		r->wild_values[i] = arena_copy(m->arena, value.bytes, value.length);
		if (!r->wild_values[i])
			return false;
	}
	r->wild_names = p->wild_names;
	r->wilds = p->wilds;
	return true;
}

static void redirect(tuza_http_writer *w, tuza_http_request *r, const char *path)
{
	const char *location = path_location(&r->arena, path, r->head.query);
	(void)(location ? tuza_http_redirect(w, location, 307) : tuza_http_error(w, 503, NULL));
}

EXPORT void tuza_http_mux_serve(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	tuza_http_mux *mux = arg;
	struct span few[WILDS_ON_STACK];
	struct matching m = {&r->arena, few};
	if (*r->head.path != '/')
		return; // OPTIONS *: yes, we are here
	const char *path = r->head.path;
	bool clean = path_is_clean(path);
	if (mux->most_wilds > WILDS_ON_STACK)
		m.wilds = arena_take(&r->arena, mux->most_wilds * sizeof *m.wilds);
	if (!clean)
		path = path_clean(&r->arena, path);
	if (!m.wilds || !path) {
		(void)tuza_http_error(w, 503, NULL);
		return;
	}
	const struct pattern *p = find(mux, &m, r, path);
	size_t length = strlen(path);
	if (!is_exact(p, path) && path[length - 1] != '/') {
		char *longer = arena_take(&r->arena, length + 2);
		if (longer) {
			memcpy(longer, path, length);
			longer[length] = '/';
			longer[length + 1] = '\0';
			if (is_exact(find(mux, &m, r, longer), longer)) {
				redirect(w, r, longer);
				return;
			}
			p = find(mux, &m, r, path); // its wildcards again
		}
	}
	if (!clean)
		redirect(w, r, path);
	else if (!p)
		nothing_found(mux, &m, w, r, path);
	else if (!set_wilds(&m, p, r))
		(void)tuza_http_error(w, 503, NULL);
	else {
		r->pattern = p->text;
		p->handler(w, r, p->arg);
	}
}
