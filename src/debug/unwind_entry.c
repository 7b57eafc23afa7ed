// SPDX-License-Identifier: MIT
/*
 * From a program counter to its function's entry: the module's index (.eh_frame_hdr) is searched.
 *
 * The tables themselves are believed: the dynamic linker vouches for where they are, and they are
 * constant. Lengths in them are checked all the same.
 */
#include "debug/unwind_entry.h"

#include "sys/profile.h"

enum { INDEX_ENCODING = DWARF_DATAREL | DWARF_SDATA4 }; // what linkers write in .eh_frame_hdr

/*
 * libgcc's, which knows what was registered with it: by the start-up code of static programs, which
 * have it in any case, and by who makes code. Weak: to be linked with the shared libgcc costs a
 * program 100 us at its start. The result points at an entry (FDE).
 */
struct dwarf_eh_bases {
	void *text, *data, *function;
};
WEAK const void *_Unwind_Find_FDE(void *pc, struct dwarf_eh_bases *bases);

// ---- the index ---------------------------------------------------------------------------------

// The entry of the last function that begins at or before pc, by the module's index; NULL: none.
static const unsigned char *find_entry(const unsigned char *index, uintptr_t pc)
{
	struct cursor c = {index + 4, index + 20, false};
	const struct {
		int32_t function, entry; // both from the index's address on
	} * table;

	if (index[0] != 1 || index[2] != DWARF_UDATA4 || index[3] != INDEX_ENCODING)
		return NULL;
	(void)dwarf_pointer(&c, index[1]); // where .eh_frame is
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

static bool read_cie(const unsigned char *entry, struct unwind_cie *cie)
{
	struct cursor c = entry_bytes(entry);

	if (cursor_u32(&c) != 0)
		return false;
	unsigned version = cursor_u8(&c);
	const char *augmentation = (const char *)c.at;

	while (cursor_u8(&c) != 0)
		;
	*cie = (struct unwind_cie){.pointer_encoding = DWARF_ABSPTR, .lsda_encoding = DWARF_OMIT};
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
			cie->personality = dwarf_pointer(&c, encoding);
			if (encoding & DWARF_INDIRECT && cie->personality)
				cie->personality = *(const uintptr_t *)cie->personality;
			break;
		case 'L':
			cie->lsda_encoding = cursor_u8(&c);
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

static bool read_fde(const unsigned char *entry, uintptr_t pc, struct unwind_fde *fde)
{
	struct cursor c = entry_bytes(entry);
	const unsigned char *here = c.at;
	uint32_t back = cursor_u32(&c);

	if (back == 0 || c.is_broken || !read_cie(here - back, &fde->cie))
		return false;
	fde->function = dwarf_pointer(&c, fde->cie.pointer_encoding);
	uintptr_t bytes = dwarf_pointer(&c, fde->cie.pointer_encoding & DWARF_FORMAT);

	fde->lsda = NULL;
	if (fde->cie.has_augmentation) {
		uint64_t skipped = cursor_uleb(&c);
		struct cursor augmentation = c;

		if (skipped > (size_t)(c.end - c.at))
			return false;
		if (fde->cie.lsda_encoding != DWARF_OMIT)
			fde->lsda = (const unsigned char *)dwarf_pointer(
				&augmentation, fde->cie.lsda_encoding);
		c.at += skipped;
	}
	fde->instructions = c;
	return !c.is_broken && pc - fde->function < bytes;
}

bool unwind_entry_find(uintptr_t pc, enum unwind_search search, struct unwind_fde *fde)
{
	const unsigned char *index = sys_unwind_index(pc);
	const unsigned char *entry = index ? find_entry(index, pc) : NULL;
	struct dwarf_eh_bases unused;

	if (!entry && search == UNWIND_ALL && _Unwind_Find_FDE)
		entry = _Unwind_Find_FDE((void *)pc, &unused);
	return entry && read_fde(entry, pc, fde);
}
