// SPDX-License-Identifier: MIT
/*
 * Connections that are ends of pipes. As sockets (socket.c), with read and write for calls.
 *
 * A write raises no SIGPIPE: that the reader has gone is an error for whoever writes, not the end
 * of the process. Go does the same for all but standard output and error.
 */
#include "net/descriptor.h"

#include "sys/files.h"
#include "sys/poller.h"
#include <tuza/goroutine.h>

#include <errno.h>
#include <string.h>

static ssize_t descriptor_read(struct conn *c, void *bytes, size_t count, tuza_address *from)
{
	uint64_t seen;
	ssize_t n;

	if (from)
		memset(from, 0, sizeof *from);
	do {
		int error = netpoll_begin(c->poll, c->generation, NETPOLL_READ, &seen);
		if (error)
			return error;
		n = sys_read(c->fd, bytes, count);
	} while (conn_again(c, NETPOLL_READ, seen, &n));
	return n;
}

static ssize_t descriptor_peek(struct conn *c, void *bytes, size_t count)
{
	uint64_t seen;

	(void)bytes;
	if (count > 0)
		return -EOPNOTSUPP;
	int error = netpoll_begin(c->poll, c->generation, NETPOLL_READ, &seen);
	if (error || sys_poll_now(c->fd, SYS_POLL_READ) != 0)
		return error;
	return netpoll_wait(c->poll, c->generation, NETPOLL_READ, seen);
}

static ssize_t write_piece(struct conn *c, const char *bytes, size_t count, ssize_t *done)
{
	uint64_t seen;
	ssize_t n;

	for (; count > 0; bytes += n, count -= (size_t)n, *done += n) {
		do {
			int error = netpoll_begin(c->poll, c->generation, NETPOLL_WRITE, &seen);
			if (error)
				return error;
			n = sys_write_quietly(c->fd, bytes, count);
		} while (conn_again(c, NETPOLL_WRITE, seen, &n));
		if (n < 0)
			return n;
	}
	return 0;
}

static ssize_t descriptor_write(struct conn *c, struct iovec *pieces, size_t count)
{
	ssize_t done = 0;

	for (size_t i = 0; i < count; i++) {
		ssize_t error = write_piece(c, pieces[i].iov_base, pieces[i].iov_len, &done);
		if (error)
			return done ? done : error;
	}
	return done;
}

static int descriptor_shut(struct conn *c, int how)
{
	(void)c;
	(void)how;
	return -ENOTSOCK;
}

static int descriptor_address(struct conn *c, bool remote, tuza_address *a)
{
	(void)c;
	(void)remote;
	memset(a, 0, sizeof *a); // it has no name
	return 0;
}

static void descriptor_close(struct conn *c) { netpoll_close(c->poll, c->fd); }

static void descriptor_destroy(struct conn *c)
{
	(void)sys_close(c->fd);
	netpoll_closed(c->poll);
}

static const struct conn_kind descriptor_kind = {
	.read = descriptor_read,
	.peek = descriptor_peek,
	.write = descriptor_write,
	.shut = descriptor_shut,
	.address = descriptor_address,
	.close = descriptor_close,
	.destroy = descriptor_destroy,
};

int descriptor_conn(int fd, tuza_conn **conn)
{
	int error = sys_set_nonblocking(fd);
	if (error)
		return error;
	struct conn *c = conn_new(&descriptor_kind);
	if (!c)
		return -ENOMEM;
	error = netpoll_open(fd, &c->poll, &c->generation);
	if (error) {
		conn_discard(c);
		return error;
	}
	c->fd = fd;
	c->family = c->type = 0;
	*conn = conn_open(c);
	return 0;
}
