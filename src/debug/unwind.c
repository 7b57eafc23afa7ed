// SPDX-License-Identifier: MIT
/*
 * An unwinder for signals that arrive anywhere: it follows the tables that the compiler made for
 * each instruction (.eh_frame), so that it needs no frame pointers, and works in prologues and in
 * the midst of a switch of stacks.
 *
 * libgcc's does the same; but it believes what it reads. Tables are wrong in places (clang 14 does
 * not describe epilogues on AArch64, assembler often describes nothing), and then it reads through
 * a wild pointer, in a signal handler. Here each page of a stack is asked about before it is read
 * (sys_is_readable), the stack pointer only goes up, and what is not understood ends the walk.
 * Frame pointers would be quicker and are not there: distributions build without.
 *
 * Where a module's tables are is asked of sys_unwind_index: most functions of the dynamic linker
 * take a lock.
 *
 * Format: Linux Standard Base, Exception Frames; DWARF 4, 6.4.
 */
#define _GNU_SOURCE
#include "debug/unwind.h"

#include "arch_signal.h"
#include "debug/dwarf.h"
#include "debug/unwind_table.h"
#include "sys/profile.h"
#include "sys/sys.h"

#include <string.h>

// A frame larger than this is a mistake in the tables: the largest stack is 1 GiB.
static const uintptr_t FRAME_BYTES_MAX = (uintptr_t)1 << 30;

// ---- memory that may not be there --------------------------------------------------------------

struct reader {
	uintptr_t page; // known to be readable; 1, which is none, at first
};

static bool page_is_readable(struct reader *r, uintptr_t address)
{
	uintptr_t page = address & ~(uintptr_t)(sys_page_bytes - 1);

	if (page == r->page)
		return true;
	// Its last 8 bytes: the call copies so many.
	if (!sys_is_readable((const void *)(page + sys_page_bytes - 8)))
		return false;
	r->page = page;
	return true;
}

static bool read_word(struct reader *r, uintptr_t address, uintptr_t *word)
{
	if (address == 0 || address % sizeof(*word) != 0 || !page_is_readable(r, address))
		return false;
	*word = *(const uintptr_t *)address;
	return true;
}

// ---- expressions -------------------------------------------------------------------------------

// The few operations that linkers and C libraries use, in their stubs.
enum {
	OP_DEREF = 0x06,
	OP_CONST1U = 0x08,
	OP_CONST1S = 0x09,
	OP_CONST2U = 0x0a,
	OP_CONST2S = 0x0b,
	OP_AND = 0x1a,
	OP_MINUS = 0x1c,
	OP_PLUS = 0x22,
	OP_PLUS_UCONST = 0x23,
	OP_SHL = 0x24,
	OP_GE = 0x2a,
	OP_LIT0 = 0x30,
	OP_LIT31 = 0x4f,
	OP_BREG0 = 0x70,
	OP_BREG31 = 0x8f,
};

static uintptr_t apply(unsigned op, uintptr_t left, uintptr_t right)
{
	switch (op) {
	case OP_AND:
		return left & right;
	case OP_MINUS:
		return left - right;
	case OP_PLUS:
		return left + right;
	case OP_SHL:
		return right < 64 ? left << right : 0;
	default: // OP_GE
		return (intptr_t)left >= (intptr_t)right;
	}
}

// Evaluates an expression: its length, then so many bytes. `first`: what lies on its stack.
static bool evaluate(struct reader *r, const unsigned char *expression, const uintptr_t *registers,
	uintptr_t first, uintptr_t *result)
{
	struct cursor c = {expression, expression + 10, false};
	uintptr_t stack[8] = {first};
	uint32_t depth = 1; // of the values that stand there

	uint64_t bytes = cursor_uleb(&c);
	c.end = c.at + bytes;
	while (c.at < c.end && depth < COUNT_OF(stack)) {
		unsigned op = cursor_u8(&c);

		if (op >= OP_LIT0 && op <= OP_LIT31) {
			stack[depth++] = op - OP_LIT0;
		} else if (op >= OP_BREG0 && op <= OP_BREG31 &&
			   op - OP_BREG0 < ARCH_DWARF_REGISTERS) {
			stack[depth++] = registers[op - OP_BREG0] + (uintptr_t)cursor_sleb(&c);
		} else if (op == OP_CONST1U || op == OP_CONST1S) {
			unsigned n = cursor_u8(&c);

			stack[depth++] = op == OP_CONST1U ? n : (uintptr_t)(int8_t)n;
		} else if (op == OP_CONST2U || op == OP_CONST2S) {
			unsigned n = cursor_u16(&c);

			stack[depth++] = op == OP_CONST2U ? n : (uintptr_t)(int16_t)n;
		} else if (op == OP_PLUS_UCONST) {
			stack[depth - 1] += cursor_uleb(&c);
		} else if (op == OP_DEREF) {
			if (!read_word(r, stack[depth - 1], &stack[depth - 1]))
				return false;
		} else if (depth > 1 && (op == OP_AND || op == OP_MINUS || op == OP_PLUS ||
						op == OP_SHL || op == OP_GE)) {
			stack[depth - 2] = apply(op, stack[depth - 2], stack[depth - 1]);
			depth--;
		} else {
			return false;
		}
	}
	*result = stack[depth - 1];
	return !c.is_broken && c.at == c.end;
}

