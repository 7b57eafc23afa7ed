// SPDX-License-Identifier: MIT
/*
 * The tree of a mux's patterns: a level for the host, one for the method, and one for each segment.
 *
 * A node has children for literals, one for a wildcard, and the pattern whose rest begins here.
 * They are tried in this order, which is from the most specific to the least: patterns of which
 * that cannot be said were refused. A path that fits none of a child's patterns comes back for the
 * next.
 */
#ifndef TUZA_HTTP_TREE_H
#define TUZA_HTTP_TREE_H

#include "http/pattern.h"
#include "http/text.h"

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

// Adds a pattern, which no other conflicts with, to the node of all hosts. Panics without memory.
void tree_add(struct node *hosts, const struct pattern *p);
// NULL is ignored. Patterns are not freed.
void tree_free(struct node *n);

// The node below that has this key; NULL: none.
struct node *tree_child(const struct node *n, const char *key, size_t length);

struct span {
	const char *bytes;
	size_t length;
};

struct matching {
	struct arena *arena;
	struct span *wilds; // what wildcards stand for, encoded; enough for any pattern
	bool no_memory;     // for something: what was found, or not, means nothing
};

/*
 * The pattern that a path finds among those of one host and method, and in m->wilds what its
 * wildcards stand for.
 *
 *   n     may be NULL: it has none.
 *   path  begins with a '/'.
 */
const struct pattern *tree_match(struct matching *m, const struct node *n, const char *path);

// A segment as literals are written: decoded, if it can be.
struct span tree_decoded(struct matching *m, struct span s);

#endif
