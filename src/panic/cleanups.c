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
#include "debug/unwind.h"

#include <dlfcn.h>
#include <string.h>

// The personality routine of C. Only its address is used.
WEAK void __gcc_personality_v0(void);

// ---- tables ----------------------------------------------------------------------------------

static bool is_c_frame(const struct unwind_fde *fde)
{
	uintptr_t personality = fde->cie.personality;
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

// Whether the call that the frame stands in would run code of its function's.
static bool has_cleanup(const struct unwinder *u)
{
	uintptr_t pc = unwind_pc(u) - u->is_return;
	struct unwind_fde fde;

	return unwind_entry_find(pc, UNWIND_ALL, &fde) && fde.lsda &&
	       lsda_has_pad(fde.lsda, pc - fde.function) && !is_c_frame(&fde);
}

bool cleanups_find_foreign(const void *limit, uintptr_t *pc)
{
	uintptr_t most = limit ? (uintptr_t)limit : UINTPTR_MAX;
	bool is_on_its_stack = false;
	struct unwinder u;

	*pc = 0;
	if (race_is_on())
		return false;
	unwind_begin_here(&u, UNWIND_ALL);
	// The first frame whose stack begins beyond the limit needs no look. The walk may begin on
	// another stack, which the program calls functions on, beyond it.
	do {
		if (unwind_sp(&u) <= most)
			is_on_its_stack = true;
		else if (is_on_its_stack)
			return false;
		if (has_cleanup(&u)) {
			*pc = unwind_pc(&u) - u.is_return;
			return true;
		}
	} while (unwind_next(&u));
	return false;
}
