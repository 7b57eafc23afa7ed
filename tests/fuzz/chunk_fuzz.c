// SPDX-License-Identifier: MIT
/*
 * A body in chunks, read as a handler does, from a connection that gives it in arbitrary pieces.
 * For libFuzzer (tools/fuzz.sh). The input's first byte says how many of the next are lengths of
 * pieces and of reads, in turn and again and again; the body is behind them. What the server reads
 * with, body.c, is given this connection instead of one of the library's.
 *
 * Besides what the sanitizers find, a decoder that is as simple as can be must agree: the same
 * bytes, accepted or refused, the same trailers; and nothing is taken of what follows the body.
 */
#include "fuzz.h"

#include <errno.h>

// ---- a connection ------------------------------------------------------------------------------

struct tuza_conn {
	const char *bytes; // where it is
	size_t left;
	const unsigned char *cuts;
	size_t cut_count, cut;
};

static size_t next_cut(tuza_conn *c)
{
	return c->cut_count ? c->cuts[c->cut++ % c->cut_count] + 1U : SIZE_MAX;
}

ssize_t tuza_conn_read(tuza_conn *c, void *bytes, size_t count)
{
	size_t n = next_cut(c);
	MUST(count > 0);
	n = n < count ? n : count;
	n = n < c->left ? n : c->left;
	memcpy(bytes, c->bytes, n);
	c->bytes += n;
	c->left -= n;
	return (ssize_t)n;
}

int tuza_conn_set_read_deadline(tuza_conn *c, int64_t deadline)
{
	(void)c, (void)deadline;
	return 0;
}

int64_t tuza_now(void) { return 0; }

int writer_continue(tuza_http_writer *w)
{
	(void)w;
	return 0;
}

static int overs; // how often the body was over

void request_body_over(tuza_http_request *r)
{
	(void)r;
	overs++;
}

// ---- the simple decoder ------------------------------------------------------------------------

// All trailers together may have 8 KiB, and what is around chunks 16 KiB more than they need, which
// no input has (tools/fuzz.sh).

enum verdict { WHOLE, INCOMPLETE, REFUSED };

struct simple {
	const char *at, *end;
	char *body;
	size_t length;
	struct text trailers; // "name\0value\0" each
	bool bad_name;
};

static int peek(const struct simple *s) { return s->at < s->end ? (unsigned char)*s->at : -1; }

static enum verdict expect(struct simple *s, int c)
{
	if (peek(s) != c)
		return peek(s) < 0 ? INCOMPLETE : REFUSED;
	s->at++;
	return WHOLE;
}

static enum verdict line_end(struct simple *s)
{
	enum verdict v = expect(s, '\r');
	return v == WHOLE ? expect(s, '\n') : v;
}

static bool is_text(int c) { return c == '\t' || (c >= ' ' && c != 0x7f); }

static enum verdict size_line(struct simple *s, uint64_t *size)
{
	static const char digits[] = "0123456789abcdef";
	int count = 0;
	const char *digit;
	*size = 0;
	for (int c; (c = peek(s)) > 0; s->at++, count++) {
		digit = strchr(digits, c >= 'A' && c <= 'F' ? c + 'a' - 'A' : c);
		if (!digit)
			break;
		if (count == 15)
			return REFUSED;
		*size = *size * 16 + (uint64_t)(digit - digits);
	}
	if (count > 0 && peek(s) == ';') {
		s->at++;
		for (int extension = 1; is_text(peek(s)); s->at++, extension++)
			if (extension == 256 && s->at + 1 < s->end)
				return REFUSED; // no room for the CR
	}
	if (count == 0)
		return peek(s) < 0 ? INCOMPLETE : REFUSED;
	return line_end(s);
}

static enum verdict one_trailer(struct simple *s)
{
	const char *name = s->at;
	while (peek(s) != ':') {
		if (peek(s) < 0)
			return INCOMPLETE;
		if (!is_text(peek(s)) || peek(s) == ' ' || peek(s) == '\t')
			return REFUSED;
		s->at++;
	}
	size_t name_length = (size_t)(s->at - name);
	if (name_length == 0)
		return REFUSED;
	const char *value = ++s->at;
	while (is_text(peek(s)))
		s->at++;
	const char *value_end = s->at;
	enum verdict v = line_end(s);
	if (v != WHOLE)
		return v;
	while (value < value_end && (*value == ' ' || *value == '\t'))
		value++;
	while (value_end > value && (value_end[-1] == ' ' || value_end[-1] == '\t'))
		value_end--;
	s->bad_name |= !is_token(name, name_length);
	static const char *const never[] = {
		"content-length", "transfer-encoding", "host", "trailer"};
	for (size_t i = 0; i < COUNT_OF(never); i++)
		if (same_word(name, name_length, never[i], strlen(never[i])))
			return WHOLE;
	MUST(text_append(&s->trailers, name, name_length) && text_append(&s->trailers, "", 1));
	MUST(text_append(&s->trailers, value, (size_t)(value_end - value)) &&
		text_append(&s->trailers, "", 1));
	return WHOLE;
}

