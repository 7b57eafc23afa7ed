// SPDX-License-Identifier: MIT
/*
 * Text onto a descriptor or into memory, without malloc and stdio: usable in a signal handler and
 * after the heap was destroyed.
 *
 *	char buffer[512];
 *	struct writer w;
 *	writer_to_fd(&w, 2, buffer, sizeof(buffer));
 *	writer_text(&w, "goroutine ");
 *	writer_number(&w, 7);
 *	writer_flush(&w);
 */
#ifndef TUZA_DEBUG_WRITER_H
#define TUZA_DEBUG_WRITER_H

#include "base/compiler.h"

struct writer {
	char *buffer;
	size_t capacity; // of buffer; of a text: without the final 0
	size_t length;   // bytes in buffer
	int fd;          // -1: the buffer is the destination
	bool is_cut;     // something was dropped: the text was full, or the descriptor refused
};

// How often any has sent something. Any thread, atomic: a statistic.
extern uint32_t writer_flushes;

// Writes to `fd`, through `buffer`, n > 0 bytes.
void writer_to_fd(struct writer *w, int fd, char *buffer, size_t n);

// Writes into `buffer`, n > 0 bytes: what does not fit is dropped. It ends with a 0 at all times.
void writer_to_text(struct writer *w, char *buffer, size_t n);

void writer_bytes(struct writer *w, const char *bytes, size_t n);
void writer_text(struct writer *w, const char *text);
void writer_number(struct writer *w, uint64_t n);
void writer_hex(struct writer *w, uint64_t n); // with 0x, without leading zeroes

/*
 * Sends what is in the buffer. A descriptor that refuses (closed, full and non-blocking for more
 * than a second) is given up: nothing is written any more. Does nothing for a text. errno stays.
 */
void writer_flush(struct writer *w);

#endif
