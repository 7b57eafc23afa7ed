// SPDX-License-Identifier: MIT
/*
 * The corpus of requests (corpus.txt) as data, and answers as one line of text.
 *
 * In the file, `#` begins a comment line; an entry is
 *
 *	[name]
 *	> bytes, with \r \n \t \0 \\ \xHH and \<COUNT*TEXT>; further lines with > follow directly
 *	= what tuza answers: statuses, "/" and the length of the body it has understood
 *	. nothing: the bytes are all, and the connection stays open
 *	nginx: why nginx may answer otherwise
 *	haproxy: the same
 *
 * Behind the bytes of each other entry goes a request that everybody understands and that ends the
 * connection: so it can be seen where they took the entry to end.
 */
#ifndef TUZA_HTTP_CORPUS_H
#define TUZA_HTTP_CORPUS_H

#include "http_support.h"

enum { CORPUS_MOST = 400, ENTRY_LINE = 2048, WORDS_BYTES = 256 };

struct entry {
	char name[64];
	char *bytes; // malloc
	size_t count, room;
	char want[WORDS_BYTES];
	bool is_all;        // nothing goes behind it
	bool may_differ[2]; // nginx, haproxy
};

static const char corpus_last[] = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

// ---- reading the file --------------------------------------------------------------------------

static void entry_add(struct entry *e, const char *bytes, size_t count)
{
	// Byte by byte AddressSanitizer's would keep gigabytes of what was there before.
	if (e->count + count + 1 > e->room) {
		e->room = 2 * (e->count + count + 1);
		e->bytes = realloc(e->bytes, e->room);
	}
	memcpy(e->bytes + e->count, bytes, count);
	e->count += count;
	e->bytes[e->count] = '\0';
}

// The byte that an escape stands for; moves on behind it.
static char escaped(const char **at)
{
	const char *p = *at;
	unsigned byte = (unsigned char)*p;
	*at = p + 1;
	switch (*p) {
	case 'r':
		return '\r';
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case '0':
		return '\0';
	case 'x':
		CHECK_EQ(sscanf(p + 1, "%2x", &byte), 1);
		*at = p + 3;
		return (char)byte;
	default:
		return (char)byte; // the backslash
	}
}

static size_t unescape(const char *text, const char *end, char *to)
{
	size_t n = 0;
	while (text < end) {
		char c = *text++;
		to[n++] = c == '\\' ? escaped(&text) : c;
	}
	return n;
}

static void entry_add_line(struct entry *e, const char *line)
{
	char bytes[ENTRY_LINE];
	const char *repeat;
	while ((repeat = strstr(line, "\\<"))) {
		entry_add(e, bytes, unescape(line, repeat, bytes));
		char *star;
		unsigned long times = strtoul(repeat + 2, &star, 10);
		const char *end = strchr(star, '>');
		if (!CHECK(*star == '*' && end))
			return;
		size_t n = unescape(star + 1, end, bytes);
		while (times-- > 0)
			entry_add(e, bytes, n);
		line = end + 1;
	}
	entry_add(e, bytes, unescape(line, line + strlen(line), bytes));
}

// Returns how many there are.
static size_t corpus_read(struct entry *entries)
{
	char path[512], line[ENTRY_LINE];
	size_t n = 0;
	snprintf(path, sizeof path, "%.*s/corpus.txt", (int)(strrchr(__FILE__, '/') - __FILE__),
		__FILE__);
	FILE *f = fopen(path, "re");
	if (!CHECK(f != NULL))
		return 0;
	while (fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		struct entry *e = n ? &entries[n - 1] : NULL;
		if (line[0] == '[' && CHECK(n < CORPUS_MOST)) {
			e = &entries[n++];
			*e = (struct entry){.bytes = NULL};
			snprintf(e->name, sizeof e->name, "%.*s", (int)strcspn(line + 1, "]"),
				line + 1);
		} else if (e && strncmp(line, "> ", 2) == 0) {
			entry_add_line(e, line + 2);
		} else if (e && strncmp(line, "= ", 2) == 0) {
			snprintf(e->want, sizeof e->want, "%.200s", line + 2);
		} else if (e && line[0] == '.') {
			e->is_all = true;
		} else if (e && strncmp(line, "nginx: ", 7) == 0) {
			e->may_differ[0] = true;
		} else if (e && strncmp(line, "haproxy: ", 9) == 0) {
			e->may_differ[1] = true;
		} else if (line[0] && line[0] != '#') {
			CHECK_STR(line, "a line of the corpus");
		}
	}
	fclose(f);
	for (size_t i = 0; i < n; i++)
		if (!entries[i].is_all)
			entry_add(&entries[i], corpus_last, sizeof corpus_last - 1);
	return n;
}

// ---- answers in words --------------------------------------------------------------------------

// Where the answer that begins at `at` ends; NULL: that is no answer.
static const char *answer_end(const char *at, const char *end)
{
	const char *body = strstr(at, "\r\n\r\n");
	if (!body)
		return NULL;
	body += 4;
	const char *length = strcasestr(at, "\r\nContent-Length:");
	if (length && length < body) {
		size_t n = strtoul(length + 17, NULL, 10);
		return (size_t)(end - body) < n ? end : body + n;
	}
	const char *chunked = strcasestr(at, "\r\nTransfer-Encoding: chunked");
	if (chunked && chunked < body) {
		const char *last = strstr(body - 2, "\r\n0\r\n\r\n");
		return last ? last + 7 : end;
	}
	return strncmp(at + 9, "1", 1) == 0 ? body : end;
}

// "200/5 400": statuses, with the X-Body of those that have one.
static void describe_answers(const char *at, const char *end, char *words, size_t room)
{
	size_t n = 0;
	words[0] = '\0';
	while (at && at < end && n + 32 < room) {
		int status = 0;
		if (sscanf(at, "HTTP/1.%*1d %d", &status) != 1) {
			snprintf(words + n, room - n, "%s?", n ? " " : "");
			return;
		}
		const char *next = answer_end(at, end);
		const char *body = strcasestr(at, "\r\nX-Body: ");
		if (status >= 200) {
			n += (size_t)snprintf(words + n, room - n, "%s%d", n ? " " : "", status);
			if (body && (!next || body < next))
				n += (size_t)snprintf(
					words + n, room - n, "/%lu", strtoul(body + 10, NULL, 10));
		}
		at = next;
	}
}

// What it means: "A5" is accepted with a body of 5 bytes, "R" refused, or not answered.
static void meaning_of(const char *words, char *meaning)
{
	char *to = meaning;
	for (const char *at = words; *at;) {
		size_t n = strcspn(at, " ");
		if (to > meaning)
			*to++ = ' ';
		*to++ = *at == '2' ? 'A' : 'R';
		if (*at == '2' && n > 4) {
			memcpy(to, at + 4, n - 4);
			to += n - 4;
		}
		at += n + strspn(at + n, " ");
	}
	if (to == meaning)
		*to++ = 'R';
	*to = '\0';
}

#endif
