// SPDX-License-Identifier: MIT
/*
 * Where goroutines stand, quickly: stacks as numbers (stack.c).
 *
 * A walk by the unwind tables takes most of a microsecond for each frame. But what the tables say
 * of a program counter fits 16 bytes nearly always: the frame's size and where the caller's frame
 * pointer lies. Each machine keeps that of the last thousand, and then a frame takes some 5 ns; and
 * whole walks, which take 1 ns a frame to be seen to be the same.
 */
#ifndef TUZA_TRACE_STACK_H
#define TUZA_TRACE_STACK_H

#include "arch/arch.h"
#include "base/atomic.h"
#include "base/compiler.h"
#include "base/hash.h"

enum {
	STACK_FRAMES_MAX = 40,
	STACK_STEPS = 1024,  // known program counters of a machine
	STACK_NUMBERS = 256, // known stacks of it
	STACK_MEMOS = 128,   // known walks of it
	STACK_WAYS = 2,      // places for each, a power of two
	STACK_MEMO_FRAMES = 14,
};

// How to come from a frame to its caller.
struct stack_step {
	uintptr_t pc; // 0: none
	uint32_t cfa; // bytes from the stack or frame pointer to the frame's end
	int16_t ra;   // of the return address, from there, in words
	int16_t fp;   // of the caller's frame pointer, the same way
};

struct stack_known {
	uint64_t hash;
	uint32_t number;
	uint32_t epoch;
};

/*
 * A whole walk. Where a return address lies follows from the return addresses before it, if all
 * frames are told from the stack pointer: if each has the value that it had, it is the same walk.
 */
struct stack_memo {
	uintptr_t pc; // where it began
	uint32_t number, epoch;
	uint32_t count;
	uint16_t words[STACK_MEMO_FRAMES]; // of each return address, from sp
	uintptr_t returns[STACK_MEMO_FRAMES];
};

struct stack_walker {
	struct stack_step steps[STACK_STEPS];
	struct stack_known known[STACK_NUMBERS];
	struct stack_memo memos[STACK_MEMOS];
	uint32_t turn; // which one of several is forgotten next
};

// Any thread, atomic: numbers of another one are forgotten.
extern HIDDEN uint32_t stack_epoch;

// Whether the walk from here would be the same.
static ALWAYS_INLINE bool stack_memo_holds(
	const struct stack_memo *memo, const struct arch_here *at, uintptr_t top)
{
	const uintptr_t *stack = (const uintptr_t *)at->sp;

	if (memo->pc != at->pc || memo->number == 0 ||
		memo->epoch != load_relaxed(&stack_epoch) || // as in number_of
		(uintptr_t)(stack + memo->words[memo->count - 1]) >= top)
		return false;
	for (uint32_t i = 0; i < memo->count; i++)
		if (stack[memo->words[i]] != memo->returns[i])
			return false;
	return true;
}

// What stack_number_here does when no walk is known: remembers this one in a memo of the set.
uint32_t stack_number_walk(struct stack_walker *w, const struct arch_here *here, const char *top,
	struct stack_memo *set);

/*
 * The number of the calling stack, which ends at `top`; 0: none. For what the scheduler's hooks
 * call: takes a lock only for stacks that this machine has not seen lately. `hint`: the same where
 * the stack is probably the same. Inline: a hook's frames are walked with all others.
 */
static ALWAYS_INLINE uint32_t stack_number_here(
	struct stack_walker *w, const char *top, uintptr_t hint)
{
	struct arch_here here;

	arch_here(&here);
	// How deep it is tells most of those apart that stop for the same reason.
	hint = (hint ^ ((uintptr_t)top - here.sp)) * HASH_FACTOR >> 32;
	struct stack_memo *set = &w->memos[hint % (STACK_MEMOS / STACK_WAYS) * STACK_WAYS];

	for (uint32_t i = 0; i < STACK_WAYS; i++)
		if (likely(stack_memo_holds(&set[i], &here, (uintptr_t)top)))
			return set[i].number;
	return stack_number_walk(w, &here, top, set);
}

// The same for a goroutine that does not run.
uint32_t stack_number_of(struct stack_walker *w, const struct arch_saved *context, const char *top);
// That of a stack of one frame. `is_return`: the program counter is a return address.
uint32_t stack_number_of_pc(struct stack_walker *w, uintptr_t pc, bool is_return);

// Numbers are given out between these two, and what they stand for stays. 0 or -ENOMEM.
MUST_USE int stacks_begin(void);
void stacks_forget(void);

// The frames behind a number, innermost first: addresses inside the calling instructions.
uint32_t stack_frames(uint32_t number, const uintptr_t **pcs);
uint32_t stack_count(void); // all numbers are below

#endif