// ---- one frame ---------------------------------------------------------------------------------

static bool find_cfa(
	struct reader *r, const struct unwind_row *row, const uintptr_t *registers, uintptr_t *cfa)
{
	if (row->cfa_expression)
		return evaluate(r, row->cfa_expression, registers, 0, cfa);
	if (row->cfa_register >= ARCH_DWARF_REGISTERS)
		return false;
	*cfa = registers[row->cfa_register] + (uintptr_t)row->cfa_offset;
	return true;
}

// What a register was in the caller. False: it cannot be told.
static bool restore(struct reader *r, const struct unwind_rule *rule, unsigned n, uintptr_t cfa,
	const uintptr_t *registers, uintptr_t *value)
{
	uintptr_t address;

	switch (rule->kind) {
	case RULE_SAME:
		*value = registers[n];
		return true;
	case RULE_OFFSET:
		return read_word(r, cfa + (uintptr_t)rule->offset, value);
	case RULE_VAL_OFFSET:
		*value = cfa + (uintptr_t)rule->offset;
		return true;
	case RULE_REGISTER:
		if (rule->offset >= ARCH_DWARF_REGISTERS)
			return false;
		*value = registers[rule->offset];
		return true;
	case RULE_EXPRESSION:
		return evaluate(r, rule->expression, registers, cfa, &address) &&
		       read_word(r, address, value);
	case RULE_VAL_EXPRESSION:
		return evaluate(r, rule->expression, registers, cfa, value);
	case RULE_UNDEFINED:
		break;
	}
	return false;
}

/*
 * Makes the registers those of the caller. False at the outermost frame, and where it is not known
 * how to go on.
 */
static bool step(struct reader *r, const struct unwind_row *row, uintptr_t *registers)
{
	uintptr_t caller[ARCH_DWARF_REGISTERS], cfa, pc;
	uintptr_t sp = registers[ARCH_DWARF_SP];

	if (row->return_column >= ARCH_DWARF_REGISTERS ||
		row->rules[row->return_column].kind == RULE_UNDEFINED ||
		!find_cfa(r, row, registers, &cfa))
		return false;
	for (unsigned i = 0; i < ARCH_DWARF_REGISTERS; i++)
		// One that is lost is needed by nobody, or else the walk ends a little later.
		if (!restore(r, &row->rules[i], i, cfa, registers, &caller[i]))
			caller[i] = 0;
	pc = arch_return_address(caller[row->return_column]);
	if (row->rules[ARCH_DWARF_SP].kind == RULE_SAME)
		caller[ARCH_DWARF_SP] = cfa;
	caller[ARCH_DWARF_PC] = pc;
	// Only a function without a frame leaves the stack pointer where it is (AArch64), and only
	// once: its return address would be itself. Signal frames lead to another stack, and so
	// does a walk over a saved context.
	if (!row->is_signal_frame && row->function != (uintptr_t)arch_call_as_if_from &&
		(caller[ARCH_DWARF_SP] < sp || caller[ARCH_DWARF_SP] - sp > FRAME_BYTES_MAX ||
			(caller[ARCH_DWARF_SP] == sp && pc == registers[ARCH_DWARF_PC])))
		return false;
	memcpy(registers, caller, sizeof(caller));
	return pc != 0;
}

static bool is_root(uintptr_t function)
{
	return function == (uintptr_t)arch_start || function == (uintptr_t)arch_park ||
	       function == (uintptr_t)arch_jump;
}

uint32_t unwind_interrupted(
	const ucontext_t *context, struct backtrace_frame *frames, uint32_t most)
{
	uintptr_t registers[ARCH_DWARF_REGISTERS];
	struct reader r = {1};
	struct unwind_row row;
	bool is_return = false;
	uint32_t n = 0;

	arch_signal_registers(context, registers);
	while (n < most) {
		uintptr_t pc = registers[ARCH_DWARF_PC];
		// Behind a call that does not return there may be another function.
		bool is_known = unwind_table_find(pc - is_return, &row);

		// The scheduler's root is also where a goroutine parks: then it is the first frame.
		if (is_known && n > 0 && is_root(row.function))
			break;
		frames[n++] = (struct backtrace_frame){pc, is_return};
		if (!is_known || !step(&r, &row, registers))
			break;
		is_return = !row.is_signal_frame;
	}
	return n;
}
