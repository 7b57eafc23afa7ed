// SPDX-License-Identifier: MIT
/*
 * Connections that are sockets. Each transfer tries the system call, and waits for an event if it
 * would block; see sched/netpoll.h for why none is lost.
 *
 * Go: src/internal/poll/fd_unix.go, src/net/sock_posix.go, fd_unix.go
 */
#include "net/socket.h"

#include "io/io.h"
#include "net/gather.h"
#include "sys/files.h"
#include "sys/sockets.h"
#include <tuza/error.h>
#include <tuza/goroutine.h>
#include <tuza/time.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PIECES_MOST = 1024, // Linux's UIO_MAXIOV: more are an error
	ROW_LEAST = 4,      // accepted in a row: a tenth of a millisecond's work
	ROW_SHARE = 2,      // or one for so many that wait to run, if those are more
	ROW_MOST = 256,     // but no more than have their turn before the next row
};

static bool is_tcp(const struct conn *c)
{
	return c->fd >= 0 && c->type == SOCK_STREAM && c->family != AF_UNIX;
}

// ---- transfer ---------------------------------------------------------------------------------

/*
 * Nothing has come since the last read, which took all there was: the call would fail with EAGAIN,
 * and is saved. A server that answers a request and waits for the next one does so each time.
 *
 * The event of what comes after that read's call is counted after it, so after `drained`
 * was taken (poll_word.h). An end, an error and urgent data, which may have been there already,
 * mark the word for good. Linux: epoll(7), Q9; tcp_recvmsg stops early at urgent data only.
 */
static bool is_drained(const struct conn *c, uint64_t seen)
{
	return netpoll_is_drained(c->drained, seen) && load_relaxed(&c->is_plain_tcp); // see conn.h
}

static ssize_t receive(struct conn *c, void *bytes, size_t count, tuza_address *from)
{
	socklen_t room = ADDRESS_ROOM;
	if (!from)
		return sys_receive(c->fd, bytes, count, NULL, NULL);
	ssize_t n = sys_receive(c->fd, bytes, count, address_of(from), &room);
	if (n >= 0)
		from->bytes_ = room <= ADDRESS_ROOM ? room : 0;
	return n;
}

static ssize_t socket_read(struct conn *c, void *bytes, size_t count, tuza_address *from)
{
	uint64_t seen;
	ssize_t n;
	do {
		int error = netpoll_begin(c->poll, c->generation, NETPOLL_READ, &seen);
		if (error)
			return error;
		n = is_drained(c, seen) ? -EAGAIN : receive(c, bytes, count, from);
	} while (conn_again(c, NETPOLL_READ, seen, &n));
	c->drained = n > 0 && (size_t)n < count ? seen : NETPOLL_NONE;
	return n;
}

// One wait is all for a count of 0: who reads next finds out whether it was for nothing, and saves
// another look.
static ssize_t socket_peek(struct conn *c, void *bytes, size_t count)
{
	uint64_t seen;
	ssize_t n;
	char one;
	do {
		int error = netpoll_begin(c->poll, c->generation, NETPOLL_READ, &seen);
		if (error)
			return error;
		n = is_drained(c, seen) ? -EAGAIN
					: sys_peek(c->fd, count ? bytes : &one, count ? count : 1);
		if (n == -EAGAIN && count == 0)
			return netpoll_wait(c->poll, c->generation, NETPOLL_READ, seen);
	} while (conn_again(c, NETPOLL_READ, seen, &n));
	return n < 0 || count ? n : 0;
}

// Moves on in the pieces by n bytes; returns how many pieces are left.
static size_t advance(struct iovec **pieces, size_t count, size_t n)
{
	while (count > 0 && n >= (*pieces)->iov_len) {
		n -= (*pieces)->iov_len;
		++*pieces;
		count--;
	}
	if (count > 0) {
		(*pieces)->iov_base = (char *)(*pieces)->iov_base + n;
		(*pieces)->iov_len -= n;
	}
	return count;
}

static ssize_t socket_write(struct conn *c, struct iovec *pieces, size_t count)
{
	ssize_t done = 0, n;
	uint64_t seen;
	do {
		do {
			int error = netpoll_begin(c->poll, c->generation, NETPOLL_WRITE, &seen);
			if (error)
				return done ? done : error;
			n = count == 1 ? gather_send(c->fd, pieces->iov_base, pieces->iov_len)
				       : sys_send_parts(c->fd, pieces,
						 count < PIECES_MOST ? count : PIECES_MOST);
		} while (conn_again(c, NETPOLL_WRITE, seen, &n));
		if (n < 0)
			return done ? done : n;
		done += n;
		count = advance(&pieces, count, (size_t)n);
	} while (count > 0);
	return done;
}

