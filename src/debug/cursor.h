// SPDX-License-Identifier: MIT
/*
 * Reading numbers from tables whose end is known: behind it there are zeros, and is_broken says so.
 */
#ifndef TUZA_DEBUG_CURSOR_H
#define TUZA_DEBUG_CURSOR_H

#include "base/compiler.h"

#include <string.h>

struct cursor {
	const unsigned char *at, *end;
	bool is_broken; // it came to the end too early
};

static inline void cursor_take(struct cursor *c, void *to, size_t n)
{
	if ((size_t)(c->end - c->at) < n) {
		c->is_broken = true;
		c->at = c->end;
		memset(to, 0, n);
		return;
	}
	memcpy(to, c->at, n);
	c->at += n;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	uint8_t n;

	cursor_take(c, &n, sizeof(n));
	return n;
}

static inline uint16_t cursor_u16(struct cursor *c)
{
	uint16_t n;

	cursor_take(c, &n, sizeof(n));
	return n;
}

static inline uint32_t cursor_u32(struct cursor *c)
{
	uint32_t n;

	cursor_take(c, &n, sizeof(n));
	return n;
}

static inline uint64_t cursor_u64(struct cursor *c)
{
	uint64_t n;

	cursor_take(c, &n, sizeof(n));
	return n;
}

// A number in groups of seven bits, the lowest first.
static inline uint64_t cursor_leb(struct cursor *c, bool is_signed)
{
	uint64_t n = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = cursor_u8(c);
		if (shift < 64)
			n |= (uint64_t)(byte & 127) << shift;
		shift += 7;
	} while (byte & 128);
	if (is_signed && byte & 64 && shift < 64)
		n |= ~UINT64_C(0) << shift;
	return n;
}

static inline uint64_t cursor_uleb(struct cursor *c) { return cursor_leb(c, false); }
static inline int64_t cursor_sleb(struct cursor *c) { return (int64_t)cursor_leb(c, true); }

#endif
