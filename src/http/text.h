// SPDX-License-Identifier: MIT
/*
 * Text that grows, memory that lasts as long as a request, and what HTTP's grammar says of bytes.
 */
#ifndef TUZA_HTTP_TEXT_H
#define TUZA_HTTP_TEXT_H

#include "base/compiler.h"

#include <stdarg.h>
#include <string.h>
#include <sys/types.h>

// ---- growing text ------------------------------------------------------------------------------

// Zeroed is empty. After a failed append (no memory) it is as before.
struct text {
	char *bytes;
	size_t length, room;
};

// Room for `more` bytes behind the text.
MUST_USE bool text_make_room(struct text *t, size_t more);
// Here, so that what is written out at the call is a few moves.
MUST_USE static ALWAYS_INLINE bool text_append(struct text *t, const char *bytes, size_t count)
{
	if (unlikely(count > t->room - t->length) && !text_make_room(t, count))
		return false;
	if (count > 0)
		memcpy(t->bytes + t->length, bytes, count);
	t->length += count;
	return true;
}
// In decimal digits.
MUST_USE bool text_append_number(struct text *t, uint64_t number);
// "name: value", CR LF.
MUST_USE bool text_append_header(
	struct text *t, const char *name, size_t name_length, const char *value);
MUST_USE bool text_vprintf(struct text *t, const char *format, va_list arguments) PRINTF(2, 0);
MUST_USE bool text_printf(struct text *t, const char *format, ...) PRINTF(2, 3);
// Empties it; more room than `keep` is given back.
void text_reset(struct text *t, size_t keep);

// ---- memory of a request -----------------------------------------------------------------------

// Strings of a request that are no part of what it sent. Given back all at once.
struct arena {
	struct arena_block *more; // of what did not fit
	size_t used;
	char first[512];
};

// Aligned for pointers; NULL: no memory.
void *arena_take(struct arena *a, size_t bytes);
// A copy with a final NUL.
char *arena_copy(struct arena *a, const char *bytes, size_t count);
void arena_reset(struct arena *a);

// ---- grammar -----------------------------------------------------------------------------------

// What a byte may be a part of. RFC 9110, tchar: what names of headers and methods are made of.
enum { BYTE_OF_TOKEN = 1, BYTE_OF_HOST = 2 };
extern const unsigned char byte_kinds[256];

static inline bool is_token_byte(unsigned char c) { return byte_kinds[c] & BYTE_OF_TOKEN; }
bool is_token(const char *bytes, size_t count);
// A host, perhaps with a port, of bytes that may stand in one. "" is one.
bool is_host(const char *host);
// How many bytes come before the first control character (a tab is one).
size_t count_plain(const char *bytes, size_t count);
// What a header's value may hold: no control characters but tabs.
bool is_value(const char *bytes, size_t count);
// Without regard to ASCII case.
bool same_letters(const char *a, const char *b, size_t count);
static inline bool same_word(const char *a, size_t a_count, const char *b, size_t b_count)
{
	return a_count == b_count && same_letters(a, b, a_count);
}

// The value of a hexadecimal digit; -1: it is none.
static inline int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Decodes %XX in place or into `to`, which needs `count` bytes; no final NUL.
 *
 * Returns  the decoded length; -1: a '%' without two hexadecimal digits.
 */
ssize_t percent_decode(char *to, const char *bytes, size_t count);

#endif
