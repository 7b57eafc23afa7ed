// SPDX-License-Identifier: MIT
/*
 * The calls on connections, of whatever kind: each is an operation on the slot, reads and writes
 * take turns, and the kind does the rest.
 */
#include "net/conn.h"

#include "io/io.h"
#include "net/address.h"
#include "net/layer.h"
#include "sched/blocking.h"
#include <tuza/error.h>
#include <tuza/panic.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

ssize_t conn_result(ssize_t result)
{
	switch (result) {
	case TUZA_EFDCLOSED:
		return TUZA_ECONNCLOSED;
	case -ETIMEDOUT:
		return TUZA_ECONNTIMEOUT; // -ETIMEDOUT is what contexts say
	default:
		return result;
	}
}

// ---- transfer ---------------------------------------------------------------------------------

// A transfer is over. One that always finds bytes and room never parks, so it looks here whether it
// has had its time.
static ssize_t end_transfer(struct conn *c, ssize_t result)
{
	conn_end(c);
	preempt_check();
	return conn_result(result);
}

static ssize_t read_turn(struct conn *c, void *bytes, size_t count, tuza_address *from)
{
	if (count > IO_MOST)
		count = IO_MOST;
	conn_take_turn(c, TURN_READ);
	ssize_t n = c->kind->read(c, bytes, count, from);
	conn_pass_turn(c, TURN_READ);
	return n;
}

EXPORT ssize_t tuza_conn_read(tuza_conn *conn, void *bytes, size_t count)
{
	struct conn *c = conn_begin(conn);
	if (!c)
		return TUZA_ECONNCLOSED;
	ssize_t n = count ? read_turn(c, bytes, count, NULL) : 0;
	if (n > 0)
		io_has_read(bytes, (size_t)n);
	return end_transfer(c, n);
}

static ssize_t peek_turn(struct conn *c, void *bytes, size_t count)
{
	conn_take_turn(c, TURN_READ);
	ssize_t n = c->kind->peek(c, bytes, count);
	conn_pass_turn(c, TURN_READ);
	return n;
}

EXPORT ssize_t tuza_conn_peek(tuza_conn *conn, void *bytes, size_t count)
{
	struct conn *c = conn_begin(conn);
	if (!c)
		return TUZA_ECONNCLOSED;
	ssize_t n = count ? peek_turn(c, bytes, count < IO_MOST ? count : IO_MOST) : 0;
	conn_end(c);
	if (n > 0)
		io_has_read(bytes, (size_t)n);
	return conn_result(n);
}

EXPORT int tuza_conn_wait_readable(tuza_conn *conn)
{
	struct conn *c = conn_begin(conn);
	if (!c)
		return TUZA_ECONNCLOSED;
	int error = (int)peek_turn(c, NULL, 0);
	conn_end(c);
	return (int)conn_result(error);
}

EXPORT ssize_t tuza_conn_read_into(
	tuza_conn *conn, void *(*room)(void *arg, size_t *count), void *arg)
{
	struct conn *c = conn_begin(conn);
	if (!c)
		return TUZA_ECONNCLOSED;
	conn_take_turn(c, TURN_READ);
	size_t count = 0;
	void *bytes = NULL;
	ssize_t n = c->kind->peek(c, NULL, 0);
	if (n == 0 && !(bytes = room(arg, &count)))
		n = -ENOMEM;
	if (n == 0 && count > 0)
		n = c->kind->read(c, bytes, count < IO_MOST ? count : IO_MOST, NULL);
	conn_pass_turn(c, TURN_READ);
	if (n > 0)
		io_has_read(bytes, (size_t)n);
	return end_transfer(c, n);
}

EXPORT ssize_t tuza_conn_read_from(tuza_conn *conn, void *bytes, size_t count, tuza_address *from)
{
	struct conn *c = conn_begin(conn);
	if (!c)
		return TUZA_ECONNCLOSED;
	tuza_address ignored;
	ssize_t n = read_turn(c, bytes, count, from ? from : &ignored);
	if (n >= 0) {
		io_has_read(bytes, (size_t)n);
		race_write(from, sizeof *from);
	}
	return end_transfer(c, n);
}

static ssize_t write_turn(struct conn *c, struct iovec *pieces, size_t count)
{
	conn_take_turn(c, TURN_WRITE);
	ssize_t n = c->kind->write(c, pieces, count);
	conn_pass_turn(c, TURN_WRITE);
	return n;
}

