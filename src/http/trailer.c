// SPDX-License-Identifier: MIT
/*
 * The trailers of a request. What frames or routes a message is none: whoever merged it with the
 * headers would see another message than those before him (RFC 9110, 6.5.1).
 *
 * They are kept as they come and become pairs of strings, name and value, when all are there.
 */
#include "http/connection.h"

#include <string.h>

static bool says_what_it_is(const char *name, size_t length)
{
	static const char *const names[] = {
		"Content-Length", "Transfer-Encoding", "Host", "Trailer"};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (same_word(name, length, names[i], strlen(names[i])))
			return true;
	return false;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Appends a string with its NUL. What is written is shorter than what was read.
static char *put(char *to, const char *bytes, size_t count)
{
	memmove(to, bytes, count);
	to[count] = '\0';
	return to + count + 1;
}

// The decoder has seen to the lines: each ends in CR LF and has a colon, the last one is empty.
bool trailers_end(tuza_http_request *r)
{
	struct text *t = &r->trailers;
	char *at = t->bytes, *to = t->bytes, *end = t->bytes + t->length;
	while (end - at > 2) {
		char *line_end = memchr(at, '\r', (size_t)(end - at));
		char *next = line_end + 2;
		char *colon = memchr(at, ':', (size_t)(line_end - at));
		if (!colon || !is_token(at, (size_t)(colon - at)))
			return false;
		char *value = colon + 1;
		while (value < line_end && is_blank(*value))
			value++;
		while (line_end > value && is_blank(line_end[-1]))
			line_end--;
		if (!says_what_it_is(at, (size_t)(colon - at))) {
			to = put(to, at, (size_t)(colon - at));
			to = put(to, value, (size_t)(line_end - value));
		}
		at = next;
	}
	t->length = (size_t)(to - t->bytes);
	return true;
}

EXPORT const char *tuza_http_trailer_at(const tuza_http_request *r, size_t i, const char **value)
{
	if (!r->body.done || !r->head.chunked)
		return NULL;
	const char *at = r->trailers.bytes, *end = at + r->trailers.length;
	while (at < end) {
		const char *its_value = at + strlen(at) + 1;
		if (i-- == 0) {
			if (value)
				*value = its_value;
			return at;
		}
		at = its_value + strlen(its_value) + 1;
	}
	return NULL;
}

EXPORT const char *tuza_http_trailer(const tuza_http_request *r, const char *name)
{
	const char *found, *value;
	for (size_t i = 0; (found = tuza_http_trailer_at(r, i, &value)); i++)
		if (strcasecmp(found, name) == 0)
			return value;
	return NULL;
}
