// SPDX-License-Identifier: MIT
/*
 * Reading the tables that compilers make for unwinding and for exceptions. May be done in a signal
 * handler.
 *
 * Format: Linux Standard Base, "Exception Frames" and "DWARF Extensions".
 */
#ifndef TUZA_DEBUG_DWARF_H
#define TUZA_DEBUG_DWARF_H

#include "base/compiler.h"

#include <string.h>

// Where it is in a table. Behind the end there are zeros.
struct cursor {
	const unsigned char *at, *end;
	bool is_broken; // it came to the end too early, or to what is not understood
};

// In a table whose end nobody tells.
static inline struct cursor cursor_endless(const void *at)
{
	return (struct cursor){at, (const unsigned char *)UINTPTR_MAX, false};
}

static inline void cursor_take(struct cursor *c, void *to, size_t n)
{
	if ((uintptr_t)c->end - (uintptr_t)c->at < n) {
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
	if (c->at < c->end)
		return *c->at++;
	c->is_broken = true;
	return 0;
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

	if (!is_signed && c->at < c->end && *c->at < 128) // most of them
		return *c->at++;
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

// ---- pointers ----------------------------------------------------------------------------------

// DW_EH_PE_
enum {
	DWARF_ABSPTR = 0x00,
	DWARF_ULEB128 = 0x01,
	DWARF_UDATA2 = 0x02,
	DWARF_UDATA4 = 0x03,
	DWARF_UDATA8 = 0x04,
	DWARF_SLEB128 = 0x09,
	DWARF_SDATA2 = 0x0a,
	DWARF_SDATA4 = 0x0b,
	DWARF_SDATA8 = 0x0c,
	DWARF_FORMAT = 0x0f,
	DWARF_PCREL = 0x10,
	DWARF_DATAREL = 0x30,
	DWARF_BASE = 0x70,
	DWARF_INDIRECT = 0x80, // it is where the pointer lies: whoever may read there does
	DWARF_OMIT = 0xff,
};

// A pointer in one of these encodings; 0 stays 0 in all of them.
uintptr_t dwarf_pointer(struct cursor *c, unsigned encoding);

#endif
