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
#include "debug/dwarf.h"

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

// ---- tables ----------------------------------------------------------------------------------

// The personality routine that the function's common information entry (CIE) names; 0 if it has
// none.
static uintptr_t find_personality(const void *fde)
{
	struct cursor c = cursor_endless((const uint8_t *)fde + 4); // behind the length
	const uint8_t *cie = c.at;

	cie -= (int32_t)cursor_u32(&c);
	uint8_t version = cie[8];
	const char *augmentation = (const char *)cie + 9;

	c.at = (const uint8_t *)augmentation + strlen(augmentation) + 1;
	if (augmentation[0] != 'z')
		return 0;
	if (version >= 4)
		cursor_u16(&c); // sizes of addresses and segments
	cursor_uleb(&c);        // code alignment
	cursor_sleb(&c);        // data alignment
	if (version == 1)
		cursor_u8(&c); // return address column
	else
		cursor_uleb(&c);
	cursor_uleb(&c); // length of what follows
	for (const char *letter = augmentation + 1; *letter; letter++) {
		if (*letter == 'P') {
			unsigned encoding = cursor_u8(&c);
			uintptr_t personality = dwarf_pointer(&c, encoding);

			if (encoding & DWARF_INDIRECT && personality)
				personality = *(const uintptr_t *)personality;
			return personality;
		}
		if (*letter == 'R' || *letter == 'L')
			cursor_u8(&c); // their encodings
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
	struct cursor c = cursor_endless(lsda);

	dwarf_pointer(&c, cursor_u8(&c)); // start of the pads
	if (cursor_u8(&c) != DWARF_OMIT)
		cursor_uleb(&c); // where the types are
	unsigned encoding = cursor_u8(&c);
	uint64_t bytes = cursor_uleb(&c);

	// Calls in ascending order; the one that is not listed ends the program when an exception
	// passes.
	for (c.end = c.at + bytes; c.at < c.end && !c.is_broken;) {
		uintptr_t start = dwarf_pointer(&c, encoding);
		uintptr_t length = dwarf_pointer(&c, encoding);
		uintptr_t pad = dwarf_pointer(&c, encoding);

		cursor_uleb(&c); // what the pad handles
		if (c.is_broken)
			break;
		if (offset < start)
			return false;
		if (offset < start + length)
			return pad != 0;
	}
	return c.is_broken;
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
