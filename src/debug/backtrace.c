// SPDX-License-Identifier: MIT
/*
 * Stacks by libgcc's unwinder and the unwind tables: it needs no frame pointers (740-900 ns a
 * frame; frame pointers would give 2 ns, and nothing at all in code without them), no other
 * library, and with glibc 2.35 no lock.
 *
 * A walk begins in this file's own frames, so it is told where to begin to keep: at a known program
 * counter, or behind the signal trampoline. It ends at the assembler's root frames, which are
 * recognised by their address, because a stripped program has no names.
 *
 * Go: src/runtime/traceback.go
 */
#include "debug/backtrace.h"

#include <string.h>
#include <unwind.h>

// About a second's work: a recursion on a stack of 1 GiB would take 20.
enum { FRAMES_WALKED_MAX = 1 << 20 };

struct walk {
	struct backtrace *b;
	uintptr_t begin;   // the first frame to keep; 0: the one that a signal interrupted
	bool is_under_way; // it has been found
	uint32_t frames;   // seen since then
	uint32_t *tops;    // see backtrace_context_tops; NULL: not wanted
	uintptr_t bottom;  // what they count from
};

static bool is_root(struct _Unwind_Context *context)
{
	uintptr_t function = (uintptr_t)_Unwind_GetRegionStart(context);

	return function == (uintptr_t)arch_start || function == (uintptr_t)arch_park ||
	       function == (uintptr_t)arch_jump;
}

static _Unwind_Reason_Code walk_frame(struct _Unwind_Context *context, void *arg)
{
	struct walk *w = arg;
	int is_interrupted = 0;
	uintptr_t pc = (uintptr_t)_Unwind_GetIPInfo(context, &is_interrupted);

	if (!w->is_under_way && (w->begin ? pc != w->begin : !is_interrupted))
		return _URC_NO_REASON;
	w->is_under_way = true;
	// The C library's outermost function has no return address.
	if (is_root(context) || (pc == 0 && !is_interrupted))
		return _URC_END_OF_STACK;
	if (w->frames == FRAMES_WALKED_MAX) {
		w->b->is_cut = true;
		return _URC_END_OF_STACK;
	}
	// Beyond the room for all, a ring of the latest behind the innermost ones.
	uint32_t at = w->frames < BACKTRACE_MAX ? w->frames
						: BACKTRACE_INNER + w->frames % BACKTRACE_OUTER;
	w->b->frames[at] = (struct backtrace_frame){pc, !is_interrupted};
	if (w->tops)
		w->tops[at] = (uint32_t)((uintptr_t)_Unwind_GetCFA(context) - w->bottom);
	w->frames++;
	return _URC_NO_REASON;
}

static void walk_start(struct walk *w, struct backtrace *b, uintptr_t begin)
{
	*w = (struct walk){.b = b, .begin = begin};
	b->count = b->elided = 0;
	b->is_cut = false;
}

// Puts the ring in order.
static void walk_end(const struct walk *w)
{
	struct backtrace *b = w->b;
	struct backtrace_frame outer[BACKTRACE_OUTER];
	uint32_t oldest = w->frames % BACKTRACE_OUTER;

	if (w->frames <= BACKTRACE_MAX) {
		b->count = w->frames;
		return;
	}
	for (uint32_t i = 0; i < BACKTRACE_OUTER; i++)
		outer[i] = b->frames[BACKTRACE_INNER + (oldest + i) % BACKTRACE_OUTER];
	memcpy(b->frames + BACKTRACE_INNER, outer, sizeof(outer));
	b->count = BACKTRACE_MAX;
	b->elided = w->frames - BACKTRACE_MAX;
}

NOINLINE void backtrace_here(struct backtrace *b)
{
	struct walk w;

	walk_start(&w, b, (uintptr_t)__builtin_extract_return_addr(__builtin_return_address(0)));
	_Unwind_Backtrace(walk_frame, &w);
	walk_end(&w);
}

static void walk_as_if_from(void *w) { _Unwind_Backtrace(walk_frame, w); }

void backtrace_context(struct backtrace *b, const struct arch_saved *context)
{
	backtrace_context_tops(b, context, NULL);
}

void backtrace_context_tops(
	struct backtrace *b, const struct arch_saved *context, uint32_t tops[BACKTRACE_MAX])
{
	struct walk w;

	walk_start(&w, b, arch_saved_pc(context));
	w.tops = tops;
	w.bottom = (uintptr_t)context;
	arch_call_as_if_from(context, walk_as_if_from, &w);
	walk_end(&w);
}

NOINLINE void backtrace_interrupted(struct backtrace *b)
{
	struct walk w;

	walk_start(&w, b, 0);
	_Unwind_Backtrace(walk_frame, &w);
	walk_end(&w);
}
