// SPDX-License-Identifier: MIT
/*
 * Stacks as the program sees them, and texts by number (names.c).
 */
#ifndef TUZA_TRACE_NAMES_H
#define TUZA_TRACE_NAMES_H

#include "base/compiler.h"

struct named_frame {
	uint64_t pc; // a number of its own for each function that was inlined
	const char *function, *file;
	int line;
};

enum { NAMED_FRAMES_MAX = 128 };

/*
 * The frames behind a number of a stack, innermost first; of the runtime's own those alone by which
 * the program called it, unless there are no others. Needs: 10 KiB of stack; one thread at a time.
 */
uint32_t names_of_stack(uint32_t number, struct named_frame frames[NAMED_FRAMES_MAX]);

// Why a goroutine parks, in words by which `go tool trace` knows network and synchronisation.
const char *names_of_reason(uint32_t wait_reason);

/*
 * Numbers for names, from 0 on, for files that refer to them by number. Names that come again and
 * again get the one that they had; others may get a new one each time.
 */
struct known_names {
	struct known_name *slots; // by pointer: equal pointers are equal texts
	uint32_t count;           // how many were numbered
};

MUST_USE int names_begin(struct known_names *k); // 0 or -ENOMEM
void names_end(struct known_names *k);
uint32_t names_number(struct known_names *k, const char *name, bool *is_new);

#endif
