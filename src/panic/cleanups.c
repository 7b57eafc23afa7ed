// SPDX-License-Identifier: MIT
/*
 * Finds frames that would miss a cleanup if they were given up.
 *
 * A function with destructors, handlers or cleanups has a language-specific data area (LSDA): a
 * table that maps its calls to landing pads. A call with a pad means that an exception which passed
 * here would run code; a panic does not.
 *
 * C compiled with -fexceptions has pads for __attribute__((cleanup)), so for every TUZA_DEFER.
 * Their calls have been made, so C frames, known by their personality routine, are let pass. The
 * same pad in C++ cannot be told from a destructor's.
 *
 * A frame without unwind tables ends the walk: beyond it nothing is found.
 *
 * Under ThreadSanitizer nothing is found either: clang gives each C++ function a pad that tells the
 * detector of its end.
 *
 * Format: Linux Standard Base, "Exception Frames"; Itanium C++ ABI, "Exception Handling Tables".
 */
#define _GNU_SOURCE
#include "panic/panic.h"

#include "base/race_hooks.h"

#include <dlfcn.h>
#include <string.h>
#include <unwind.h>

// libgcc's and libunwind's. The result points at a frame description entry (FDE).
struct dwarf_eh_bases {
	void *text, *data, *function;
};
WEAK const void *_Unwind_Find_FDE(void *pc, struct dwarf_eh_bases *bases);

// The personality routine of C. Only its address is used.
WEAK void __gcc_personality_v0(void);

// ---- DWARF's encodings -----------------------------------------------------------------------

enum {
	ENCODING_ABSOLUTE = 0x00,
	ENCODING_ULEB128 = 0x01,
	ENCODING_UDATA2 = 0x02,
	ENCODING_UDATA4 = 0x03,
	ENCODING_UDATA8 = 0x04,
	ENCODING_SLEB128 = 0x09,
	ENCODING_SDATA2 = 0x0a,
	ENCODING_SDATA4 = 0x0b,
	ENCODING_SDATA8 = 0x0c,
	ENCODING_FORMAT = 0x0f,
	ENCODING_PC_RELATIVE = 0x10,
	ENCODING_BASE = 0x70,
	ENCODING_INDIRECT = 0x80,
	ENCODING_OMIT = 0xff,
};

struct reader {
	const uint8_t *at;
	bool failed; // an encoding that nobody uses
};

static uint64_t read_uleb128(struct reader *r)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = *r->at++;
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return value;
}

static uint64_t read_sleb128(struct reader *r)
{
	const uint8_t *start = r->at;
	uint64_t value = read_uleb128(r);
	unsigned bits = (unsigned)(r->at - start) * 7;

	if (bits < 64 && r->at[-1] & 0x40)
		value |= ~UINT64_C(0) << bits;
	return value;
}

// `bytes` bytes, little-endian as all supported CPUs are.
static uint64_t read_fixed(struct reader *r, unsigned bytes, bool is_signed)
{
	uint64_t value = 0;
	unsigned unused_bits = 64 - 8 * bytes;

	memcpy(&value, r->at, bytes);
	r->at += bytes;
	value <<= unused_bits;
	return is_signed ? (uint64_t)((int64_t)value >> unused_bits) : value >> unused_bits;
}

static uint64_t read_encoded(struct reader *r, uint8_t encoding)
{
	const uint8_t *start = r->at;
	uint64_t value = 0;

	if (encoding == ENCODING_OMIT)
		return 0;
	switch (encoding & ENCODING_FORMAT) {
	case ENCODING_ULEB128:
		value = read_uleb128(r);
		break;
	case ENCODING_SLEB128:
		value = read_sleb128(r);
		break;
	case ENCODING_UDATA2:
		value = read_fixed(r, 2, false);
		break;
	case ENCODING_SDATA2:
		value = read_fixed(r, 2, true);
		break;
	case ENCODING_UDATA4:
		value = read_fixed(r, 4, false);
		break;
	case ENCODING_SDATA4:
		value = read_fixed(r, 4, true);
		break;
	case ENCODING_ABSOLUTE:
	case ENCODING_UDATA8:
	case ENCODING_SDATA8:
		value = read_fixed(r, 8, false);
		break;
	default:
		r->failed = true;
	}
	if ((encoding & ENCODING_BASE) == ENCODING_PC_RELATIVE && value)
		value += (uintptr_t)start;
	else if (encoding & ENCODING_BASE)
		r->failed = true; // relative to text, data or function: of no use in these tables
	if (encoding & ENCODING_INDIRECT && value && !r->failed)
		value = *(const uintptr_t *)(uintptr_t)value;
	return value;
}

