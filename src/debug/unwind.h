// SPDX-License-Identifier: MIT
/*
 * A walk over a stack by the unwind tables, from a frame to its caller.
 */
#ifndef TUZA_DEBUG_UNWIND_H
#define TUZA_DEBUG_UNWIND_H

#ifndef _GNU_SOURCE
#error "ucontext.h needs _GNU_SOURCE"
#endif

#include "arch_signal.h"
#include "debug/backtrace.h"
#include "debug/unwind_table.h"

#include <ucontext.h>

struct unwinder {
	uintptr_t registers[ARCH_UNWIND_REGISTERS]; // at the frame
	uintptr_t readable;                         // a page that is; 1, which is none, at first
	uint32_t turns;                             // how often it went not up the stack
	enum unwind_search search;
	bool is_return; // the program counter is a return address: the call is before it
	bool is_known;  // the tables tell how to go on: `row`
	struct unwind_row row;
};

static inline uintptr_t unwind_pc(const struct unwinder *u) { return u->registers[ARCH_UNWIND_PC]; }

// The stack pointer at the frame: where those of its callees end.
static inline uintptr_t unwind_sp(const struct unwinder *u) { return u->registers[ARCH_UNWIND_SP]; }

// Begins with u->registers as they are. `is_return`: of their program counter.
void unwind_begin(struct unwinder *u, enum unwind_search search, bool is_return);

// Begins with the function that this is part of, which must not return before the walk has ended.
static ALWAYS_INLINE void unwind_begin_here(struct unwinder *u, enum unwind_search search)
{
	arch_registers_here(u->registers);
	unwind_begin(u, search, true); // the instruction before it is of this function in any case
}

// Goes on to the caller. False: this is the outermost frame, or nobody knows how to go on.
bool unwind_next(struct unwinder *u);

/*
 * Walks the interrupted stack, innermost frame first, up to `most` frames. It ends at a goroutine's
 * or the scheduler's root, which is left out, or where it knows no further.
 *
 * Returns  how many frames: at least 1.
 * Callable from  a signal handler, whatever was interrupted. Takes no lock, allocates nothing,
 *          needs about 4 KiB of stack; memory that cannot be read ends the walk.
 */
uint32_t unwind_interrupted(
	const ucontext_t *context, struct backtrace_frame *frames, uint32_t most);

#endif
