// SPDX-License-Identifier: MIT
/*
 * Patterns of a mux: "[METHOD ][HOST]/PATH", taken apart and compared.
 */
#ifndef TUZA_HTTP_PATTERN_H
#define TUZA_HTTP_PATTERN_H

#include "base/compiler.h"
#include <tuza/http_server.h>
#include <tuza/panic.h>

enum segment_kind {
	SEGMENT_LITERAL, // `text`, decoded
	SEGMENT_WILD,    // one segment; `text` is its name
	SEGMENT_REST,    // what remains; `text` is its name, "" for a final '/'
	SEGMENT_END,     // {$}: the path ends with the '/' before
};

struct segment {
	enum segment_kind kind;
	char *text;
};

struct pattern {
	char *text;   // as it was given
	char *method; // "": any
	char *host;   // "": any
	struct segment *segments;
	size_t count;
	const char **wild_names; // of those segments that have one, in order
	size_t wilds;
	tuza_http_handler handler;
	void *arg;
};

// What a mux is made of: panics without memory, as it is made before there are requests.
static inline void *need(void *memory)
{
	if (!memory)
		tuza_panic("tuza: out of memory");
	return memory;
}

// Panics in Go's words when the text is wrong or there is no memory.
struct pattern *pattern_parse(const char *text);
void pattern_free(struct pattern *p);

/*
 * How the requests that two patterns match relate. Bits: what holds for a part holds for the whole,
 * unless the parts are DISJOINT.
 */
enum relation {
	SAME = 0,
	MORE_GENERAL = 1, // the first matches all that the second does, and more
	MORE_SPECIFIC = 2,
	OVERLAP = MORE_GENERAL | MORE_SPECIFIC,
	DISJOINT = 4,
};

enum relation pattern_compare_methods(const struct pattern *a, const struct pattern *b);
enum relation pattern_compare_paths(const struct pattern *a, const struct pattern *b);

// Neither of them is to be preferred for some request.
bool pattern_conflicts(const struct pattern *a, const struct pattern *b);
// A path that both match, if there is one, cut to fit; wildcards stand for their names.
void pattern_common_path(
	const struct pattern *a, const struct pattern *b, char *text, size_t bytes);

#endif
