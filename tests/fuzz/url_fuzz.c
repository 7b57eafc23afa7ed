// SPDX-License-Identifier: MIT
/*
 * Targets of requests, percent-encoding, and clean paths. For libFuzzer (tools/fuzz.sh). The input
 * is a target, or what stands behind the host of one. Besides what the sanitizers find, these must
 * hold:
 *
 *	decoding agrees with a decoder that is as simple as can be, never makes longer, and gives
 *	back what was encoded
 *	a clean path stays as it is, and is the one that going from segment to segment gives
 *	"/path?query" and "http://host/path?query" are the same to us, and nothing is lost
 *	where a redirect to the clean path leads is a path on this host, which we take, too
 */
#include "fuzz.h"

#include "http/path.h"

#include <ctype.h>

// ---- percent -----------------------------------------------------------------------------------

static ssize_t decode_simply(char *to, const char *bytes, size_t count)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++) {
		char hex[3] = "";
		if (bytes[i] == '%') {
			for (size_t j = 0; j < 2; j++) {
				if (++i == count || !isxdigit((unsigned char)bytes[i]))
					return -1;
				hex[j] = bytes[i];
			}
			to[n++] = (char)strtol(hex, NULL, 16);
		} else {
			to[n++] = bytes[i];
		}
	}
	return (ssize_t)n;
}

static void check_same_decoded(const char *a, const char *b)
{
	size_t a_count = strlen(a), b_count = strlen(b);
	char *to_a = malloc(a_count + 1), *to_b = malloc(b_count + 1);
	ssize_t n = percent_decode(to_a, a, a_count);
	MUST(n == percent_decode(to_b, b, b_count));
	MUST(n < 0 || memcmp(to_a, to_b, (size_t)n) == 0);
	free(to_a);
	free(to_b);
}

static void check_percent(const char *given, size_t count)
{
	char *bytes = copy_of(given, count), *to = malloc(count + 1), *simply = malloc(count + 1);
	char *encoded = malloc(3 * count + 1);
	ssize_t n = percent_decode(to, bytes, count);
	MUST(n <= (ssize_t)count);
	MUST(n == decode_simply(simply, bytes, count));
	MUST(n < 0 || memcmp(to, simply, (size_t)n) == 0);
	for (size_t i = 0; i < count; i++)
		sprintf(encoded + 3 * i, i % 2 ? "%%%02x" : "%%%02X", (unsigned char)bytes[i]);
	MUST(percent_decode(encoded, encoded, 3 * count) == (ssize_t)count); // in place
	MUST(memcmp(encoded, bytes, count) == 0);
	MUST(percent_decode(bytes, bytes, count) == n);
	MUST(n < 0 || memcmp(to, bytes, (size_t)n) == 0);
	free(encoded);
	free(simply);
	free(to);
	free(bytes);
}

// ---- clean paths -------------------------------------------------------------------------------

// From segment to segment; for free().
static char *clean_simply(const char *path)
{
	size_t length = strlen(path), depth = 0;
	char *copy = strdup(path), *clean = calloc(1, length + 3), *at = copy;
	const char **kept = calloc(length + 1, sizeof *kept);
	for (const char *segment; (segment = strsep(&at, "/"));) {
		if (strcmp(segment, "..") == 0)
			depth -= depth > 0;
		else if (*segment && strcmp(segment, ".") != 0)
			kept[depth++] = segment;
	}
	for (size_t i = 0; i < depth; i++) {
		strcat(clean, "/");
		strcat(clean, kept[i]);
	}
	if (depth == 0 || (length > 0 && path[length - 1] == '/'))
		strcat(clean, "/");
	free(kept);
	free(copy);
	return clean;
}

static void check_clean(const char *path)
{
	struct arena arena = {0};
	char *simply = clean_simply(path);
	const char *clean = path_clean(&arena, path);
	MUST(strcmp(clean, simply) == 0);
	MUST(path_is_clean(clean));
	MUST(path_is_clean(path) == (strcmp(path, clean) == 0));
	MUST(strcmp(path_clean(&arena, clean), clean) == 0);
	free(simply);
	arena_reset(&arena);
}

