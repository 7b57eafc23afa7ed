// SPDX-License-Identifier: MIT
/*
 * From a program counter to its row: the module's index (.eh_frame_hdr) is searched for the
 * function's entry (FDE), and the instructions of that and of what it shares with others (CIE) are
 * run up to the program counter.
 *
 * The tables themselves are believed: the dynamic linker vouches for where they are, and they are
 * constant. Lengths in them are checked all the same.
 */
#include "debug/unwind_table.h"

#include "sys/profile.h"

// Encodings of pointers.
enum {
	ENCODED_ABSPTR = 0x00,
	ENCODED_UDATA2 = 0x02,
	ENCODED_UDATA4 = 0x03,
	ENCODED_UDATA8 = 0x04,
	ENCODED_SDATA2 = 0x0a,
	ENCODED_SDATA4 = 0x0b,
	ENCODED_SDATA8 = 0x0c,
	ENCODED_FORMAT = 0x0f,
	ENCODED_PCREL = 0x10,
	ENCODED_DATAREL = 0x30,
	ENCODED_BASE = 0x70,
	ENCODED_OMIT = 0xff,
	ENCODED_INDEX = ENCODED_DATAREL | ENCODED_SDATA4, // what linkers write in .eh_frame_hdr
};

// What the functions of a group share.
struct cie {
	uint64_t code_align;
	int64_t data_align;
	uint64_t return_column;
	unsigned pointer_encoding;
	bool has_augmentation;
	bool is_signal_frame;
	struct cursor instructions;
};

struct fde {
	struct cie cie;
	uintptr_t function;
	struct cursor instructions;
};

static uintptr_t take_pointer(struct cursor *c, unsigned encoding)
{
	uintptr_t here = (uintptr_t)c->at, n;

	switch (encoding & ENCODED_FORMAT) {
	case ENCODED_ABSPTR:
	case ENCODED_UDATA8:
	case ENCODED_SDATA8:
		n = cursor_u64(c);
		break;
	case ENCODED_UDATA4:
		n = cursor_u32(c);
		break;
	case ENCODED_SDATA4:
		n = (uintptr_t)(intptr_t)(int32_t)cursor_u32(c);
		break;
	case ENCODED_UDATA2:
		n = cursor_u16(c);
		break;
	case ENCODED_SDATA2:
		n = (uintptr_t)(intptr_t)(int16_t)cursor_u16(c);
		break;
	default:
		c->is_broken = true;
		return 0;
	}
	if ((encoding & ENCODED_BASE) == ENCODED_PCREL)
		n += here;
	else if ((encoding & ENCODED_BASE) != 0)
		c->is_broken = true;
	return n;
}

// ---- the index ---------------------------------------------------------------------------------

// The entry of the last function that begins at or before pc, by the module's index; NULL: none.
static const unsigned char *find_entry(const unsigned char *index, uintptr_t pc)
{
	struct cursor c = {index + 4, index + 20, false};
	const struct {
		int32_t function, entry; // both from the index's address on
	} * table;

	if (index[0] != 1 || index[2] != ENCODED_UDATA4 || index[3] != ENCODED_INDEX)
		return NULL;
	(void)take_pointer(&c, index[1]); // where .eh_frame is
	uint32_t count = cursor_u32(&c);
	intptr_t offset = (intptr_t)(pc - (uintptr_t)index);

	table = (const void *)c.at;
	if (c.is_broken || count == 0 || offset < table[0].function)
		return NULL;
	uint32_t low = 0, high = count; // table[low] is at or before it, table[high] is not

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (table[middle].function <= offset)
			low = middle;
		else
			high = middle;
	}
	return index + table[low].entry;
}

// ---- entries -----------------------------------------------------------------------------------

// The entry's bytes behind its length; empty when it is the last or a 64-bit one, which nobody
// writes.
static struct cursor entry_bytes(const unsigned char *entry)
{
	struct cursor c = {entry, entry + 4, false};
	uint32_t length = cursor_u32(&c);

	c.end = c.at + (length == UINT32_MAX ? 0 : length);
	return c;
}