EXPORT ssize_t tuza_conn_write(tuza_conn *conn, const void *bytes, size_t count)
{
	struct conn *c = conn_begin(conn);
	if (!c)
		return TUZA_ECONNCLOSED;
	struct iovec piece = {(void *)(uintptr_t)bytes, count};
	io_will_write(bytes, count);
	return end_transfer(c, write_turn(c, &piece, 1));
}

// The pieces are copied: the kind moves on in them.
EXPORT ssize_t tuza_conn_writev(tuza_conn *conn, const struct iovec *pieces, int count)
{
	enum { ON_STACK = 64 };
	struct iovec few[ON_STACK], *copy = few;
	struct conn *c = conn_begin(conn);
	if (!c)
		return TUZA_ECONNCLOSED;
	if (count < 0)
		return end_transfer(c, -EINVAL);
	ssize_t n = -ENOMEM;
	if (count > ON_STACK)
		copy = malloc((size_t)count * sizeof *copy);
	if (copy) {
		for (int i = 0; i < count; i++) {
			copy[i] = pieces[i];
			io_will_write(pieces[i].iov_base, pieces[i].iov_len);
		}
		n = write_turn(c, copy, (size_t)count);
	}
	if (copy != few)
		free(copy);
	return end_transfer(c, n);
}

// ---- ends -------------------------------------------------------------------------------------

EXPORT int tuza_conn_close(tuza_conn *conn) { return conn_close(conn); }

static int shut(tuza_conn *conn, int how)
{
	struct conn *c = conn_begin(conn);
	if (!c)
		return TUZA_ECONNCLOSED;
	int error = c->kind->shut(c, how);
	conn_end(c);
	return (int)conn_result(error);
}

EXPORT int tuza_conn_close_write(tuza_conn *conn) { return shut(conn, SHUT_WR); }
EXPORT int tuza_conn_close_read(tuza_conn *conn) { return shut(conn, SHUT_RD); }

// ---- deadlines --------------------------------------------------------------------------------

static int set_deadline(const void *handle, uint32_t directions, int64_t deadline)
{
	struct conn *c = conn_begin(handle);
	if (!c)
		return TUZA_ECONNCLOSED;
	int error = conn_is_layer(c)
			    ? layer_set_deadline(c, directions, deadline)
			    : netpoll_set_deadline(c->poll, c->generation, directions, deadline);
	conn_end(c);
	return (int)conn_result(error);
}

EXPORT int tuza_conn_set_deadline(tuza_conn *conn, int64_t deadline)
{
	return set_deadline(conn, NETPOLL_READ | NETPOLL_WRITE, deadline);
}

EXPORT int tuza_conn_set_read_deadline(tuza_conn *conn, int64_t deadline)
{
	return set_deadline(conn, NETPOLL_READ, deadline);
}

EXPORT int tuza_conn_set_write_deadline(tuza_conn *conn, int64_t deadline)
{
	return set_deadline(conn, NETPOLL_WRITE, deadline);
}

EXPORT int tuza_listener_set_deadline(tuza_listener *l, int64_t deadline)
{
	return set_deadline(l, NETPOLL_READ, deadline);
}

// ---- looking at it ----------------------------------------------------------------------------

// The address of one end, or of a listener, as text.
static int address_text_of(const void *handle, bool remote, char *text, size_t bytes)
{
	tuza_address a;
	struct conn *c = conn_begin_lowest(handle);
	if (!c)
		return TUZA_ECONNCLOSED;
	int error = c->kind->address(c, remote, &a);
	conn_end(c);
	return error ? error : tuza_address_text(&a, text, bytes);
}

EXPORT int tuza_conn_local_address(tuza_conn *conn, char *text, size_t bytes)
{
	return address_text_of(conn, false, text, bytes);
}

EXPORT int tuza_conn_remote_address(tuza_conn *conn, char *text, size_t bytes)
{
	return address_text_of(conn, true, text, bytes);
}

EXPORT int tuza_listener_address(tuza_listener *l, char *text, size_t bytes)
{
	return address_text_of(l, false, text, bytes);
}

static int fd_of(const void *handle)
{
	struct conn *c = conn_begin_lowest(handle);
	if (!c)
		return TUZA_ECONNCLOSED;
	int fd = c->fd >= 0 ? c->fd : -EBADF;
	// Relaxed: reads under way are behind what the program does only now.
	store_relaxed(&c->is_plain_tcp, false);
	conn_end(c);
	return fd;
}

EXPORT int tuza_conn_fd(tuza_conn *conn) { return fd_of(conn); }
EXPORT int tuza_listener_fd(tuza_listener *l) { return fd_of(l); }
