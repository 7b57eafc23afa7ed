// SPDX-License-Identifier: MIT
/*
 * Files: always ready, so never waited for; but the disk is slow, so each call is a blocking
 * section. An interruption by a signal starts the call again.
 *
 * What is in the system's cache is read without a section: it takes a microsecond, and while others
 * wait to run a section costs ten, since it hands the processor on at once. Rejected: io_uring;
 * docs/ARCHITECTURE.md has the figures.
 */
#include <tuza/io.h>

#include "io/io.h"
#include "sched/blocking.h"
#include "sched/park.h"
#include "sys/files.h"
#include <tuza/goroutine.h>

#include <errno.h>

EXPORT int tuza_open(const char *path, int flags, unsigned mode)
{
	int result;
	do {
		tuza_blocking_begin();
		result = sys_open(path, flags, mode);
		tuza_blocking_end();
	} while (result == -EINTR);
	return result;
}

// A piece of what is to be read, or -EINTR.
static ssize_t read_piece(int fd, void *bytes, size_t count, int64_t offset)
{
	if (offset >= 0 && !blocking_is_inside()) {
		ssize_t n = sys_pread_now(fd, bytes, count < IO_NOW ? count : IO_NOW, offset);
		preempt_check(); // who finds all in the cache never waits
		if (n > 0)
			return n;
	}
	tuza_blocking_begin();
	ssize_t n = sys_pread(fd, bytes, count, offset);
	tuza_blocking_end();
	return n;
}

EXPORT ssize_t tuza_pread(int fd, void *bytes, size_t count, int64_t offset)
{
	size_t done = 0;
	while (done < count) {
		size_t part = count - done < IO_MOST ? count - done : IO_MOST;
		ssize_t n = read_piece(fd, (char *)bytes + done, part, offset + (int64_t)done);
		if (n == -EINTR)
			continue;
		if (n < 0 && done == 0)
			return n;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	io_has_read(bytes, done);
	return (ssize_t)done;
}

EXPORT ssize_t tuza_pwrite(int fd, const void *bytes, size_t count, int64_t offset)
{
	size_t done = 0;
	io_will_write(bytes, count);
	while (done < count) {
		size_t part = count - done < IO_MOST ? count - done : IO_MOST;
		tuza_blocking_begin();
		ssize_t n =
			sys_pwrite(fd, (const char *)bytes + done, part, offset + (int64_t)done);
		tuza_blocking_end();
		if (n == -EINTR)
			continue;
		if (n < 0 && done == 0)
			return n;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

EXPORT int tuza_fsync(int fd)
{
	int result;
	do {
		tuza_blocking_begin();
		result = sys_fsync(fd);
		tuza_blocking_end();
	} while (result == -EINTR);
	return result;
}
