// SPDX-License-Identifier: MIT
/*
 * Bytes that grow, the wire format of protocol buffers, and gzip around it.
 */
#ifndef TUZA_PPROF_BYTES_H
#define TUZA_PPROF_BYTES_H

#include "base/compiler.h"

// Zeroed is empty. Without memory it stays as it is from then on: look at `failed` at the end.
struct bytes {
	unsigned char *data; // malloc'ed
	size_t length, capacity;
	bool failed;
};

void bytes_free(struct bytes *b);
void bytes_put(struct bytes *b, const void *data, size_t n);
void bytes_text(struct bytes *b, const char *text);
void bytes_number(struct bytes *b, uint64_t n);
void bytes_hex(struct bytes *b, uint64_t n); // with 0x

// ---- protocol buffers --------------------------------------------------------------------------

void proto_varint(struct bytes *b, uint64_t n);
// A field of an integer type. 0, the default, is not written.
void proto_uint(struct bytes *b, unsigned field, uint64_t n);
void proto_text(struct bytes *b, unsigned field, const char *text, size_t n);
// A message, or packed integers: `inner` is emptied for the next one.
void proto_bytes(struct bytes *b, unsigned field, struct bytes *inner);

// ---- gzip --------------------------------------------------------------------------------------

/*
 * Appends `from` in the format of gzip, in stored blocks: readers of profiles want the format, a
 * profile is small, and nobody has to link a compressor.
 */
void bytes_gzip(struct bytes *to, const struct bytes *from);

/*
 * Writes all of it to the descriptor. 0; -ENOMEM if it has failed; -EIO when the descriptor
 * refuses.
 */
MUST_USE int bytes_write(const struct bytes *b, int fd);

#endif
