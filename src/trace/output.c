// SPDX-License-Identifier: MIT
/*
 * Buffers and descriptors. See output.h.
 */
#include "trace/output.h"

#include "sys/files.h"
#include "sys/sys.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

void piece_free(struct piece *p)
{
	if (p->data)
		sys_pages_free(p->data, PIECE_BYTES);
	*p = (struct piece){0};
}

void piece_bytes(struct piece *p, const void *data, size_t n)
{
	if (!p->data)
		p->data = sys_pages_alloc(PIECE_BYTES);
	if (!p->data || n > piece_room(p)) {
		p->failed = true;
		return;
	}
	memcpy(p->data + p->length, data, n);
	p->length += (uint32_t)n;
}

void piece_byte(struct piece *p, unsigned byte)
{
	unsigned char b = (unsigned char)byte;

	piece_bytes(p, &b, 1);
}

void piece_varint(struct piece *p, uint64_t n)
{
	unsigned char bytes[10];
	size_t length = 0;

	for (; n >= 128; n >>= 7)
		bytes[length++] = (unsigned char)(n | 128);
	bytes[length++] = (unsigned char)n;
	piece_bytes(p, bytes, length);
}

void output_bytes(struct output *o, const void *data, size_t n)
{
	const char *at = data;

	while (n > 0 && !o->error) {
		ssize_t written = sys_write(o->fd, at, n);

		if (written > 0) {
			at += written;
			n -= (size_t)written;
		} else if (written == -EAGAIN) {
			struct pollfd fd = {.fd = o->fd, .events = POLLOUT};
			int saved_errno = errno;

			// Whoever does not read for ten seconds does not want it.
			if (poll(&fd, 1, 10000) == 0)
				o->error = -EIO;
			errno = saved_errno;
		} else if (written != -EINTR) {
			o->error = -EIO;
		}
	}
}

void output_piece(struct output *o, struct piece *p)
{
	if (p->failed && !o->error)
		o->error = -ENOMEM;
	if (p->length > 0)
		output_bytes(o, p->data, p->length);
	p->length = 0;
}
