// SPDX-License-Identifier: MIT
/*
 * The program counters of a stack, innermost first.
 */
#ifndef TUZA_DEBUG_BACKTRACE_H
#define TUZA_DEBUG_BACKTRACE_H

#include "arch/arch.h"

struct backtrace_frame {
	uintptr_t pc;
	bool is_return; // a return address: the call is the instruction before it
};

// Go: src/runtime/traceback.go, tracebackInnerFrames, tracebackOuterFrames
enum {
	BACKTRACE_INNER = 50,
	BACKTRACE_OUTER = 50,
	BACKTRACE_MAX = BACKTRACE_INNER + BACKTRACE_OUTER
};

struct backtrace {
	uint32_t count;  // frames kept
	uint32_t elided; // frames left out behind frames[BACKTRACE_INNER - 1]
	bool is_cut;     // the stack goes on beyond the last frame; it was too long to be walked
	struct backtrace_frame frames[BACKTRACE_MAX];
};

/*
 * All three end at the goroutine's root, whose own frame is left out, or where the unwinder has no
 * information. They need about 4 KiB of stack, take no lock and allocate nothing: callable in a
 * signal handler. (Static programs have no index of their tables. There libgcc is asked, which
 * takes a lock, and sorts them at the first time.)
 */

// The calling stack, from the caller of this function on.
void backtrace_here(struct backtrace *b);

// A parked goroutine's stack, from where it will continue. `context` cannot be resumed meanwhile.
void backtrace_context(struct backtrace *b, const struct arch_saved *context);

/*
 * The same, and in tops[i], unless it is NULL, where the stack of frame i begins: how many bytes
 * above `context`. Right as long as no frame is left out.
 */
void backtrace_context_tops(
	struct backtrace *b, const struct arch_saved *context, uint32_t tops[BACKTRACE_MAX]);

/*
 * In a signal handler: the stack of what the signal interrupted, from that instruction on. One
 * frame when the interrupted program counter is no code at all: nobody can unwind from there.
 */
void backtrace_interrupted(struct backtrace *b);

#endif
