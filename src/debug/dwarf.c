// SPDX-License-Identifier: MIT
/*
 * Pointers in DWARF's encodings. See dwarf.h.
 */
#include "debug/dwarf.h"

uintptr_t dwarf_pointer(struct cursor *c, unsigned encoding)
{
	uintptr_t here = (uintptr_t)c->at, n = 0;

	if (encoding == DWARF_OMIT)
		return 0;
	switch (encoding & DWARF_FORMAT) {
	case DWARF_ULEB128:
		n = cursor_uleb(c);
		break;
	case DWARF_SLEB128:
		n = (uintptr_t)cursor_sleb(c);
		break;
	case DWARF_UDATA2:
		n = cursor_u16(c);
		break;
	case DWARF_SDATA2:
		n = (uintptr_t)(int16_t)cursor_u16(c);
		break;
	case DWARF_UDATA4:
		n = cursor_u32(c);
		break;
	case DWARF_SDATA4:
		n = (uintptr_t)(int32_t)cursor_u32(c);
		break;
	case DWARF_ABSPTR:
	case DWARF_UDATA8:
	case DWARF_SDATA8:
		n = cursor_u64(c);
		break;
	default:
		c->is_broken = true;
	}
	if ((encoding & DWARF_BASE) == DWARF_PCREL)
		n += n != 0 ? here : 0;
	else if (encoding & DWARF_BASE)
		c->is_broken =
			true; // relative to text, data or function: of no use in these tables
	return c->is_broken ? 0 : n;
}
