// SPDX-License-Identifier: MIT
/*
 * Whatever a client sends: a head, and behind it a chunked body. For libFuzzer (tools/fuzz.sh).
 * Besides what the sanitizers find, these must hold:
 *
 *	how the bytes were cut into pieces on their way changes nothing
 *	what was accepted has one meaning: strings without control characters, one host, one
 *	length, trailers of names and values alone
 */
#include "fuzz.h"

static const struct head_limits limits = {.line = 200, .bytes = 1000, .fields = 20};

static ssize_t scan(const char *bytes, size_t count, size_t step, size_t *fields)
{
	struct head_scan s = {0};
	ssize_t n = 0;
	for (size_t have = 0; n == 0 && have < count;) {
		have = count - have < step ? count : have + step;
		n = head_scan(&s, bytes, have, &limits);
	}
	*fields = s.fields;
	return n;
}

static void check_head(const struct head *h)
{
	size_t hosts = 0, lengths = 0, codings = 0;
	MUST(is_token(h->method, strlen(h->method)));
	check_text(h->target, strcspn(h->target, " \r\n"));
	check_text(h->path, strcspn(h->path, " ?#\r\n"));
	check_text(h->query, strcspn(h->query, " #\r\n"));
	check_text(h->host, strcspn(h->host, " /@\r\n"));
	MUST(h->path[0] == '/' || strcmp(h->path, "*") == 0);
	for (size_t i = 0; i < h->count; i++) {
		const struct field *f = &h->fields[i];
		check_text(f->name, f->name_length);
		MUST(is_token(f->name, f->name_length));
		check_text(f->value, f->value_length);
		hosts += same_word(f->name, f->name_length, "host", 4);
		lengths += same_word(f->name, f->name_length, "content-length", 14);
		codings += same_word(f->name, f->name_length, "transfer-encoding", 17);
	}
	MUST(hosts + (h->minor == 0) >= 1 && hosts <= 1);
	MUST(lengths + codings <= 1);
	MUST(h->chunked == (codings == 1) && h->chunked == (h->length == -1));
	MUST(h->minor == 1 || !h->chunked);
	MUST(lengths == 1 || h->length <= 0);
}

static size_t parse(const char *bytes, size_t count)
{
	size_t fields, fields_of_pieces;
	ssize_t n = scan(bytes, count, count, &fields);
	for (size_t step = 1; step < 8; step += 3) {
		ssize_t m = scan(bytes, count, step, &fields_of_pieces);
		// One mistake may be seen before another.
		MUST(n == m || (n < 0 && m < 0));
		MUST(n <= 0 || fields == fields_of_pieces);
	}
	if (n <= 0)
		return 0;
	struct field room[20];
	struct head h = {.fields = room, .room = 20};
	struct arena arena = {0};
	char *copy = copy_of(bytes, (size_t)n);
	if (head_parse(&h, &arena, copy, (size_t)n, fields) == 0)
		check_head(&h);
	free(copy);
	arena_reset(&arena);
	return (size_t)n;
}

// What comes behind the last chunk.
static void check_trailers_of(const char *bytes, size_t count)
{
	tuza_http_request r = {.body.done = true, .head.chunked = true};
	MUST(text_append(&r.trailers, bytes, count));
	MUST(!trailers_end(&r) || check_trailers(&r) < count);
	text_reset(&r.trailers, 0);
}

// The decoded bytes in `to`; how it ended.
static enum chunked_result decode(
	const char *bytes, size_t count, size_t step, char *to, size_t *length, size_t *used)
{
	size_t trailers = 0;
	struct chunked d = {0};
	enum chunked_result result = CHUNKED_MORE;
	size_t at = 0, have = 0;
	*length = 0;
	while (have < count) {
		have = count - have < step ? count : have + step;
		while (at < have) {
			size_t n;
			result = chunked_step(&d, bytes + at, have - at, &n);
			at += n;
			*used = at;
			if (result == CHUNKED_TRAILERS)
				trailers = at;
			if (result == CHUNKED_END)
				check_trailers_of(bytes + trailers, at - trailers);
			if (result == CHUNKED_END || result == CHUNKED_BAD)
				return result;
			if (result == CHUNKED_DATA) {
				n = d.left < have - at ? (size_t)d.left : have - at;
				if (n == 0)
					break;
				memcpy(to + *length, bytes + at, n);
				*length += n;
				at += n;
				chunked_took(&d, n);
			}
		}
	}
	*used = at;
	return CHUNKED_MORE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	size_t head = size ? parse(bytes, size) : 0;
	bytes += head;
	size -= head;
	char *whole = malloc(size + 1), *pieces = malloc(size + 1);
	size_t length, other, used = 0, other_used = 0;
	enum chunked_result result = decode(bytes, size, size + 1, whole, &length, &used);
	for (size_t step = 1; step < 8; step += 3) {
		MUST(decode(bytes, size, step, pieces, &other, &other_used) == result);
		MUST(length == other && memcmp(whole, pieces, length) == 0);
		MUST(result != CHUNKED_END || used == other_used);
	}
	free(whole);
	free(pieces);
	return 0;
}
