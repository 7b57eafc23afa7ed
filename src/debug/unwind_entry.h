// SPDX-License-Identifier: MIT
/*
 * What the unwind tables hold for one function: its entry (FDE), and what that shares with others
 * (CIE).
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
	unsigned lsda_encoding; // DWARF_OMIT: its functions have none
	uintptr_t personality;  // what reads the LSDA; 0: nobody
	struct cursor instructions;
};

struct unwind_fde {
	struct unwind_cie cie;
	uintptr_t function;        // its first instruction
	const unsigned char *lsda; // the language-specific data area, for exceptions; NULL: none
	struct cursor instructions;
};

/*
 * The entry of the function that pc lies in. False when there is none that can be understood.
 *
 * UNWIND_ANYWHERE: in any signal handler, so without a lock and malloc. Static programs have no
 * index to look into, and those that make code have none for that: then only UNWIND_ALL, which asks
 * libgcc, finds it.
 */
enum unwind_search { UNWIND_ANYWHERE, UNWIND_ALL };
bool unwind_entry_find(uintptr_t pc, enum unwind_search search, struct unwind_fde *fde);

#endif
