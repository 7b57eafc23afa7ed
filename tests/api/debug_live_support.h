// SPDX-License-Identifier: MIT
/*
 * Asks a debug server, and reads the JSON that it answers: the grammar of RFC 8259 is checked, and
 * members are found by path, independently of what wrote them.
 */
#ifndef TUZA_DEBUG_LIVE_SUPPORT_H
#define TUZA_DEBUG_LIVE_SUPPORT_H

#include "test.h"

#include <tuza/context.h>
#include <tuza/net.h>
#include <tuza/pprof.h>

struct server {
	tuza_listener *listener;
	char address[TUZA_ADDRESS_TEXT];
};

static struct server start_server(void)
{
	struct server s;

	CHECK_EQ(tuza_debug_serve_with("127.0.0.1:0", NULL, &s.listener), 0);
	CHECK_EQ(tuza_listener_address(s.listener, s.address, sizeof(s.address)), 0);
	return s;
}

static void stop_server(struct server *s) { CHECK_EQ(tuza_listener_close(s->listener), 0); }

// What the path gives, malloc'ed; *body: what is behind the head, which ends with 0.
static char *get(const struct server *s, const char *path, char **body)
{
	size_t room = 4 << 20, n = 0;
	char *text = malloc(room), request[500], *end;
	tuza_conn *conn;
	ssize_t got;

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, s->address);
	if (CHECK_EQ(tuza_dial(tuza_context_background(), "tcp", s->address, &conn), 0)) {
		CHECK_EQ(tuza_conn_write(conn, request, strlen(request)), strlen(request));
		while ((got = tuza_conn_read(conn, text + n, room - 1 - n)) > 0)
			n += (size_t)got;
		CHECK_EQ(got, 0);
		tuza_conn_close(conn);
	}
	text[n] = 0;
	*body = text + n;
	end = strstr(text, "\r\n\r\n");
	if (CHECK(end != NULL)) {
		*body = end + 4;
		end[2] = 0;
	}
	return text;
}

// ---- JSON --------------------------------------------------------------------------------------

static const char *json_skip(const char *at);

static const char *json_skip_string(const char *at)
{
	if (*at++ != '"')
		return NULL;
	for (; *at != '"'; at++) {
		if ((unsigned char)*at < ' ')
			return NULL;
		if (*at != '\\')
			continue;
		if (!*++at || !strchr("\"\\/bfnrtu", *at))
			return NULL;
		if (*at == 'u' && strspn(at + 1, "0123456789abcdefABCDEF") < 4)
			return NULL;
	}
	return at + 1;
}

// `open` and what it opens, up to behind `close`.
static const char *json_skip_many(const char *at, char close, bool has_keys)
{
	if (*++at == close)
		return at + 1;
	for (;; at++) {
		if (has_keys) {
			at = json_skip_string(at);
			if (!at || *at++ != ':')
				return NULL;
		}
		at = json_skip(at);
		if (!at || (*at != ',' && *at != close))
			return NULL;
		if (*at == close)
			return at + 1;
	}
}

// Behind the value at `at`; NULL: there is none. The server writes no white space inside.
static const char *json_skip(const char *at)
{
	size_t n;

	switch (*at) {
	case '{':
		return json_skip_many(at, '}', true);
	case '[':
		return json_skip_many(at, ']', false);
	case '"':
		return json_skip_string(at);
	default:
		for (const char *const *word = (const char *const[]){"true", "false", "null", NULL};
			*word; word++)
			if (strncmp(at, *word, strlen(*word)) == 0)
				return at + strlen(*word);
		n = strspn(at, "0123456789");
		return n > 0 && (at[0] != '0' || n == 1) ? at + n : NULL;
	}
}

static bool json_is_valid(const char *text)
{
	const char *end = json_skip(text);

	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (*c == '<' || *c == 0xff)
			return false; // never unescaped
	return end && strcmp(end, "\n") == 0;
}

// The value of the key in the object, or NULL.
static const char *json_member(const char *object, const char *key)
{
	if (!object || *object != '{' || object[1] == '}')
		return NULL;
	for (const char *at = object + 1; at; at++) {
		size_t n = strlen(key);
		bool is_it = strncmp(at + 1, key, n) == 0 && at[n + 1] == '"';

		at = json_skip_string(at);
		if (!at || is_it)
			return at ? at + 1 : NULL;
		at = json_skip(at + 1);
		if (!at || *at != ',')
			return NULL;
	}
	return NULL;
}

// The n-th element of the array, or NULL.
static const char *json_element(const char *array, int n)
{
	if (!array || *array != '[' || array[1] == ']')
		return NULL;
	for (const char *at = array + 1; at; at++) {
		if (n-- == 0)
			return at;
		at = json_skip(at);
		if (!at || *at != ',')
			return NULL;
	}
	return NULL;
}

static long long json_number(const char *object, const char *key)
{
	const char *at = json_member(object, key);

	return at ? atoll(at) : -1;
}

// Whether the member is this string, as it is written there.
static bool json_is(const char *object, const char *key, const char *text)
{
	const char *at = json_member(object, key);

	return at && *at == '"' && strncmp(at + 1, text, strlen(text)) == 0 &&
	       at[strlen(text) + 1] == '"';
}

#endif
