// SPDX-License-Identifier: MIT
/*
 * Bytes in a row, and the headers of a response in such a row: name, NUL, value, NUL for each.
 */
#include "http/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// ---- bytes ------------------------------------------------------------------------------------

static bool make_room(struct bytes *b, size_t count)
{
	size_t used = bytes_count(b);
	if (b->room - b->end >= count)
		return true;
	if (b->start > 0 && b->room - used >= count && b->start >= used) {
		memcpy(b->at, b->at + b->start, used);
	} else {
		size_t room = b->room ? b->room : 1024;
		while (room - used < count)
			room *= 2;
		char *at = malloc(room);
		if (!at)
			return false;
		if (used > 0)
			memcpy(at, b->at + b->start, used);
		free(b->at);
		b->at = at;
		b->room = room;
	}
	b->start = 0;
	b->end = used;
	return true;
}

bool bytes_append(struct bytes *b, const void *from, size_t count)
{
	if (count == 0)
		return true;
	if (!make_room(b, count))
		return false;
	memcpy(b->at + b->end, from, count);
	b->end += count;
	return true;
}

size_t bytes_take(struct bytes *b, void *to, size_t count)
{
	size_t there = bytes_count(b);
	if (count > there)
		count = there;
	if (count > 0)
		memcpy(to, b->at + b->start, count);
	b->start += count;
	if (b->start == b->end)
		b->start = b->end = 0;
	return count;
}

bool bytes_move(struct bytes *to, struct bytes *from)
{
	if (bytes_count(to) == 0) {
		struct bytes swapped = *to;
		*to = *from;
		*from = swapped;
		from->start = from->end = 0;
		return true;
	}
	if (!bytes_append(to, from->at + from->start, bytes_count(from)))
		return false;
	from->start = from->end = 0;
	return true;
}

void bytes_free(struct bytes *b)
{
	free(b->at);
	*b = (struct bytes){0};
}

// ---- headers ----------------------------------------------------------------------------------

void headers_clear(struct headers *h)
{
	h->text.start = h->text.end = 0;
	h->count = 0;
	h->status = 0;
	h->protocol[0] = '\0';
}

void headers_free(struct headers *h)
{
	bytes_free(&h->text);
	headers_clear(h);
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// "HTTP/1.1 200 OK"
static void read_status_line(struct headers *h, const char *line, size_t count)
{
	size_t i = 0;
	headers_clear(h);
	while (i < count && !is_space(line[i]) && i < sizeof h->protocol - 1) {
		h->protocol[i] = line[i];
		i++;
	}
	h->protocol[i] = '\0';
	while (i < count && is_space(line[i]))
		i++;
	for (; i < count && line[i] >= '0' && line[i] <= '9' && h->status < 1000; i++)
		h->status = h->status * 10 + (line[i] - '0');
}

// A status line begins anew. False: out of memory.
bool headers_add_line(struct headers *h, const char *line, size_t count)
{
	if (count >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		read_status_line(h, line, count);
		return true;
	}
	while (count > 0 && is_space(line[count - 1]))
		count--;
	const char *colon = memchr(line, ':', count);
	if (!colon)
		return true; // libcurl has unfolded what is continued; this is none
	const char *value = colon + 1, *end = line + count;
	while (value < end && is_space(*value))
		value++;
	size_t before = h->text.end;
	if (bytes_append(&h->text, line, (size_t)(colon - line)) && bytes_append(&h->text, "", 1) &&
		bytes_append(&h->text, value, (size_t)(end - value)) &&
		bytes_append(&h->text, "", 1)) {
		h->count++;
		return true;
	}
	h->text.end = before;
	return false;
}

bool headers_at(const struct headers *h, size_t i, const char **name, const char **value)
{
	const char *at = h->text.at;
	if (i >= h->count)
		return false;
	while (i-- > 0) {
		at += strlen(at) + 1;
		at += strlen(at) + 1;
	}
	if (name)
		*name = at;
	if (value)
		*value = at + strlen(at) + 1;
	return true;
}

const char *headers_get(const struct headers *h, const char *name)
{
	const char *at = h->text.at;
	for (size_t i = 0; i < h->count; i++) {
		const char *value = at + strlen(at) + 1;
		if (strcasecmp(at, name) == 0)
			return value;
		at = value + strlen(value) + 1;
	}
	return NULL;
}

// Adds the numbers of one header's value, which may be a list of them, to what is agreed on.
static int64_t agree(int64_t length, const char *value)
{
	for (;;) {
		char *end;
		value += strspn(value, " \t");
		if (*value < '0' || *value > '9')
			return -2;
		errno = 0;
		long long n = strtoll(value, &end, 10);
		if (errno || (length >= 0 && n != length))
			return -2;
		length = n;
		value = end + strspn(end, " \t");
		if (*value == '\0')
			return length;
		if (*value++ != ',')
			return -2;
	}
}

int64_t headers_length(const struct headers *h)
{
	const char *at = h->text.at;
	int64_t length = -1;
	for (size_t i = 0; i < h->count && length != -2; i++) {
		const char *value = at + strlen(at) + 1;
		if (strcasecmp(at, "Content-Length") == 0)
			length = agree(length, value);
		at = value + strlen(value) + 1;
	}
	return length;
}
