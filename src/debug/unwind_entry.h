// SPDX-License-Identifier: MIT
/*
 * What the unwind tables hold for one function: its entry (FDE), and what that shares with others
 * (CIE). Everything here may be called in a signal handler.
 */
#ifndef TUZA_DEBUG_UNWIND_ENTRY_H
#define TUZA_DEBUG_UNWIND_ENTRY_H

#include "debug/dwarf.h"

// What the functions of a group share.
struct unwind_cie {
	uint64_t code_align;
	int64_t data_align;
	uint64_t return_column;
	unsigned pointer_encoding;
	bool has_augmentation;
	bool is_signal_frame;
	struct cursor instructions;
};

struct unwind_fde {
	struct unwind_cie cie;
	uintptr_t function; // its first instruction
	struct cursor instructions;
};

// The entry of the function that pc lies in. False when there is none that can be understood.
bool unwind_entry_find(uintptr_t pc, struct unwind_fde *fde);

#endif