static enum verdict decode(struct simple *s)
{
	uint64_t size = 1;
	enum verdict v = WHOLE;
	while (v == WHOLE && (v = size_line(s, &size)) == WHOLE && size > 0) {
		size_t n = (uint64_t)(s->end - s->at) < size ? (size_t)(s->end - s->at) : size;
		memcpy(s->body + s->length, s->at, n);
		s->length += n;
		s->at += n;
		v = n < size ? INCOMPLETE : line_end(s);
	}
	while (v == WHOLE && peek(s) >= 0 && peek(s) != '\r')
		v = one_trailer(s);
	if (v == WHOLE)
		v = line_end(s);
	return v == WHOLE && s->bad_name ? REFUSED : v;
}

// ---- the server's ------------------------------------------------------------------------------

static void check_same_trailers(const tuza_http_request *r, const struct text *simple)
{
	const char *name, *value;
	size_t at = 0;
	for (size_t i = 0; (name = tuza_http_trailer_at(r, i, &value)); i++) {
		MUST(at < simple->length && strcmp(name, simple->bytes + at) == 0);
		at += strlen(name) + 1;
		MUST(strcmp(value, simple->bytes + at) == 0);
		at += strlen(value) + 1;
	}
	MUST(at == simple->length);
	(void)check_trailers(r);
}

// Reads all there is; how it ended. How much was read is in *length.
static ssize_t read_all(tuza_http_request *r, tuza_conn *c, char *to, size_t room, size_t *length)
{
	ssize_t n = 1;
	*length = 0;
	while (n > 0) {
		size_t count = next_cut(c);
		count = count < 5000 ? count : 5000;
		char *piece = malloc(count); // so that what is written beyond it is seen
		n = tuza_http_body_read(r, piece, count);
		MUST(n <= (ssize_t)count);
		if (n > 0) {
			MUST((size_t)n <= room - *length);
			memcpy(to + *length, piece, (size_t)n);
			*length += (size_t)n;
		}
		free(piece);
	}
	return n;
}

static void check(tuza_conn c, size_t count, const struct simple *simple, enum verdict verdict)
{
	static struct exchange x;
	static tuza_http_server server = {.options = {.max_body_bytes = -1, .read_timeout = -1}};
	enum { ROOM = 64 }; // so that it is filled again and again
	size_t length, room = c.cut_count ? ROOM : INPUT_BYTES;
	struct input *in = malloc(sizeof *in + room);
	*in = (struct input){.room = room, .head_end = 5, .next = 5, .end = 5};
	struct connection connection = {.server = &server, .conn = &c, .input = in};
	tuza_http_request *r = &x.request;
	x.connection = &connection;
	x.input = in;
	x.writer.exchange = r->exchange = &x;
	r->body = (struct body){0};
	r->head.chunked = true;
	r->head.length = -1;
	char *body = malloc(count + 1);
	overs = 0;
	// What came with the head.
	in->end += (size_t)tuza_conn_read(&c, in->bytes + in->next, room - in->next);
	ssize_t n = read_all(r, &c, body, count, &length);
	MUST(n == (verdict == WHOLE ? 0 : verdict == REFUSED ? -EBADMSG : -ECONNRESET));
	MUST(length == simple->length && memcmp(body, simple->body, length) == 0);
	MUST(overs == 1);
	if (verdict == WHOLE) {
		// What follows is there for the next request.
		MUST(c.bytes - (in->end - in->next) == simple->at);
		check_same_trailers(r, &simple->trailers);
	} else {
		MUST(!tuza_http_trailer_at(r, 0, NULL));
	}
	const char *before = c.bytes;
	MUST(tuza_http_body_read(r, body, 1) == n && c.bytes == before);
	text_reset(&r->trailers, 0);
	free(body);
	free(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cuts = size ? data[0] % 16 : 0;
	if (size < 1 + cuts)
		return 0;
	size_t count = size - 1 - cuts;
	char *bytes = copy_of((const char *)data + 1 + cuts, count);
	struct simple s = {.at = bytes, .end = bytes + count, .body = malloc(count + 1)};
	enum verdict verdict = decode(&s);
	tuza_conn c = {.bytes = bytes, .left = count, .cuts = data + 1, .cut_count = cuts};
	check(c, count, &s, verdict);
	c.cut_count = 0; // as large as they may be
	check(c, count, &s, verdict);
	text_reset(&s.trailers, 0);
	free(s.body);
	free(bytes);
	return 0;
}
