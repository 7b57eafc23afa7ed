// SPDX-License-Identifier: MIT
/*
 * The head of an answer while it may still change, and answers made of a head and a few words.
 *
 * Headers are kept as the lines that will be sent.
 */
#include "http/connection.h"

#include <tuza/error.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

EXPORT int tuza_http_set_status(tuza_http_writer *w, int status)
{
	if (w->framing != FRAMING_OPEN)
		return -EALREADY;
	if (status < 200 || status > 599)
		return -EINVAL;
	w->status = status;
	return 0;
}

static void remove_header(struct text *lines, const char *name, size_t length)
{
	size_t at = 0;
	while (at < lines->length) {
		char *line = lines->bytes + at;
		char *end = memchr(line, '\n', lines->length - at);
		size_t bytes = (size_t)(end - line) + 1;
		size_t line_name = (size_t)((char *)memchr(line, ':', bytes) - line);
		if (same_word(line, line_name, name, length)) {
			memmove(line, line + bytes, lines->length - at - bytes);
			lines->length -= bytes;
		} else {
			at += bytes;
		}
	}
}

static bool parse_length(const char *value, int64_t *length)
{
	char *end;
	if (strspn(value, "0123456789") != strlen(value) || !*value || strlen(value) > 18)
		return false;
	*length = strtoll(value, &end, 10);
	return true;
}

// Those that the server writes itself. 1: done; 0: an ordinary header; else a code.
static int set_special(tuza_http_writer *w, const char *name, size_t length, const char *value)
{
	if (same_word(name, length, "Content-Length", 14)) {
		int64_t number = 0;
		if (value && (!parse_length(value, &number) || number < w->written))
			return -EINVAL;
		w->has_length = value != NULL;
		w->length = number;
		return 1;
	}
	if (same_word(name, length, "Connection", 10)) {
		if (value && strcasecmp(value, "close") != 0)
			return -EINVAL;
		w->close = value || w->exchange->request.head.close; // the client's wish stays
		return 1;
	}
	if (same_word(name, length, "Transfer-Encoding", 17) || same_word(name, length, "Date", 4))
		return -EINVAL;
	return 0;
}

static int put_header(tuza_http_writer *w, const char *name, const char *value, bool replace)
{
	size_t length = strlen(name);
	if (w->framing != FRAMING_OPEN)
		return -EALREADY;
	if (!is_token(name, length) || (value && !is_value(value, strlen(value))))
		return -EINVAL;
	int special = set_special(w, name, length, value);
	if (special)
		return special < 0 ? special : 0;
	if (replace)
		remove_header(&w->headers, name, length);
	if (value && !text_append_header(&w->headers, name, length, value))
		return -ENOMEM;
	return 0;
}

EXPORT int tuza_http_set_header(tuza_http_writer *w, const char *name, const char *value)
{
	return put_header(w, name, value, true);
}

EXPORT int tuza_http_add_header(tuza_http_writer *w, const char *name, const char *value)
{
	return put_header(w, name, value, false);
}

EXPORT ssize_t tuza_http_printf(tuza_http_writer *w, const char *format, ...)
{
	char few[512];
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	int length = vsnprintf(few, sizeof few, format, arguments);
	ssize_t n = -EINVAL;
	if (length >= 0 && (size_t)length < sizeof few) {
		n = tuza_http_write(w, few, (size_t)length);
	} else if (length >= 0) {
		struct text t = {NULL, 0, 0};
		n = text_vprintf(&t, format, again) ? tuza_http_write(w, t.bytes, t.length)
						    : -ENOMEM;
		text_reset(&t, 0);
	}
	va_end(again);
	va_end(arguments);
	return n;
}

// ---- trailers ----------------------------------------------------------------------------------

// Go: golang.org/x/net/http/httpguts, ValidTrailerHeader
static bool may_be_trailer(const char *name, size_t length)
{
	static const char *const names[] = {"Authorization", "Cache-Control", "Connection", "Date",
		"Expect", "Host", "Keep-Alive", "Location", "Max-Forwards", "Pragma",
		"Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Realm",
		"Retry-After", "Set-Cookie", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Vary", "Www-Authenticate"};
	if (strncasecmp(name, "Content-", 8) == 0 || strncasecmp(name, "If-", 3) == 0)
		return false;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (same_word(name, length, names[i], strlen(names[i])))
			return false;
	return is_token(name, length);
}

EXPORT int tuza_http_set_trailer(tuza_http_writer *w, const char *name, const char *value)
{
	size_t length = strlen(name);
	if (w->error)
		return w->error;
	if (!may_be_trailer(name, length) || (value && !is_value(value, strlen(value))))
		return -EINVAL;
	if (w->exchange->request.head.minor == 0)
		return -EOPNOTSUPP;
	if (w->framing != FRAMING_OPEN && w->framing != FRAMING_CHUNKED)
		return -EALREADY;
	remove_header(&w->trailers, name, length);
	if (value && !text_append_header(&w->trailers, name, length, value))
		return -ENOMEM;
	return 0;
}

bool trailers_announce(tuza_http_writer *w)
{
	if (w->trailers.length == 0)
		return true;
	const char *at = w->trailers.bytes, *end = at + w->trailers.length;
	bool fits = text_append(&w->head, "Trailer", 7);
	for (const char *before = ": "; at < end; before = ", ") {
		const char *colon = memchr(at, ':', (size_t)(end - at));
		fits = fits && text_append(&w->head, before, 2) &&
		       text_append(&w->head, at, (size_t)(colon - at));
		at = (const char *)memchr(colon, '\n', (size_t)(end - colon)) + 1;
	}
	return fits && text_append(&w->head, "\r\n", 2);
}

// ---- short answers -----------------------------------------------------------------------------

// Forgets a body that was begun and what described it.
static int begin_anew(tuza_http_writer *w, int status)
{
	static const char *const about_body[] = {"Content-Length", "Content-Type",
		"Content-Encoding", "Content-Language", "Content-Range", "Content-Disposition",
		"ETag", "Last-Modified", "Cache-Control"};
	int error = tuza_http_set_status(w, status);
	if (error)
		return error;
	w->kept = 0;
	w->written = 0;
	w->overfull = false;
	w->trailers.length = 0;
	for (size_t i = 0; i < COUNT_OF(about_body); i++)
		(void)put_header(w, about_body[i], NULL, true);
	return put_header(w, "Content-Type", "text/plain; charset=utf-8", true);
}

EXPORT int tuza_http_error(tuza_http_writer *w, int status, const char *text)
{
	int error = begin_anew(w, status);
	if (error)
		return error;
	error = put_header(w, "X-Content-Type-Options", "nosniff", true);
	if (error || status == 204 || status == 304)
		return error;
	ssize_t n = tuza_http_printf(w, "%s\n", text ? text : tuza_http_status_text(status));
	return n < 0 ? (int)n : 0;
}

EXPORT int tuza_http_redirect(tuza_http_writer *w, const char *url, int status)
{
	if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
		return -EINVAL;
	int error = put_header(w, "Location", url, true);
	if (!error)
		error = begin_anew(w, status);
	if (error)
		return error;
	ssize_t n = tuza_http_printf(w, "%s: %s\n", tuza_http_status_text(status), url);
	return n < 0 ? (int)n : 0;
}
