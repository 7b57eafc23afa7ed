// SPDX-License-Identifier: MIT
/*
 * An unwinder that follows the tables that the compiler made for each instruction (.eh_frame), so
 * that it needs no frame pointers, and works in prologues, in the midst of a switch of stacks, and
 * in signal handlers.
 *
 * libgcc's does the same; but it believes what it reads. Tables are wrong in places (clang 14 does
 * not describe epilogues on AArch64, assembler often describes nothing), and then it reads through
 * a wild pointer, in a signal handler. Here each page of a stack is asked about before it is read
 * (sys_is_readable), the stack pointer only goes up as long as it is the same stack, and what is
 * not understood ends the walk.
 * Frame pointers would be quicker and are not there: distributions build without. And a program
 * that is linked with the shared libgcc starts 100 us later.
 *
 * Where a module's tables are is asked of sys_unwind_index: most functions of the dynamic linker
 * take a lock.
 *
 * Format: Linux Standard Base, Exception Frames; DWARF 4, 6.4.
 */
#define _GNU_SOURCE
#include "debug/unwind.h"

#include "debug/dwarf.h"
#include "sys/profile.h"
#include "sys/sys.h"

#include <string.h>

// A frame larger than this is a mistake in the tables: the largest stack is 1 GiB.
static const uintptr_t FRAME_BYTES_MAX = (uintptr_t)1 << 30;
// So often a walk may go on elsewhere than further up its stack: else a broken one could be a ring.
enum { TURNS_MAX = 1000 };
// Of any CPU: also before the runtime has asked.
static const uintptr_t PAGE_BYTES_LEAST = 4096;

// ---- memory that may not be there --------------------------------------------------------------

static bool page_is_readable(struct unwinder *u, uintptr_t address)
{
	uintptr_t page = address & ~(PAGE_BYTES_LEAST - 1);

	if (page == u->readable)
		return true;
	// Its last 8 bytes: the call copies so many.
	if (!sys_is_readable((const void *)(page + PAGE_BYTES_LEAST - 8)))
		return false;
	u->readable = page;
	return true;
}

// The stack may be another goroutine's, which is held: what it wrote there is no race.
UNSANITIZED static bool read_word(struct unwinder *u, uintptr_t address, uintptr_t *word)
{
	if (address == 0 || address % sizeof(*word) != 0 || !page_is_readable(u, address))
		return false;
	*word = *(const uintptr_t *)address;
	return true;
}

// ---- expressions -------------------------------------------------------------------------------

// The few operations that linkers and C libraries use, in their stubs, and OpenSSL's assembler.
enum {
	OP_DEREF = 0x06,
	OP_CONST1U = 0x08,
	OP_CONST1S = 0x09,
	OP_CONST2U = 0x0a,
	OP_CONST2S = 0x0b,
	OP_AND = 0x1a,
	OP_MINUS = 0x1c,
	OP_MUL = 0x1e,
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
	case OP_MUL:
		return left * right;
	case OP_PLUS:
		return left + right;
	case OP_SHL:
		return right < 64 ? left << right : 0;
	default: // OP_GE
		return (intptr_t)left >= (intptr_t)right;
	}
}