// ---- tables ----------------------------------------------------------------------------------

// The personality routine that the function's common information entry (CIE) names; 0 if it has
// none.
static uintptr_t find_personality(const void *fde)
{
	struct reader r = {.at = (const uint8_t *)fde + 4}; // behind the length
	const uint8_t *cie = r.at;

	cie -= (int64_t)read_fixed(&r, 4, true);
	uint8_t version = cie[8];
	const char *augmentation = (const char *)cie + 9;

	r.at = (const uint8_t *)augmentation + strlen(augmentation) + 1;
	if (augmentation[0] != 'z')
		return 0;
	if (version >= 4)
		r.at += 2; // sizes of addresses and segments
	read_uleb128(&r);  // code alignment
	read_sleb128(&r);  // data alignment
	if (version == 1)
		r.at++; // return address column
	else
		read_uleb128(&r);
	read_uleb128(&r); // length of what follows
	for (const char *letter = augmentation + 1; *letter; letter++) {
		if (*letter == 'P') {
			uint8_t encoding = *r.at++;
			uint64_t personality = read_encoded(&r, encoding);

			return r.failed ? 0 : (uintptr_t)personality;
		}
		if (*letter == 'R' || *letter == 'L')
			r.at++; // their encodings
		else if (*letter != 'S' && *letter != 'B' && *letter != 'G')
			return 0;
	}
	return 0;
}

static bool is_c_frame(uintptr_t pc)
{
	struct dwarf_eh_bases bases;
	const void *fde = _Unwind_Find_FDE ? _Unwind_Find_FDE((void *)pc, &bases) : NULL;
	uintptr_t personality = fde ? find_personality(fde) : 0;
	Dl_info symbol;

	if (personality == 0)
		return false;
	if (personality == (uintptr_t)__gcc_personality_v0)
		return true;
	// A shared library may have a copy of its own.
	return dladdr((void *)personality, &symbol) && symbol.dli_sname &&
	       strcmp(symbol.dli_sname, "__gcc_personality_v0") == 0;
}

// Whether the call at `offset` in the function with this LSDA has a landing pad.
static bool lsda_has_pad(const uint8_t *lsda, uint64_t offset)
{
	struct reader r = {.at = lsda};
	uint8_t encoding = *r.at++;

	read_encoded(&r, encoding); // start of the pads
	encoding = *r.at++;
	if (encoding != ENCODING_OMIT)
		read_uleb128(&r); // where the types are
	encoding = *r.at++;
	uint64_t bytes = read_uleb128(&r);
	const uint8_t *end = r.at + bytes;

	// Calls in ascending order; the one that is not listed ends the program when an exception
	// passes.
	while (r.at < end && !r.failed) {
		uint64_t start = read_encoded(&r, encoding);
		uint64_t length = read_encoded(&r, encoding);
		uint64_t pad = read_encoded(&r, encoding);

		read_uleb128(&r); // what the pad handles
		if (offset < start)
			return false;
		if (offset < start + length)
			return pad != 0;
	}
	return r.failed;
}

// ---- the walk --------------------------------------------------------------------------------

struct search {
	uintptr_t limit;
	uintptr_t found;
};

static _Unwind_Reason_Code search_frame(struct _Unwind_Context *context, void *arg)
{
	struct search *s = arg;
	int is_interrupted = 0;
	uintptr_t pc = (uintptr_t)_Unwind_GetIPInfo(context, &is_interrupted);
	const uint8_t *lsda = _Unwind_GetLanguageSpecificData(context);

	// The stack pointer of this frame: the first one beyond the limit needs no look.
	if ((uintptr_t)_Unwind_GetCFA(context) > s->limit)
		return _URC_END_OF_STACK;
	if (!lsda)
		return _URC_NO_REASON;
	pc -= !is_interrupted;
	if (!lsda_has_pad(lsda, pc - (uintptr_t)_Unwind_GetRegionStart(context)) || is_c_frame(pc))
		return _URC_NO_REASON;
	s->found = pc;
	return _URC_END_OF_STACK;
}

bool cleanups_find_foreign(const void *limit, uintptr_t *pc)
{
	struct search s = {limit ? (uintptr_t)limit : UINTPTR_MAX, 0};

	if (!race_is_on())
		_Unwind_Backtrace(search_frame, &s);
	*pc = s.found;
	return s.found != 0;
}
