// SPDX-License-Identifier: MIT
/*
 * Descriptors of any origin: waiting, closing, reading, writing.
 *
 * Nothing is known of their mode, and none may be set, so a descriptor is waited for until it is
 * ready, and the call is made in a blocking section all the same: another process may have taken
 * what there was. Sockets have a call that never blocks; it is tried first.
 */
#include <tuza/io.h>

#include "io/io.h"
#include "sched/blocking.h"
#include "sched/netpoll.h"
#include "sched/park.h"
#include "sys/files.h"
#include "sys/sockets.h"
#include <tuza/error.h>
#include <tuza/goroutine.h>

#include <errno.h>
#include <poll.h>

const char io_order;

EXPORT int tuza_wait_fd(int fd, int events, int64_t deadline)
{
	uint32_t directions = 0;
	if (events == 0 || events & ~(POLLIN | POLLOUT))
		return -EINVAL;
	if (events & POLLIN)
		directions |= NETPOLL_READ;
	if (events & POLLOUT)
		directions |= NETPOLL_WRITE;
	int ready = netpoll_wait_fd(fd, directions, deadline);
	if (ready < 0)
		return ready;
	return (ready & NETPOLL_READ ? POLLIN : 0) | (ready & NETPOLL_WRITE ? POLLOUT : 0);
}

EXPORT int tuza_close(int fd)
{
	struct netpoll *n = netpoll_of_fd(fd, true); // a waiter may come meanwhile
	if (n)
		netpoll_close(n, fd);
	tuza_blocking_begin();
	int result = sys_close(fd);
	tuza_blocking_end();
	if (n)
		netpoll_closed(n);
	return result;
}

// Whether the call shall be made again: after an interruption, or after a wait. Else *result is the
// caller's answer.
static bool again(int fd, uint32_t direction, ssize_t *result)
{
	if (*result == -EINTR)
		return true;
	if (*result != -EAGAIN)
		return false;
	int ready = netpoll_wait_fd(fd, direction, 0);
	if (ready < 0)
		*result = ready;
	return ready >= 0;
}

// A filter may forbid the calls for sockets. Then those that are allowed will tell.
static bool is_no_socket(ssize_t result)
{
	return result == -ENOTSOCK || result == -EPERM || result == -EACCES || result == -ENOSYS;
}

static ssize_t read_any(int fd, void *bytes, size_t count)
{
	ssize_t result = -EAGAIN;
	// Inside the caller's own blocking section it may simply block.
	if (!blocking_is_inside() && !again(fd, NETPOLL_READ, &result))
		return result;
	do {
		tuza_blocking_begin();
		result = sys_read(fd, bytes, count);
		tuza_blocking_end();
	} while (again(fd, NETPOLL_READ, &result));
	return result;
}

EXPORT ssize_t tuza_read(int fd, void *bytes, size_t count)
{
	ssize_t result;
	if (count == 0)
		return 0;
	if (count > IO_MOST)
		count = IO_MOST;
	do
		result = sys_receive(fd, bytes, count, NULL, NULL);
	while (again(fd, NETPOLL_READ, &result));
	bool is_other = is_no_socket(result);
	if (is_other && !blocking_is_inside()) {
		// The end is not believed: it is no business of a call that must not wait. That it
		// may not be read is: such a pipe's end is never ready, so nobody may wait for it.
		ssize_t now = sys_pread_now(fd, bytes, count < IO_NOW ? count : IO_NOW, -1);
		preempt_check();
		if (now > 0 || now == -EBADF)
			result = now;
	}
	if (is_other && result < 0 && result != -EBADF)
		result = read_any(fd, bytes, count);
	if (result > 0)
		io_has_read(bytes, (size_t)result);
	return result;
}

static ssize_t write_some(int fd, const char *bytes, size_t count, size_t *limit)
{
	ssize_t result = -EAGAIN;
	if (count > IO_MOST)
		count = IO_MOST;
	if (*limit == 0) {
		do
			result = sys_send(fd, bytes, count, NULL, 0);
		while (again(fd, NETPOLL_WRITE, &result));
		if (!is_no_socket(result))
			return result;
		*limit = sys_write_limit(fd);
		if (*limit == 0) // never ready, either
			return -EBADF;
		result = -EAGAIN;
	}
	if (!blocking_is_inside() && !again(fd, NETPOLL_WRITE, &result))
		return result;
	if (count > *limit)
		count = *limit;
	do {
		tuza_blocking_begin();
		result = sys_write(fd, bytes, count);
		tuza_blocking_end();
	} while (again(fd, NETPOLL_WRITE, &result));
	return result;
}

EXPORT ssize_t tuza_write(int fd, const void *bytes, size_t count)
{
	const char *at = bytes;
	size_t left = count, limit = 0; // 0: a socket, or not known yet
	io_will_write(bytes, count);
	do {
		ssize_t n = write_some(fd, at, left, &limit);
		if (n < 0)
			return left == count ? n : (ssize_t)(count - left);
		at += n;
		left -= (size_t)n;
	} while (left > 0);
	return (ssize_t)count;
}
