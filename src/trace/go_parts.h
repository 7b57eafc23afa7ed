// SPDX-License-Identifier: MIT
/*
 * What files in both of Go's formats are made of (go_format.c, go_old_format.c): batches of events,
 * and the stacks and names that they refer to by number (go_parts.c).
 */
#ifndef TUZA_TRACE_GO_PARTS_H
#define TUZA_TRACE_GO_PARTS_H

#include "trace/names.h"
#include "trace/output.h"

enum { GO_FRAME_BYTES = 4 * 10, GO_TEXT_MOST = 1024 }; // of a stack's frame at most; the format's

struct batch {
	struct piece piece;
	int64_t begin, last; // times of its first and last event
};

struct go_parts {
	struct output out;
	struct history *history;
	struct batch *batches;
	uint32_t batch_count;
	unsigned char *is_used; // by number of stack
	uint32_t stack_count;
	struct piece texts;
	struct known_names names;
};

// Begins a file with its header of 16 bytes. False: no memory. go_parts_end follows in any case.
MUST_USE bool go_parts_begin(
	struct go_parts *p, struct history *h, int fd, const char *header, uint32_t batches);

// The number of a stack that the file has to have then; 0 for one that is not known.
uint32_t go_parts_stack(struct go_parts *p, uint32_t stack);

// Frees all. Returns 0, -EIO or -ENOMEM.
int go_parts_end(struct go_parts *p);

#endif
