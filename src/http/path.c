// SPDX-License-Identifier: MIT
// See path.h: one pass over the segments; what is returned lies in the request's arena.
#include "http/path.h"

#include <string.h>

static bool is_dots(const char *segment, size_t length)
{
	return (length == 1 && segment[0] == '.') ||
	       (length == 2 && segment[0] == '.' && segment[1] == '.');
}

size_t path_segment(const char *path)
{
	size_t length = 0;
	while (path[length] && path[length] != '/')
		length++;
	return length;
}

bool path_is_clean(const char *path)
{
	if (*path != '/')
		return false;
	while (*path) {
		path++; // the '/'
		size_t length = path_segment(path);
		if (is_dots(path, length) || (length == 0 && *path == '/'))
			return false;
		path += length;
	}
	return true;
}

char *path_clean(struct arena *a, const char *path)
{
	size_t bytes = strlen(path);
	char *clean = arena_take(a, bytes + 3);
	if (!clean)
		return NULL;
	size_t end = 0; // of what is kept: "" or "/a/b"
	for (const char *at = path; *at;) {
		at += *at == '/';
		size_t length = path_segment(at);
		if (length == 2 && is_dots(at, 2)) {
			while (end > 0 && clean[--end] != '/')
				;
		} else if (length > 0 && !is_dots(at, length)) {
			clean[end++] = '/';
			memcpy(clean + end, at, length);
			end += length;
		}
		at += length;
	}
	if (end == 0 || (bytes > 0 && path[bytes - 1] == '/'))
		clean[end++] = '/';
	clean[end] = '\0';
	return clean;
}

// RFC 3986: what may stand in a path or query as it is, and '%'.
static bool is_plain(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c != '\0' && strchr("-._~!$&'()*+,;=:@/%?", c));
}

static size_t encode(char *to, const char *from)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t n = 0;
	for (; *from; from++) {
		unsigned char c = (unsigned char)*from;
		if (is_plain(c)) {
			to[n++] = (char)c;
			continue;
		}
		to[n++] = '%';
		to[n++] = digits[c >> 4];
		to[n++] = digits[c & 15];
	}
	return n;
}

char *path_location(struct arena *a, const char *path, const char *query)
{
	char *location = arena_take(a, 3 * (strlen(path) + strlen(query)) + 2);
	if (!location)
		return NULL;
	size_t n = encode(location, path);
	if (*query) {
		location[n++] = '?';
		n += encode(location + n, query);
	}
	location[n] = '\0';
	return location;
}
