// SPDX-License-Identifier: MIT
/*
 * Formats: https://protobuf.dev/programming-guides/encoding, RFC 1952 (gzip), RFC 1951 3.2.4
 * (stored blocks).
 */
#include "pprof/bytes.h"

#include "base/digits.h"
#include "debug/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void bytes_free(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){0};
}

void bytes_put(struct bytes *b, const void *data, size_t n)
{
	if (b->failed || n == 0)
		return;
	if (b->capacity - b->length < n) {
		size_t capacity = align_up((b->length + n) * 2, 256);
		unsigned char *grown = realloc(b->data, capacity);

		if (!grown) {
			b->failed = true;
			return;
		}
		b->data = grown;
		b->capacity = capacity;
	}
	memcpy(b->data + b->length, data, n);
	b->length += n;
}

void bytes_text(struct bytes *b, const char *text) { bytes_put(b, text, strlen(text)); }

static void put_in_base(struct bytes *b, uint64_t n, unsigned base)
{
	char digits[DIGITS_MAX];
	const char *at = digits_write(digits, n, base);

	bytes_put(b, at, (size_t)(digits + DIGITS_MAX - at));
}

void bytes_number(struct bytes *b, uint64_t n) { put_in_base(b, n, 10); }

void bytes_hex(struct bytes *b, uint64_t n)
{
	bytes_text(b, "0x");
	put_in_base(b, n, 16);
}

// ---- protocol buffers --------------------------------------------------------------------------

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

void proto_varint(struct bytes *b, uint64_t n)
{
	unsigned char digits[10]; // seven bits each
	size_t count = 0;

	for (; n >= 128; n >>= 7)
		digits[count++] = (unsigned char)(n | 128);
	digits[count++] = (unsigned char)n;
	bytes_put(b, digits, count);
}

void proto_uint(struct bytes *b, unsigned field, uint64_t n)
{
	if (n == 0)
		return;
	proto_varint(b, field << 3 | WIRE_VARINT);
	proto_varint(b, n);
}

void proto_text(struct bytes *b, unsigned field, const char *text, size_t n)
{
	proto_varint(b, field << 3 | WIRE_BYTES);
	proto_varint(b, n);
	bytes_put(b, text, n);
}

void proto_bytes(struct bytes *b, unsigned field, struct bytes *inner)
{
	proto_text(b, field, (const char *)inner->data, inner->length);
	b->failed |= inner->failed;
	inner->length = 0;
}

// ---- gzip --------------------------------------------------------------------------------------

// CRC-32 of gzip, bit by bit: a profile is not worth a table.
static uint32_t crc32_of(const unsigned char *data, size_t n)
{
	uint32_t crc = 0xffffffff;

	while (n--) {
		crc ^= *data++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static void put_little(struct bytes *b, uint32_t n, int count)
{
	for (; count > 0; count--, n >>= 8)
		bytes_put(b, &(unsigned char){(unsigned char)n}, 1);
}

void bytes_gzip(struct bytes *to, const struct bytes *from)
{
	static const unsigned char head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
	enum { STORED_MAX = 0xffff };
	size_t at = 0;

	to->failed |= from->failed;
	bytes_put(to, head, sizeof(head));
	do {
		size_t left = from->length - at, n = left < STORED_MAX ? left : STORED_MAX;

		put_little(to, at + n == from->length, 1); // the last block? stored
		put_little(to, (uint32_t)n, 2);
		put_little(to, ~(uint32_t)n, 2);
		bytes_put(to, from->data + at, n);
		at += n;
	} while (at < from->length);
	put_little(to, crc32_of(from->data, from->length), 4);
	put_little(to, (uint32_t)from->length, 4);
}

int bytes_write(const struct bytes *b, int fd)
{
	char buffer[1024];
	struct writer w;

	if (b->failed)
		return -ENOMEM;
	writer_to_fd(&w, fd, buffer, sizeof(buffer));
	writer_bytes(&w, (const char *)b->data, b->length);
	writer_flush(&w);
	return w.is_cut ? -EIO : 0;
}