static bool read_cie(const unsigned char *entry, struct cie *cie)
{
	struct cursor c = entry_bytes(entry);

	if (cursor_u32(&c) != 0)
		return false;
	unsigned version = cursor_u8(&c);
	const char *augmentation = (const char *)c.at;

	while (cursor_u8(&c) != 0)
		;
	*cie = (struct cie){.pointer_encoding = ENCODED_ABSPTR};
	cie->code_align = cursor_uleb(&c);
	cie->data_align = cursor_sleb(&c);
	cie->return_column = version == 1 ? cursor_u8(&c) : cursor_uleb(&c);
	cie->has_augmentation = augmentation[0] == 'z';
	if (c.is_broken || (version != 1 && version != 3) ||
		(augmentation[0] != 0 && !cie->has_augmentation))
		return false;
	cie->instructions = c;
	if (!cie->has_augmentation)
		return true;
	uint64_t bytes = cursor_uleb(&c);

	if (c.is_broken || bytes > (size_t)(c.end - c.at))
		return false;
	cie->instructions = (struct cursor){c.at + bytes, c.end, false};
	for (augmentation++; *augmentation; augmentation++) {
		unsigned encoding;

		switch (*augmentation) {
		case 'R':
			cie->pointer_encoding = cursor_u8(&c);
			break;
		case 'P':
			encoding = cursor_u8(&c);
			// Only its length matters, not what it is relative to.
			(void)take_pointer(&c, encoding & ENCODED_FORMAT);
			break;
		case 'L':
			(void)cursor_u8(&c);
			break;
		case 'S':
			cie->is_signal_frame = true;
			break;
		case 'B': // AArch64: which key signs return addresses
		case 'G': // AArch64: tagged stacks
			break;
		default:
			return !c.is_broken;
		}
	}
	return !c.is_broken;
}

static bool read_fde(const unsigned char *entry, uintptr_t pc, struct fde *fde)
{
	struct cursor c = entry_bytes(entry);
	const unsigned char *here = c.at;
	uint32_t back = cursor_u32(&c);

	if (back == 0 || c.is_broken || !read_cie(here - back, &fde->cie))
		return false;
	fde->function = take_pointer(&c, fde->cie.pointer_encoding);
	uintptr_t bytes = take_pointer(&c, fde->cie.pointer_encoding & ENCODED_FORMAT);

	if (fde->cie.has_augmentation) {
		uint64_t skipped = cursor_uleb(&c);

		if (skipped > (size_t)(c.end - c.at))
			return false;
		c.at += skipped;
	}
	fde->instructions = c;
	return !c.is_broken && pc - fde->function < bytes;
}

// ---- instructions ------------------------------------------------------------------------------

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
	const struct cie *cie;
	uintptr_t location, pc;
	bool is_unknown; // an instruction that is not understood
};

static void set_rule(struct run *r, uint64_t n, enum unwind_rule_kind kind, int64_t offset)
{
	if (n < UNWIND_REGISTERS) // others, such as vector registers, matter to nobody
		r->row->rules[n] = (struct unwind_rule){.kind = kind, .offset = offset};
	if (kind == RULE_REGISTER && (uint64_t)offset >= UNWIND_REGISTERS)
		r->is_unknown = true;
}

static void restore_rule(struct run *r, uint64_t n)
{
	if (!r->initial)
		r->is_unknown = true;
	else if (n < UNWIND_REGISTERS)
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
	uint64_t n = cursor_uleb(c);
	const unsigned char *expression = take_expression(c);

	if (n < UNWIND_REGISTERS)
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
	const struct cie *cie = r->cie;
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
	const struct cie *cie = r->cie;
	uint64_t n;

	switch (op) {
	case CFA_SET_LOC:
		r->location = take_pointer(c, cie->pointer_encoding);
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

bool unwind_table_find(uintptr_t pc, struct unwind_row *row)
{
	struct unwind_row initial;
	struct run r = {.row = row, .pc = pc};
	const unsigned char *index = sys_unwind_index(pc), *entry;
	struct fde fde;

	if (!index)
		return false;
	entry = find_entry(index, pc);
	if (!entry || !read_fde(entry, pc, &fde))
		return false;
	*row = (struct unwind_row){.return_column = fde.cie.return_column,
		.function = fde.function,
		.is_signal_frame = fde.cie.is_signal_frame};
	r.cie = &fde.cie;
	r.location = fde.function;
	if (!run_instructions(&r, fde.cie.instructions))
		return false;
	initial = *row;
	r.initial = &initial;
	r.location = fde.function;
	return run_instructions(&r, fde.instructions);
}
