// SPDX-License-Identifier: MIT
/*
 * From a program counter to its row: the instructions of its function's entry (unwind_entry.h), and
 * of what that shares with others, are run up to the program counter.
 */
#include "debug/unwind_table.h"

// Operations: DW_CFA_.
enum {
	CFA_ADVANCE_LOC = 0x40, // the operand is in the low six bits of these three
	CFA_OFFSET = 0x80,
	CFA_RESTORE = 0xc0,
	CFA_NOP = 0x00,
	CFA_SET_LOC = 0x01,
	CFA_ADVANCE_LOC1 = 0x02,
	CFA_ADVANCE_LOC2 = 0x03,
	CFA_ADVANCE_LOC4 = 0x04,
	CFA_OFFSET_EXTENDED = 0x05,
	CFA_RESTORE_EXTENDED = 0x06,
	CFA_UNDEFINED = 0x07,
	CFA_SAME_VALUE = 0x08,
	CFA_REGISTER = 0x09,
	CFA_REMEMBER_STATE = 0x0a,
	CFA_RESTORE_STATE = 0x0b,
	CFA_DEF_CFA = 0x0c,
	CFA_DEF_CFA_REGISTER = 0x0d,
	CFA_DEF_CFA_OFFSET = 0x0e,
	CFA_DEF_CFA_EXPRESSION = 0x0f,
	CFA_EXPRESSION = 0x10,
	CFA_OFFSET_EXTENDED_SF = 0x11,
	CFA_DEF_CFA_SF = 0x12,
	CFA_DEF_CFA_OFFSET_SF = 0x13,
	CFA_VAL_OFFSET = 0x14,
	CFA_VAL_OFFSET_SF = 0x15,
	CFA_VAL_EXPRESSION = 0x16,
	CFA_AARCH64_NEGATE_RA_STATE = 0x2d,
	CFA_GNU_ARGS_SIZE = 0x2e,
};

enum { REMEMBERED_MAX = 2 }; // compilers nest them not at all

struct run {
	struct unwind_row *row;
	const struct unwind_row *initial; // what CFA_RESTORE goes back to; NULL: in the CIE
	struct unwind_row remembered[REMEMBERED_MAX];
	uint32_t remembered_count;
	const struct unwind_cie *cie;
	uintptr_t location, pc;
	bool is_unknown; // an instruction that is not understood
};

// Where a register's rule is kept; those that matter to nobody, such as vector registers, have no
// place.
static uint64_t place_of(uint64_t n) { return n == ARCH_UNWIND_PC_APART ? ARCH_UNWIND_PC : n; }

static void set_rule(struct run *r, uint64_t n, enum unwind_rule_kind kind, int64_t offset)
{
	n = place_of(n);
	if (n < ARCH_UNWIND_REGISTERS)
		r->row->rules[n] = (struct unwind_rule){.kind = kind, .offset = offset};
	if (kind == RULE_REGISTER && (uint64_t)offset >= ARCH_UNWIND_REGISTERS)
		r->is_unknown = true;
}

static void restore_rule(struct run *r, uint64_t n)
{
	n = place_of(n);
	if (!r->initial)
		r->is_unknown = true;
	else if (n < ARCH_UNWIND_REGISTERS)
		r->row->rules[n] = r->initial->rules[n];
}

static const unsigned char *take_expression(struct cursor *c)
{
	const unsigned char *expression = c->at;
	uint64_t bytes = cursor_uleb(c);

	if (bytes > (size_t)(c->end - c->at)) {
		c->is_broken = true;
		return expression;
	}
	c->at += bytes;
	return expression;
}

static void set_expression(struct run *r, struct cursor *c, enum unwind_rule_kind kind)
{
	uint64_t n = place_of(cursor_uleb(c));
	const unsigned char *expression = take_expression(c);

	if (n < ARCH_UNWIND_REGISTERS)
		r->row->rules[n] = (struct unwind_rule){.kind = kind, .expression = expression};
}

static void set_cfa(struct run *r, uint64_t cfa_register, int64_t offset)
{
	r->row->cfa_expression = NULL;
	r->row->cfa_register = cfa_register;
	r->row->cfa_offset = offset;
}

static void remember(struct run *r)
{
	if (r->remembered_count == REMEMBERED_MAX)
		r->is_unknown = true;
	else
		r->remembered[r->remembered_count++] = *r->row;
}

static void recall(struct run *r)
{
	if (r->remembered_count == 0)
		r->is_unknown = true;
	else
		*r->row = r->remembered[--r->remembered_count];
}