EXPORT ssize_t tuza_conn_write_to(
	tuza_conn *conn, const void *bytes, size_t count, const tuza_address *to)
{
	struct conn *c = conn_begin(conn);
	if (!c)
		return TUZA_ECONNCLOSED;
	uint64_t seen;
	ssize_t n = -ENOTSOCK;
	if (c->fd >= 0) {
		io_will_write(bytes, count);
		conn_take_turn(c, TURN_WRITE);
		do {
			n = netpoll_begin(c->poll, c->generation, NETPOLL_WRITE, &seen);
			if (n == 0)
				n = sys_send(c->fd, bytes, count, address_look(to), to->bytes_);
		} while (conn_again(c, NETPOLL_WRITE, seen, &n));
		conn_pass_turn(c, TURN_WRITE);
	}
	conn_end(c);
	return conn_result(n);
}

// ---- the rest of what a socket can do ---------------------------------------------------------

static int socket_shut(struct conn *c, int how) { return sys_shutdown(c->fd, how); }

static int socket_address(struct conn *c, bool remote, tuza_address *a)
{
	socklen_t room = ADDRESS_ROOM;
	memset(a, 0, sizeof *a);
	int error = remote ? sys_get_remote(c->fd, address_of(a), &room)
			   : sys_get_local(c->fd, address_of(a), &room);
	if (!error)
		a->bytes_ = room <= ADDRESS_ROOM ? room : 0;
	return error;
}

static void socket_close(struct conn *c)
{
	// Go: before the close, so that another may take the path.
	if (c->path)
		(void)sys_unlink(c->path);
	netpoll_close(c->poll, c->fd);
}

static void socket_destroy(struct conn *c)
{
	// It waits only if SO_LINGER says so, which is the program's doing. Else the goroutine
	// keeps its processor: those that wait to run would wake a thread for each close.
	bool may_linger = is_tcp(c) && !load_relaxed(&c->is_plain_tcp); // see conn.h
	if (may_linger)
		tuza_blocking_begin();
	(void)sys_close(c->fd);
	if (may_linger)
		tuza_blocking_end();
	netpoll_closed(c->poll);
	free(c->path);
	if (c->accepts.free)
		c->accepts.free(c->accepts.arg);
}

static const struct conn_kind socket_kind = {
	.read = socket_read,
	.peek = socket_peek,
	.write = socket_write,
	.shut = socket_shut,
	.address = socket_address,
	.close = socket_close,
	.destroy = socket_destroy,
};

// ---- making -----------------------------------------------------------------------------------

// As socket_make, of a descriptor that is there: it is closed on failure.
static int adopt(int fd, int family, int type, struct conn **result)
{
	struct conn *c = conn_new(&socket_kind);
	int error = c ? netpoll_open(fd, &c->poll, &c->generation) : -ENOMEM;
	if (error) {
		(void)sys_close(fd);
		if (c)
			conn_discard(c);
		return error;
	}
	c->fd = fd;
	c->family = family;
	c->type = type;
	store_relaxed(&c->is_plain_tcp, is_tcp(c)); // nobody else knows it
	*result = c;
	return 0;
}

int socket_make(int family, int type, struct conn **result)
{
	int fd = sys_socket(family, type, 0);
	return fd < 0 ? fd : adopt(fd, family, type, result);
}

void socket_discard(struct conn *c)
{
	netpoll_close(c->poll, c->fd);
	socket_destroy(c);
	conn_discard(c);
}

static int set_keepalive(struct conn *c, int64_t idle, int64_t interval, int probes)
{
	// Linux's limits: of both times, and of the probes.
	const int64_t second = TUZA_SECOND, most = 32767;
	const int most_probes = 127;
	int error = sys_set_option(c->fd, SOL_SOCKET, SO_KEEPALIVE, idle > 0);
	if (error || idle <= 0)
		return error;
	int64_t seconds = idle / second + (idle % second != 0);
	error = sys_set_option(
		c->fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)(seconds < most ? seconds : most));
	if (!error && interval > 0) {
		seconds = interval / second + (interval % second != 0);
		error = sys_set_option(
			c->fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)(seconds < most ? seconds : most));
	}
	if (!error && probes > 0)
		error = sys_set_option(c->fd, IPPROTO_TCP, TCP_KEEPCNT,
			probes < most_probes ? probes : most_probes);
	return error;
}

