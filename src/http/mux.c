// SPDX-License-Identifier: MIT
/*
 * The mux: its patterns, which of them a request finds, and what it is answered when that is none.
 *
 * Go: src/net/http/server.go, ServeMux
 */
#include "http/connection.h"
#include "http/path.h"
#include "http/pattern.h"
#include "http/tree.h"

#include <tuza/panic.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tuza_http_mux {
	struct node *hosts; // children by host, theirs by method, and then paths; "" is any
	struct pattern **patterns;
	size_t count;
	size_t most_wilds; // of a pattern
};

// ---- building ----------------------------------------------------------------------------------

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
	tree_free(mux->hosts);
	for (size_t i = 0; i < mux->count; i++)
		pattern_free(mux->patterns[i]);
	free(mux->patterns);
	free(mux);
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
	tree_add(mux->hosts, p);
}

// ---- matching ----------------------------------------------------------------------------------

enum { WILDS_ON_STACK = 16 };

static const struct pattern *match_method(
	struct matching *m, const struct node *methods, const char *method, const char *path)
{
	const struct pattern *p;
	if (!methods)
		return NULL;
	p = tree_match(m, tree_child(methods, method, strlen(method)), path);
	if (!p && strcmp(method, "HEAD") == 0)
		p = tree_match(m, tree_child(methods, "GET", 3), path);
	return p ? p : tree_match(m, tree_child(methods, "", 0), path);
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
		p = match_method(m, tree_child(mux->hosts, r->head.host, length), method, path);
	return p ? p : match_method(m, tree_child(mux->hosts, "", 0), method, path);
}

// ---- serving -----------------------------------------------------------------------------------

// The path with a '/' behind it; NULL: no memory.
static char *with_slash(struct matching *m, const char *path)
{
	size_t length = strlen(path);
	char *longer = arena_take(m->arena, length + 2);
	if (longer) {
		memcpy(longer, path, length);
		longer[length] = '/';
		longer[length + 1] = '\0';
	}
	m->no_memory |= !longer;
	return longer;
}

static bool ends_in_slash(const char *path) { return path[strlen(path) - 1] == '/'; }

// Methods, sorted; each once.
struct methods {
	const char **names;
	size_t count;
};

static void add_method(struct methods *all, const char *name)
{
	size_t i = all->count;
	while (i > 0 && strcmp(all->names[i - 1], name) > 0)
		i--;
	if (i > 0 && strcmp(all->names[i - 1], name) == 0)
		return;
	memmove(all->names + i + 1, all->names + i, (all->count - i) * sizeof *all->names);
	all->names[i] = name;
	all->count++;
}

// Adds those that have a pattern for the path.
static void add_allowed(
	struct matching *m, const struct node *methods, const char *path, struct methods *all)
{
	for (size_t i = 0; methods && i < methods->count; i++)
		if (tree_match(m, methods->children[i].node, path))
			add_method(all, methods->children[i].key);
}

/*
 * A method is allowed if a request with it would have been answered: by a pattern of the host or of
 * all hosts, or by being sent to the path with a '/'.
 */
static bool find_allowed(tuza_http_mux *mux, struct matching *m, const tuza_http_request *r,
	const char *path, struct methods *all)
{
	size_t length = host_length(r->head.host);
	const struct node *of_host = length ? tree_child(mux->hosts, r->head.host, length) : NULL,
			  *of_any = tree_child(mux->hosts, "", 0);
	size_t most = 1 + (of_host ? of_host->count : 0) + (of_any ? of_any->count : 0);
	const char *paths[2] = {path, ends_in_slash(path) ? NULL : with_slash(m, path)};
	*all = (struct methods){arena_take(m->arena, most * sizeof *all->names), 0};
	if (!all->names)
		return false;
	for (size_t i = 0; i < COUNT_OF(paths) && paths[i]; i++) {
		add_allowed(m, of_host, paths[i], all);
		add_allowed(m, of_any, paths[i], all);
	}
	for (size_t i = 0; i < all->count; i++)
		if (strcmp(all->names[i], "GET") == 0) {
			add_method(all, "HEAD");
			break;
		}
	return !m->no_memory;
}

static void nothing_found(tuza_http_mux *mux, struct matching *m, tuza_http_writer *w,
	tuza_http_request *r, const char *path)
{
	struct methods all;
	struct text list = {NULL, 0, 0};
	bool fits = find_allowed(mux, m, r, path, &all);
	for (size_t i = 0; fits && i < all.count; i++)
		fits = text_printf(&list, "%s%s", i ? ", " : "", all.names[i]);
	if (!fits || !text_append(&list, "", 1)) {
		(void)tuza_http_error(w, 503, NULL);
	} else if (all.count > 0) {
		int error = tuza_http_set_header(w, "Allow", list.bytes);
		(void)tuza_http_error(w, error ? 503 : 405, NULL);
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
	if (p->segments[p->count - 1].kind != SEGMENT_REST)
		return true;
	size_t slashes = 0;
	for (const char *at = path; *at; at++)
		slashes += *at == '/';
	return slashes == p->count && ends_in_slash(path);
}

static bool set_wilds(struct matching *m, const struct pattern *p, tuza_http_request *r)
{
	if (p->wilds == 0)
		return true;
	r->wild_values = arena_take(m->arena, p->wilds * sizeof *r->wild_values);
	if (!r->wild_values)
		return false;
	for (size_t i = 0; i < p->wilds; i++) {
		struct span value = tree_decoded(m, m->wilds[i]);
		r->wild_values[i] = arena_copy(m->arena, value.bytes, value.length);
		if (!r->wild_values[i])
			return false;
	}
	if (m->no_memory)
		return false;
	r->wild_names = p->wild_names;
	r->wilds = p->wilds;
	return true;
}

static void redirect(tuza_http_writer *w, tuza_http_request *r, const char *path)
{
	const char *location = path_location(&r->arena, path, r->head.query);
	if (!location || tuza_http_redirect(w, location, 307) == -ENOMEM)
		(void)tuza_http_error(w, 503, NULL);
}

EXPORT void tuza_http_mux_serve(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	tuza_http_mux *mux = arg;
	struct span few[WILDS_ON_STACK];
	struct matching m = {&r->arena, few, false};
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
	if (!is_exact(p, path) && !ends_in_slash(path)) {
		const char *longer = with_slash(&m, path);
		if (longer && is_exact(find(mux, &m, r, longer), longer)) {
			path = longer;
			clean = false;
		} else if (p && p->wilds > 0) {
			p = find(mux, &m, r, path); // they were overwritten
		}
	}
	if (m.no_memory || (clean && p && !set_wilds(&m, p, r))) {
		(void)tuza_http_error(w, 503, NULL);
	} else if (!clean) {
		redirect(w, r, path);
	} else if (!p) {
		nothing_found(mux, &m, w, r, path);
	} else {
		r->pattern = p->text;
		p->handler(w, r, p->arg);
	}
}