// ---- targets -----------------------------------------------------------------------------------

struct parsed {
	struct head head;
	struct field room[4];
	struct arena arena;
	char *bytes;
};

// The status, 0 if it was accepted. parsed_free in each case.
static int parse(struct parsed *p, const char *before, const char *target)
{
	static const struct head_limits limits = {.line = 10000, .bytes = 20000, .fields = 4};
	struct head_scan scan = {0};
	size_t room = strlen(before) + strlen(target) + 100;
	*p = (struct parsed){.bytes = malloc(room)};
	p->head = (struct head){.fields = p->room, .room = COUNT_OF(p->room)};
	int count = snprintf(
		p->bytes, room, "GET %s%s HTTP/1.1\r\nHost: a.example:80\r\n\r\n", before, target);
	ssize_t n = head_scan(&scan, p->bytes, (size_t)count, &limits);
	if (n != count)
		return 400;
	return head_parse(&p->head, &p->arena, p->bytes, (size_t)n, scan.fields);
}

static void parsed_free(struct parsed *p)
{
	arena_reset(&p->arena);
	free(p->bytes);
}

// What was accepted says what its bytes say.
static void check_split(const struct head *h, const char *rest)
{
	size_t path = strcspn(rest, "?");
	MUST(strlen(h->path) == (path ? path : 1));
	MUST(path ? strncmp(h->path, rest, path) == 0 : strcmp(h->path, "/") == 0);
	MUST(strcmp(h->query, rest[path] ? rest + path + 1 : "") == 0);
	MUST(!strchr(rest, '#') && !strstr(h->path, "%00"));
	check_text(h->path, strlen(h->path));
	check_text(h->query, strlen(h->query));
}

static void check_redirect(const struct head *h)
{
	struct parsed again;
	struct arena arena = {0};
	const char *clean = path_clean(&arena, h->path);
	const char *location = path_location(&arena, clean, h->query);
	MUST(location[0] == '/' && location[1] != '/');
	for (const char *at = location; *at; at++)
		MUST(*at > ' ' && *at < 0x7f && !strchr("\\\"<>^`{|}#", *at));
	MUST(parse(&again, "", location) == 0);
	MUST(path_is_clean(again.head.path));
	check_same_decoded(again.head.path, clean);
	check_same_decoded(again.head.query, h->query);
	parsed_free(&again);
	arena_reset(&arena);
}

static void check_target(const char *target)
{
	struct parsed origin, absolute;
	int status = parse(&origin, "", target);
	int other = parse(&absolute, "hTTp://A.example:80", target);
	MUST(!strpbrk(target, " \t") || (status != 0 && other != 0));
	if (*target == '/')
		MUST((status == 0) == (other == 0));
	if (*target == '?') {
		parsed_free(&origin);
		MUST((parse(&origin, "/", target) == 0) == (other == 0));
	}
	if (status == 0)
		check_redirect(&origin.head);
	if (other == 0)
		MUST(strcmp(absolute.head.host, "A.example:80") == 0 || *target != '/');
	if (other == 0 && (*target == '/' || *target == '?'))
		check_split(&absolute.head, target);
	if (status == 0 && *target == '/') {
		check_split(&origin.head, target);
		MUST(strcmp(origin.head.path, absolute.head.path) == 0);
		MUST(strcmp(origin.head.query, absolute.head.query) == 0);
		MUST(strcasecmp(origin.head.host, absolute.head.host) == 0);
	}
	parsed_free(&origin);
	parsed_free(&absolute);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	check_percent((const char *)data, size);
	check_clean(text);
	text[strcspn(text, "\r\n")] = '\0'; // they would end the line
	check_target(text);
	free(text);
	return 0;
}
