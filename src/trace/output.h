// SPDX-License-Identifier: MIT
/*
 * Where a trace is written to, and buffers for its pieces (output.c). Memory comes from the system
 * alone: the process may be ending in a signal handler.
 */
#ifndef TUZA_TRACE_OUTPUT_H
#define TUZA_TRACE_OUTPUT_H

#include "debug/writer.h"
#include "trace/history.h"

enum { PIECE_BYTES = 64 << 10 };

// Zeroed is empty, and gets memory when something is put into it.
struct piece {
	unsigned char *data; // PIECE_BYTES
	uint32_t length;
	bool failed; // there was no memory, or no room
};

void piece_free(struct piece *p);
void piece_bytes(struct piece *p, const void *data, size_t n);
void piece_byte(struct piece *p, unsigned byte);
void piece_varint(struct piece *p, uint64_t n); // as in protocol buffers
static inline uint32_t piece_room(const struct piece *p) { return PIECE_BYTES - p->length; }

// To a descriptor; what it refuses is lost.
struct output {
	int fd;
	int error; // a code, once it has refused or there was no memory
};

void output_bytes(struct output *o, const void *data, size_t n);
// Writes the piece and empties it.
void output_piece(struct output *o, struct piece *p);

/*
 * Write a whole history. Return 0, -EIO or -ENOMEM. Need: 20 KiB of stack, and the lock of reports
 * (debug/dump.h), since symbols are looked up.
 */
MUST_USE int go_format_write(struct history *h, int fd);
MUST_USE int go_old_format_write(struct history *h, int fd);
MUST_USE int perfetto_write(struct history *h, int fd);

#endif
