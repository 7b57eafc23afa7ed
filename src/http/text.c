// SPDX-License-Identifier: MIT
// See text.h. Where bytes are classified, words of eight are looked at at once.
#include "http/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- growing text ------------------------------------------------------------------------------

bool text_make_room(struct text *t, size_t more)
{
	size_t need = t->length + more;
	if (need <= t->room)
		return true;
	size_t room = t->room ? t->room : 256;
	while (room < need)
		room *= 2;
	char *bytes = realloc(t->bytes, room);
	if (!bytes)
		return false;
	t->bytes = bytes;
	t->room = room;
	return true;
}

bool text_append_number(struct text *t, uint64_t number)
{
	char digits[20];
	size_t at = sizeof digits;
	do
		digits[--at] = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	return text_append(t, digits + at, sizeof digits - at);
}

bool text_append_header(struct text *t, const char *name, size_t name_length, const char *value)
{
	size_t before = t->length;
	if (text_append(t, name, name_length) && text_append(t, ": ", 2) &&
		text_append(t, value, strlen(value)) && text_append(t, "\r\n", 2))
		return true;
	t->length = before;
	return false;
}

bool text_vprintf(struct text *t, const char *format, va_list arguments)
{
	va_list again;
	va_copy(again, arguments);
	int n = vsnprintf(
		t->bytes ? t->bytes + t->length : NULL, t->room - t->length, format, arguments);
	bool fits = n >= 0 && (size_t)n < t->room - t->length;
	if (n >= 0 && !fits && text_make_room(t, (size_t)n + 1)) { // snprintf writes a NUL
		n = vsnprintf(t->bytes + t->length, t->room - t->length, format, again);
		fits = n >= 0;
	}
	va_end(again);
	if (fits)
		t->length += (size_t)n;
	return fits;
}

bool text_printf(struct text *t, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	bool done = text_vprintf(t, format, arguments);
	va_end(arguments);
	return done;
}

void text_reset(struct text *t, size_t keep)
{
	t->length = 0;
	if (t->room > keep) {
		free(t->bytes);
		t->bytes = NULL;
		t->room = 0;
	}
}

// ---- memory of a request -----------------------------------------------------------------------

struct arena_block {
	struct arena_block *next;
	char bytes[];
};

void *arena_take(struct arena *a, size_t bytes)
{
	bytes = align_up(bytes, sizeof(void *));
	if (bytes <= sizeof a->first - a->used) {
		void *taken = a->first + a->used;
		a->used += bytes;
		return taken;
	}
	struct arena_block *block = malloc(sizeof *block + bytes);
	if (!block)
		return NULL;
	block->next = a->more;
	a->more = block;
	return block->bytes;
}

char *arena_copy(struct arena *a, const char *bytes, size_t count)
{
	char *copy = arena_take(a, count + 1);
	if (copy) {
		memcpy(copy, bytes, count);
		copy[count] = '\0';
	}
	return copy;
}

void arena_reset(struct arena *a)
{
	while (a->more) {
		struct arena_block *block = a->more;
		a->more = block->next;
		free(block);
	}
	a->used = 0;
}

// ---- grammar -----------------------------------------------------------------------------------

#define T BYTE_OF_TOKEN
#define H BYTE_OF_HOST
#define B (BYTE_OF_TOKEN | BYTE_OF_HOST)

// By rows of 16, from ' ' to DEL: ASCII's columns 2 to 7.
const unsigned char byte_kinds[256] = {
	// clang-format off
	[' '] =
	//    !  "  #  $  %  &  '  (  )  *  +  ,  -  .  /
	   0, B, 0, T, B, B, B, B, H, H, B, B, H, B, B, 0,
	// 0                             9  :  ;  <  =  >  ?
	   B, B, B, B, B, B, B, B, B, B, H, H, 0, H, 0, 0,
	// @  A                                         O
	   0, B, B, B, B, B, B, B, B, B, B, B, B, B, B, B,
	// P                             Z  [  \  ]  ^  _
	   B, B, B, B, B, B, B, B, B, B, B, H, 0, H, T, B,
	// `  a                                         o
	   T, B, B, B, B, B, B, B, B, B, B, B, B, B, B, B,
	// p                             z  {  |  }  ~  DEL
	   B, B, B, B, B, B, B, B, B, B, B, 0, T, 0, B, 0,
	// clang-format on
};

#undef T
#undef H
#undef B

bool is_token(const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!is_token_byte((unsigned char)bytes[i]))
			return false;
	return count > 0;
}

bool is_host(const char *host)
{
	for (; *host; host++)
		if (!(byte_kinds[(unsigned char)*host] & BYTE_OF_HOST))
			return false;
	return true;
}

static bool is_control(unsigned char c) { return c < ' ' || c == 0x7f; }

// The highest bit of each of eight bytes that is one. A borrow may accuse the byte above a guilty
// one, too: the lowest is guilty for certain.
static uint64_t controls(uint64_t bytes)
{
	const uint64_t each = 0x0101010101010101, high = each * 0x80;
	uint64_t deletes = bytes ^ each * 0x7f;
	return (((bytes - each * ' ') & ~bytes) | ((deletes - each) & ~deletes)) & high;
}

typedef unsigned char sixteen __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));

// Whether there is a control character among sixteen bytes.
static ALWAYS_INLINE bool has_controls(const char *bytes)
{
	sixteen b;
	memcpy(&b, bytes, sizeof b);
	halves found = (halves)((b < ' ') | (b == 0x7f));
	return (found[0] | found[1]) != 0;
}

size_t count_plain(const char *bytes, size_t count)
{
	size_t i = 0;
	uint64_t eight, found;
	while (count - i >= sizeof(sixteen) && !has_controls(bytes + i))
		i += sizeof(sixteen);
	for (; count - i >= sizeof eight; i += sizeof eight) {
		memcpy(&eight, bytes + i, sizeof eight);
		found = controls(eight);
		if (found && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
			return i + (size_t)__builtin_ctzll(found) / 8;
		if (found)
			break;
	}
	while (i < count && !is_control((unsigned char)bytes[i]))
		i++;
	return i;
}

bool is_value(const char *bytes, size_t count)
{
	size_t i = 0;
	while ((i += count_plain(bytes + i, count - i)) < count)
		if (bytes[i++] != '\t')
			return false;
	return true;
}

static int lower(unsigned char c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; }

bool same_letters(const char *a, const char *b, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (lower((unsigned char)a[i]) != lower((unsigned char)b[i]))
			return false;
	return true;
}

ssize_t percent_decode(char *to, const char *bytes, size_t count)
{
	size_t length = 0;
	for (size_t i = 0; i < count; i++) {
		if (bytes[i] != '%') {
			to[length++] = bytes[i];
			continue;
		}
		int high = i + 2 < count ? hex_digit((unsigned char)bytes[i + 1]) : -1;
		int low = i + 2 < count ? hex_digit((unsigned char)bytes[i + 2]) : -1;
		if (high < 0 || low < 0)
			return -1;
		to[length++] = (char)(high << 4 | low);
		i += 2;
	}
	return (ssize_t)length;
}
