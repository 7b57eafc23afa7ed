// SPDX-License-Identifier: MIT
/*
 * By hand rather than by llhttp, which lets a lone LF end some of these lines: the server must know
 * of each byte what it was taken for.
 *
 * RFC 9112, section 7.1. Extensions mean nothing to us.
 */
#include "http/chunked.h"

#include "http/text.h"

enum {
	SIZE, // the initial state
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_START, // of a line
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF,
	END,
	BAD,
};

enum {
	SIZE_DIGITS_MOST = 15,   // 2^60 bytes
	EXTENSION_MOST = 256,    // bytes in a line: nobody uses them
	TRAILER_MOST = 8 * 1024, // bytes altogether
	FRAME_FREE = 16,         // bytes around each chunk, as Go has it,
	DATA_FREE = 2,           // … and for each byte in it
	EXCESS_MOST = 16 * 1024, // bytes beyond that
};

// A chunk's size has come to its end. False: the body is more frame than data, so that a limit of
// the one is none of the other.
static bool is_worth_it(struct chunked *d)
{
	uint64_t excess = (uint64_t)d->excess + d->digits + d->line + 4; // two CR LF
	uint64_t free = FRAME_FREE + DATA_FREE * d->left;
	d->excess = excess > free ? (uint32_t)(excess - free) : 0;
	return d->excess <= EXCESS_MOST;
}

static int after_size(struct chunked *d, unsigned char c)
{
	int digit = hex_digit(c);
	if (digit >= 0 && d->digits < SIZE_DIGITS_MOST) {
		d->left = d->left << 4 | (unsigned)digit;
		d->digits++;
		return SIZE;
	}
	if (digit >= 0 || d->digits == 0)
		return BAD;
	d->line = 0;
	return c == ';' ? EXTENSION : c == '\r' ? SIZE_LF : BAD;
}

static bool is_control(unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; }

static int after_trailer(struct chunked *d, unsigned char c)
{
	if (++d->trailer > TRAILER_MOST)
		return BAD;
	switch (d->state) {
	case TRAILER_START:
		// A line that begins with a blank would continue the one before.
		if (c == '\r')
			return LAST_LF;
		return is_control(c) || c == ' ' || c == '\t' || c == ':' ? BAD : TRAILER_NAME;
	case TRAILER_NAME:
		if (c == ':')
			return TRAILER_VALUE;
		return is_control(c) || c == ' ' || c == '\t' ? BAD : TRAILER_NAME;
	default: // TRAILER_VALUE
		return c == '\r' ? TRAILER_LF : is_control(c) ? BAD : TRAILER_VALUE;
	}
}

static int after(struct chunked *d, unsigned char c)
{
	switch (d->state) {
	case SIZE:
		return after_size(d, c);
	case EXTENSION:
		if (++d->line > EXTENSION_MOST)
			return BAD;
		return c == '\r' ? SIZE_LF : is_control(c) ? BAD : EXTENSION;
	case SIZE_LF:
		if (c != '\n' || !is_worth_it(d))
			return BAD;
		return d->left ? DATA : TRAILER_START;
	case DATA_CR:
		return c == '\r' ? DATA_LF : BAD;
	case DATA_LF:
		d->digits = 0;
		return c == '\n' ? SIZE : BAD;
	case TRAILER_LF:
		return c == '\n' ? TRAILER_START : BAD;
	case LAST_LF:
		return c == '\n' ? END : BAD;
	case BAD:
		return BAD;
	default:
		return after_trailer(d, c);
	}
}

enum chunked_result chunked_step(struct chunked *d, const char *bytes, size_t count, size_t *used)
{
	size_t i = 0;
	while (i < count && d->state != DATA && d->state != END && d->state != BAD) {
		d->state = after(d, (unsigned char)bytes[i++]);
		if (d->state == TRAILER_START && !d->in_trailers) {
			d->in_trailers = true;
			*used = i;
			return CHUNKED_TRAILERS;
		}
	}
	*used = i;
	switch (d->state) {
	case DATA:
		return CHUNKED_DATA;
	case END:
		return CHUNKED_END;
	case BAD:
		return CHUNKED_BAD;
	default:
		return CHUNKED_MORE;
	}
}

void chunked_took(struct chunked *d, size_t count)
{
	d->left -= count;
	if (d->left == 0)
		d->state = DATA_CR;
}