// Evaluates an expression: its length, then so many bytes. `first`: what lies on its stack.
static bool evaluate(struct unwinder *u, const unsigned char *expression,
	const uintptr_t *registers, uintptr_t first, uintptr_t *result)
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
			   op - OP_BREG0 < ARCH_UNWIND_REGISTERS) {
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
			if (!read_word(u, stack[depth - 1], &stack[depth - 1]))
				return false;
		} else if (depth > 1 && (op == OP_AND || op == OP_MINUS || op == OP_MUL ||
						op == OP_PLUS || op == OP_SHL || op == OP_GE)) {
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

static bool find_cfa(struct unwinder *u, const struct unwind_row *row, const uintptr_t *registers,
	uintptr_t *cfa)
{
	if (row->cfa_expression)
		return evaluate(u, row->cfa_expression, registers, 0, cfa);
	if (row->cfa_register >= ARCH_UNWIND_REGISTERS)
		return false;
	*cfa = registers[row->cfa_register] + (uintptr_t)row->cfa_offset;
	return true;
}

// What a register was in the caller. False: it cannot be told.
static bool restore(struct unwinder *u, const struct unwind_rule *rule, unsigned n, uintptr_t cfa,
	const uintptr_t *registers, uintptr_t *value)
{
	uintptr_t address;

	switch (rule->kind) {
	case RULE_SAME:
		*value = registers[n];
		return true;
	case RULE_OFFSET:
		return read_word(u, cfa + (uintptr_t)rule->offset, value);
	case RULE_VAL_OFFSET:
		*value = cfa + (uintptr_t)rule->offset;
		return true;
	case RULE_REGISTER:
		if (rule->offset >= ARCH_UNWIND_REGISTERS)
			return false;
		*value = registers[rule->offset];
		return true;
	case RULE_EXPRESSION:
		return evaluate(u, rule->expression, registers, cfa, &address) &&
		       read_word(u, address, value);
	case RULE_VAL_EXPRESSION:
		return evaluate(u, rule->expression, registers, cfa, value);
	case RULE_UNDEFINED:
		break;
	}
	return false;
}

/*
 * Whether the caller may stand on another stack: it was interrupted, or its stack pointer is known
 * by another register, as where a function is called on a stack of its own, and in
 * arch_call_as_if_from.
 */
static bool may_leave_stack(const struct unwind_row *row)
{
	return row->is_signal_frame || row->cfa_expression || row->cfa_register != ARCH_UNWIND_SP;
}

// Makes the registers those of the caller. False where it is not known how to go on.
static bool step(struct unwinder *u)
{
	uintptr_t caller[ARCH_UNWIND_REGISTERS], cfa, pc, grown;
	const struct unwind_row *row = &u->row;
	const uintptr_t *registers = u->registers;

	if (row->return_column >= ARCH_UNWIND_REGISTERS ||
		row->rules[row->return_column].kind == RULE_UNDEFINED ||
		!find_cfa(u, row, registers, &cfa))
		return false;
	for (unsigned i = 0; i < ARCH_UNWIND_REGISTERS; i++)
		// One that is lost is needed by nobody, or else the walk ends a little later.
		if (!restore(u, &row->rules[i], i, cfa, registers, &caller[i]))
			caller[i] = 0;
	pc = arch_return_address_of(caller[row->return_column]);
	if (row->rules[ARCH_UNWIND_SP].kind == RULE_SAME)
		caller[ARCH_UNWIND_SP] = cfa;
	caller[ARCH_UNWIND_PC] = pc;
	grown = caller[ARCH_UNWIND_SP] - unwind_sp(u);
	// Only a function without a frame leaves the stack pointer where it is (AArch64), and only
	// once: its return address would be itself.
	if ((grown == 0 || grown > FRAME_BYTES_MAX) &&
		(++u->turns > TURNS_MAX ||
			(grown == 0 ? pc == unwind_pc(u) : !may_leave_stack(row))))
		return false;
	memcpy(u->registers, caller, sizeof(caller));
	u->is_return = !row->is_signal_frame;
	return pc != 0 || !u->is_return; // who calls through a NULL pointer is interrupted there
}

// The same for a frame that the tables do not know: the kernel's signal trampolines.
static bool leave_signal(struct unwinder *u)
{
	uintptr_t code = unwind_pc(u);
	const ucontext_t *context;

	if (!sys_is_readable((const void *)code) ||
		!sys_is_readable((const void *)(code + ARCH_TRAMPOLINE_BYTES)))
		return false;
	context = arch_signal_frame((const void *)code, unwind_sp(u));
	if (!context || ++u->turns > TURNS_MAX || !sys_is_readable(context) ||
		!sys_is_readable(&context->uc_mcontext + 1))
		return false;
	arch_signal_registers(context, u->registers);
	u->is_return = false;
	return true;
}

// ---- walks -------------------------------------------------------------------------------------

static void look(struct unwinder *u)
{
	// Behind a call that does not return there may be another function.
	u->is_known = unwind_table_find(unwind_pc(u) - u->is_return, u->search, &u->row);
}

void unwind_begin(struct unwinder *u, enum unwind_search search, bool is_return)
{
	if (search == UNWIND_ALL)
		sys_unwind_refresh();
	u->readable = 1;
	u->turns = 0;
	u->search = search;
	u->is_return = is_return;
	look(u);
}

bool unwind_next(struct unwinder *u)
{
	if (u->is_known ? !step(u) : !leave_signal(u))
		return false;
	look(u);
	return true;
}

uint32_t unwind_interrupted(
	const ucontext_t *context, struct backtrace_frame *frames, uint32_t most)
{
	struct unwinder u;
	uint32_t n = 0;

	arch_signal_registers(context, u.registers);
	unwind_begin(&u, UNWIND_ANYWHERE, false);
	// The scheduler's root is also where a goroutine parks: then it is the first frame.
	do {
		if (n == most || (n > 0 && u.is_known && unwind_is_root(&u.row)))
			break;
		frames[n++] = (struct backtrace_frame){unwind_pc(&u), u.is_return};
	} while (unwind_next(&u));
	return n;
}