// Those about the frame's address, and rare ones.
static void run_rare(struct run *r, struct cursor *c, unsigned op)
{
	const struct unwind_cie *cie = r->cie;
	uint64_t n;

	switch (op) {
	case CFA_DEF_CFA:
		n = cursor_uleb(c);
		set_cfa(r, n, (int64_t)cursor_uleb(c));
		break;
	case CFA_DEF_CFA_SF:
		n = cursor_uleb(c);
		set_cfa(r, n, cursor_sleb(c) * cie->data_align);
		break;
	case CFA_DEF_CFA_REGISTER:
		r->row->cfa_register = cursor_uleb(c);
		break;
	case CFA_DEF_CFA_OFFSET:
		r->row->cfa_offset = (int64_t)cursor_uleb(c);
		break;
	case CFA_DEF_CFA_OFFSET_SF:
		r->row->cfa_offset = cursor_sleb(c) * cie->data_align;
		break;
	case CFA_DEF_CFA_EXPRESSION:
		r->row->cfa_expression = take_expression(c);
		break;
	case CFA_REMEMBER_STATE:
		remember(r);
		break;
	case CFA_RESTORE_STATE:
		recall(r);
		break;
	case CFA_GNU_ARGS_SIZE:
		(void)cursor_uleb(c);
		break;
	case CFA_NOP:
	case CFA_AARCH64_NEGATE_RA_STATE: // return addresses are stripped in any case
		break;
	default:
		r->is_unknown = true;
	}
}

static void run_one(struct run *r, struct cursor *c, unsigned op)
{
	const struct unwind_cie *cie = r->cie;
	uint64_t n;

	switch (op) {
	case CFA_SET_LOC:
		r->location = dwarf_pointer(c, cie->pointer_encoding);
		break;
	case CFA_ADVANCE_LOC1:
		r->location += cursor_u8(c) * cie->code_align;
		break;
	case CFA_ADVANCE_LOC2:
		r->location += cursor_u16(c) * cie->code_align;
		break;
	case CFA_ADVANCE_LOC4:
		r->location += cursor_u32(c) * cie->code_align;
		break;
	case CFA_OFFSET_EXTENDED:
		n = cursor_uleb(c);
		set_rule(r, n, RULE_OFFSET, (int64_t)cursor_uleb(c) * cie->data_align);
		break;
	case CFA_OFFSET_EXTENDED_SF:
		n = cursor_uleb(c);
		set_rule(r, n, RULE_OFFSET, cursor_sleb(c) * cie->data_align);
		break;
	case CFA_VAL_OFFSET:
		n = cursor_uleb(c);
		set_rule(r, n, RULE_VAL_OFFSET, (int64_t)cursor_uleb(c) * cie->data_align);
		break;
	case CFA_VAL_OFFSET_SF:
		n = cursor_uleb(c);
		set_rule(r, n, RULE_VAL_OFFSET, cursor_sleb(c) * cie->data_align);
		break;
	case CFA_REGISTER:
		n = cursor_uleb(c);
		set_rule(r, n, RULE_REGISTER, (int64_t)cursor_uleb(c));
		break;
	case CFA_UNDEFINED:
		set_rule(r, cursor_uleb(c), RULE_UNDEFINED, 0);
		break;
	case CFA_SAME_VALUE:
		set_rule(r, cursor_uleb(c), RULE_SAME, 0);
		break;
	case CFA_RESTORE_EXTENDED:
		restore_rule(r, cursor_uleb(c));
		break;
	case CFA_EXPRESSION:
		set_expression(r, c, RULE_EXPRESSION);
		break;
	case CFA_VAL_EXPRESSION:
		set_expression(r, c, RULE_VAL_EXPRESSION);
		break;
	default:
		run_rare(r, c, op);
	}
}

// Runs instructions until they are about what lies behind pc.
static bool run_instructions(struct run *r, struct cursor c)
{
	while (c.at < c.end && !r->is_unknown && !c.is_broken) {
		unsigned op = cursor_u8(&c), operand = op & 0x3f;

		switch (op & 0xc0) {
		case CFA_ADVANCE_LOC:
			r->location += operand * r->cie->code_align;
			break;
		case CFA_OFFSET:
			set_rule(r, operand, RULE_OFFSET,
				(int64_t)cursor_uleb(&c) * r->cie->data_align);
			break;
		case CFA_RESTORE:
			restore_rule(r, operand);
			break;
		default:
			run_one(r, &c, op);
		}
		if (r->location > r->pc)
			break;
	}
	return !r->is_unknown && !c.is_broken;
}

bool unwind_table_find(uintptr_t pc, enum unwind_search search, struct unwind_row *row)
{
	struct unwind_row initial;
	struct unwind_fde fde;
	struct run r; // what is remembered is not set: half a KiB

	if (!unwind_entry_find(pc, search, &fde))
		return false;
	*row = (struct unwind_row){.return_column = place_of(fde.cie.return_column),
		.function = fde.function,
		.is_signal_frame = fde.cie.is_signal_frame};
	r.row = row;
	r.initial = NULL;
	r.remembered_count = 0;
	r.cie = &fde.cie;
	r.location = fde.function;
	r.pc = pc;
	r.is_unknown = false;
	if (!run_instructions(&r, fde.cie.instructions))
		return false;
	initial = *row;
	r.initial = &initial;
	r.location = fde.function;
	return run_instructions(&r, fde.instructions);
}
