// SPDX-License-Identifier: MIT
/*
 * Stacks by the unwind tables, and what of a long one is kept.
 *
 * A walk begins in this file's own frames, so it is told where to begin to keep: at a known program
 * counter, or behind the signal trampoline. It ends at the assembler's root frames, which are
 * recognised by their address, because a stripped program has no names.
 *
 * Go: src/runtime/traceback.go
 */
#define _GNU_SOURCE
#include "debug/backtrace.h"

#include "debug/unwind.h"

#include <string.h>

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

// False: the frame is the last one.
static bool keep(struct walk *w, const struct unwinder *u)
{
	uintptr_t pc = unwind_pc(u);

	if (!w->is_under_way && (w->begin ? pc != w->begin : u->is_return))
		return true;
	w->is_under_way = true;
	// The scheduler's root is also where a goroutine parks: then it is the first frame.
	if (w->frames > 0 && u->is_known && unwind_is_root(&u->row))
		return false;
	if (w->frames == FRAMES_WALKED_MAX) {
		w->b->is_cut = true;
		return false;
	}
	// Beyond the room for all, a ring of the latest behind the innermost ones.
	uint32_t at = w->frames < BACKTRACE_MAX ? w->frames
						: BACKTRACE_INNER + w->frames % BACKTRACE_OUTER;
	w->b->frames[at] = (struct backtrace_frame){pc, u->is_return};
	if (w->tops)
		w->tops[at] = (uint32_t)(unwind_sp(u) - w->bottom);
	w->frames++;
	return true;
}

// A frame of its own: what it begins with.
static NOINLINE void walk(void *arg)
{
	struct walk *w = arg;
	struct unwinder u;

	unwind_begin_here(&u, UNWIND_ALL);
	while (keep(w, &u) && unwind_next(&u))
		;
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
	walk(&w);
	walk_end(&w);
}

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
	arch_call_as_if_from(context, walk, &w);
	walk_end(&w);
}

NOINLINE void backtrace_interrupted(struct backtrace *b)
{
	struct walk w;

	walk_start(&w, b, 0);
	walk(&w);
	walk_end(&w);
}