void socket_set_defaults(struct conn *c)
{
	if (!is_tcp(c))
		return;
	// Hints to the system: a connection without them works.
	(void)sys_set_option(c->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	(void)set_keepalive(c, 15 * TUZA_SECOND, 15 * TUZA_SECOND, 9); // Go's
}

EXPORT int tuza_conn_set_nodelay(tuza_conn *conn, bool on)
{
	struct conn *c = conn_begin_lowest(conn);
	if (!c)
		return TUZA_ECONNCLOSED;
	int error = is_tcp(c) ? sys_set_option(c->fd, IPPROTO_TCP, TCP_NODELAY, on) : -ENOTSUP;
	conn_end(c);
	return error;
}

EXPORT int tuza_conn_set_keepalive(
	tuza_conn *conn, tuza_duration idle, tuza_duration interval, int probes)
{
	struct conn *c = conn_begin_lowest(conn);
	if (!c)
		return TUZA_ECONNCLOSED;
	int error = is_tcp(c) ? set_keepalive(c, idle, interval, probes) : -ENOTSUP;
	conn_end(c);
	return error;
}

// ---- connecting and accepting -----------------------------------------------------------------

int socket_connect(struct conn *c, const tuza_address *to)
{
	uint64_t seen;
	for (int64_t nap = TUZA_MILLISECOND;;) {
		int error = netpoll_begin(c->poll, c->generation, NETPOLL_WRITE, &seen);
		if (error)
			return error;
		int r = sys_connect(c->fd, address_look(to), to->bytes_);
		if (r == 0 || r == -EISCONN)
			return 0;
		if (r == -EINTR)
			continue;
		if (r == -EAGAIN && c->family == AF_UNIX) {
			// The listener's queue is full, and nothing tells when it is not: linear
			// back-off, a guess.
			error = netpoll_pause(
				c->poll, c->generation, NETPOLL_WRITE, tuza_now() + nap);
			nap += TUZA_MILLISECOND;
		} else if (r == -EINPROGRESS || r == -EALREADY) {
			error = netpoll_wait(c->poll, c->generation, NETPOLL_WRITE, seen);
		} else {
			return r;
		}
		if (error)
			return error;
	}
}

// Errors that go by: no descriptor or no memory left.
static bool is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

// Somebody has to know why nobody is served, and nobody can be asked. Once a minute will do, for
// all listeners: who lacks descriptors lacks them everywhere.
static void tell_shortage(struct conn *l, int error)
{
	static int64_t told; // when; 0: never
	int64_t now = tuza_now(), before = load_relaxed(&told);
	char address[TUZA_ADDRESS_TEXT] = "", text[TUZA_ADDRESS_TEXT + 128];
	tuza_address a;
	if ((before && now - before < TUZA_MINUTE) || !cas_relaxed(&told, &before, now))
		return;
	if (socket_address(l, false, &a) == 0)
		(void)tuza_address_text(&a, address, sizeof address);
	int n = snprintf(text, sizeof text, "tuza: accept at %s: %s; who connects has to wait\n",
		address, tuza_strerror(error));
	(void)!sys_write(STDERR_FILENO, text, (size_t)n);
}

/*
 * Where many come at once they wait in the kernel, which costs nothing: after a few of them,
 * those that are here already and have something to do go first. The few are more where more have
 * something to do: or the last of a thousand who talk all the time came when the first had long
 * been served. Never more than the others' turns, or who is accepted could keep the row long.
 */
static bool is_row_over(const struct conn *l)
{
	return l->in_a_row >= ROW_LEAST &&
	       (l->in_a_row >= ROW_MOST || (uint32_t)l->in_a_row >= park_all_others() / ROW_SHARE);
}

int socket_accept(struct conn *l, struct conn **result)
{
	// Go's http.Server: 5 ms, doubled up to a second.
	int64_t nap = 5 * TUZA_MILLISECOND;
	for (;;) {
		uint64_t seen;
		if (is_row_over(l)) {
			l->in_a_row = 0;
			netpoll_give_way();
		}
		int error = netpoll_begin(l->poll, l->generation, NETPOLL_READ, &seen);
		if (error)
			return error;
		int fd = sys_accept(l->fd, NULL, NULL);
		if (fd >= 0) {
			l->in_a_row++;
			fd = adopt(fd, l->family, SOCK_STREAM, result);
			if (fd == 0) {
				// What the program has set on the listener, it inherits. Nobody
				// else knows it yet; the listener's as in tuza_conn_fd.
				if (!load_relaxed(&l->is_plain_tcp))
					store_relaxed(&(*result)->is_plain_tcp, false);
				return 0;
			}
		}
		if (fd == -EAGAIN) {
			l->in_a_row = 0;
			error = netpoll_wait(l->poll, l->generation, NETPOLL_READ, seen);
		} else if (is_shortage(fd)) {
			tell_shortage(l, fd);
			error = netpoll_pause(
				l->poll, l->generation, NETPOLL_READ, tuza_now() + nap);
			nap = nap * 2 < TUZA_SECOND ? nap * 2 : TUZA_SECOND;
		} else if (fd != -ECONNABORTED && fd != -EINTR) {
			return fd;
		}
		if (error)
			return error;
	}
}
