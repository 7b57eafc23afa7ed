// SPDX-License-Identifier: MIT
// See tree.h. Go: src/net/http/routing_tree.go
#include "http/tree.h"

#include "http/path.h"

#include <stdlib.h>
#include <string.h>

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

struct node *tree_child(const struct node *n, const char *key, size_t length)
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

void tree_free(struct node *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->count; i++)
		tree_free(n->children[i].node);
	tree_free(n->wild);
	free(n->children);
	free(n);
}

void tree_add(struct node *hosts, const struct pattern *p)
{
	struct node *n = make_child(make_child(hosts, p->host), p->method);
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

// ---- matching ----------------------------------------------------------------------------------

struct span tree_decoded(struct matching *m, struct span s)
{
	// NOLINTNEXTLINE(clang-analyzer-*): as many as a pattern has were filled when it matched
	if (!memchr(s.bytes, '%', s.length))
		return s;
	char *bytes = arena_take(m->arena, s.length + 1);
	m->no_memory |= !bytes;
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
			struct span key = tree_decoded(m, segment);
			p = memchr(key.bytes, '\0', key.length)
				    ? NULL
				    : match(m, tree_child(n, key.bytes, key.length), next, depth);
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

const struct pattern *tree_match(struct matching *m, const struct node *n, const char *path)
{
	return match(m, n, path, 0);
}
