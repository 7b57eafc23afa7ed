// SPDX-License-Identifier: MIT
/*
 * The writer of reports: a fixed buffer that its user provides, and write(2).
 */
#include "debug/writer.h"

#include "base/atomic.h"
#include "base/digits.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

// A reader who takes nothing for so long has gone; a guess.
enum { PATIENCE_MS = 1000 };

uint32_t writer_flushes;

void writer_to_fd(struct writer *w, int fd, char *buffer, size_t n)
{
	*w = (struct writer){.buffer = buffer, .capacity = n, .fd = fd};
}

void writer_to_text(struct writer *w, char *buffer, size_t n)
{
	*w = (struct writer){.buffer = buffer, .capacity = n - 1, .fd = -1};
	buffer[0] = 0;
}

// Writes everything, or returns false.
static bool write_all(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t written = write(fd, bytes, n);

		if (written >= 0) {
			bytes += written;
			n -= (size_t)written;
		} else if (errno == EAGAIN) {
			struct pollfd p = {.fd = fd, .events = POLLOUT};

			if (poll(&p, 1, PATIENCE_MS) == 0)
				return false;
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

void writer_flush(struct writer *w)
{
	int saved_errno = errno;

	if (w->fd < 0)
		return;
	if (!w->is_cut && !write_all(w->fd, w->buffer, w->length))
		w->is_cut = true;
	(void)add_relaxed(&writer_flushes, 1); // a statistic
	w->length = 0;
	errno = saved_errno;
}

void writer_bytes(struct writer *w, const char *bytes, size_t n)
{
	while (n > 0) {
		size_t room = w->capacity - w->length;

		if (room == 0 && w->fd >= 0) {
			writer_flush(w);
			continue;
		}
		if (room == 0) {
			w->is_cut = true;
			break;
		}
		if (room > n)
			room = n;
		memcpy(w->buffer + w->length, bytes, room);
		w->length += room;
		bytes += room;
		n -= room;
	}
	if (w->fd < 0)
		w->buffer[w->length] = 0;
}

void writer_text(struct writer *w, const char *text) { writer_bytes(w, text, strlen(text)); }

static void write_in_base(struct writer *w, uint64_t n, unsigned base)
{
	char digits[DIGITS_MAX];
	const char *at = digits_write(digits, n, base);

	writer_bytes(w, at, (size_t)(digits + DIGITS_MAX - at));
}

void writer_number(struct writer *w, uint64_t n) { write_in_base(w, n, 10); }

void writer_hex(struct writer *w, uint64_t n)
{
	writer_text(w, "0x");
	write_in_base(w, n, 16);
}
