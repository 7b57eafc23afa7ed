// SPDX-License-Identifier: MIT
/*
 * Names and labels of goroutines are whatever the program made of its users' input, so every byte
 * is looked at: RFC 8259 wants UTF-8, and control characters escaped. `<` is escaped besides, for
 * those who paste it into HTML.
 */
#include "pprof/json.h"

#include <string.h>

// How many bytes the character at `s` has, of at most n; 0: it is not UTF-8.
static size_t character_bytes(const unsigned char *s, size_t n)
{
	size_t length = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;

	if (length == 0 || length > n || *s > 0xf4)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	// Longer than needed, a surrogate, beyond the last one.
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
		(*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

static void put_characters(struct bytes *b, const unsigned char *s, size_t n)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t length; n > 0; s += length, n -= length) {
		length = character_bytes(s, n);
		if (length == 0) {
			bytes_text(b, "\\ufffd");
			length = 1;
		} else if (*s < ' ' || *s == '"' || *s == '\\' || *s == '<' || *s == 0x7f) {
			const char escaped[] = {'\\', 'u', '0', '0', hex[*s >> 4], hex[*s & 15]};

			bytes_put(b, escaped, sizeof(escaped));
		} else {
			bytes_put(b, s, length);
		}
	}
}

void json_string(struct bytes *b, const char *text, size_t n)
{
	bytes_text(b, "\"");
	put_characters(b, (const unsigned char *)text, n);
	bytes_text(b, "\"");
}

void json_text(struct bytes *b, const char *text, size_t most)
{
	size_t n = strnlen(text, most + 1);

	if (n <= most) {
		json_string(b, text, n);
		return;
	}
	for (n = most; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
		n--; // not within a character
	bytes_text(b, "\"");
	put_characters(b, (const unsigned char *)text, n);
	bytes_text(b, "…\"");
}

void json_separate(struct bytes *b)
{
	char last = b->length > 0 ? (char)b->data[b->length - 1] : '[';

	if (last != '{' && last != '[' && last != ':')
		bytes_text(b, ",");
}

void json_key(struct bytes *b, const char *key)
{
	json_separate(b);
	bytes_text(b, "\"");
	bytes_text(b, key);
	bytes_text(b, "\":");
}

void json_uint(struct bytes *b, const char *key, uint64_t n)
{
	json_key(b, key);
	bytes_number(b, n);
}

void json_hex(struct bytes *b, const char *key, uint64_t n)
{
	json_key(b, key);
	bytes_text(b, "\"");
	bytes_hex(b, n);
	bytes_text(b, "\"");
}

void json_member(struct bytes *b, const char *key, const char *text, size_t most)
{
	json_key(b, key);
	json_text(b, text, most);
}
