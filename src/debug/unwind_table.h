// SPDX-License-Identifier: MIT
/*
 * What the unwind tables say about one instruction.
 */
#ifndef TUZA_DEBUG_UNWIND_TABLE_H
#define TUZA_DEBUG_UNWIND_TABLE_H

#include "arch/arch.h"
#include "debug/unwind_entry.h"

// How the caller's value of a register is found.
struct unwind_rule {
	enum unwind_rule_kind {
		RULE_SAME,           // it still has it
		RULE_UNDEFINED,      // lost; of the return address: this is the outermost frame
		RULE_OFFSET,         // in memory, `offset` bytes from the frame's address (CFA)
		RULE_VAL_OFFSET,     // it is the CFA + `offset`
		RULE_REGISTER,       // in the register of number `offset`
		RULE_EXPRESSION,     // in memory, where the expression says
		RULE_VAL_EXPRESSION, // what the expression says
	} kind;
	union {
		int64_t offset;
		const unsigned char *expression; // its length, then so many bytes
	};
};

struct unwind_row {
	struct unwind_rule rules[ARCH_UNWIND_REGISTERS];
	const unsigned char *cfa_expression; // NULL: cfa_register + cfa_offset
	uint64_t cfa_register;
	int64_t cfa_offset;
	uint64_t return_column; // the register that stands for the return address
	uintptr_t function;     // its first instruction
	bool is_signal_frame;   // the caller was interrupted, it did not call
};

// The row for the instruction at pc. False when there is none that can be understood.
bool unwind_table_find(uintptr_t pc, enum unwind_search search, struct unwind_row *row);

// Whether this is where a goroutine's stack begins, or the scheduler's.
static inline bool unwind_is_root(const struct unwind_row *row)
{
	return row->function == (uintptr_t)arch_start || row->function == (uintptr_t)arch_park ||
	       row->function == (uintptr_t)arch_jump;
}

#endif
