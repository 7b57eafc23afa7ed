// SPDX-License-Identifier: MIT
/*
 * The network: streams and datagrams, after Go's net. Calls wait for the goroutine, never for the
 * thread.
 *
 *	static void serve(tuza_conn *conn)
 *	{
 *		char bytes[4096];
 *		ssize_t n;
 *
 *		TUZA_DEFER(tuza_conn_close, conn);
 *		while ((n = tuza_conn_read(conn, bytes, sizeof bytes)) > 0)
 *			if (tuza_conn_write(conn, bytes, (size_t)n) != n)
 *				break;
 *	}
 *
 *	if (tuza_listen("tcp", "127.0.0.1:7", &l) == 0)
 *		while (tuza_accept(l, &conn) == 0)
 *			go(serve, conn);
 *
 * Networks: "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "unix". Addresses are text: "host:port",
 * "[::1]:80", ":80" (every interface; dialled: this machine), a path or "@name" for "unix". Hosts
 * are names or numbers, and so are ports.
 *
 * A tuza_conn and a tuza_listener are handles: they may be copied, used by many goroutines and
 * threads at a time, and used after they were closed: then everything returns TUZA_ECONNCLOSED
 * ("use of closed network connection"), as in Go. Reads take turns with reads and writes with
 * writes: a write is never mixed with another.
 *
 * Deadlines are absolute, in the time of tuza_now; 0 is none. They hold for all calls from then on
 * and those under way, until they are changed. A call past its deadline returns TUZA_EIOTIMEOUT
 * ("i/o timeout"); give a later deadline, and it works again.
 *
 * Reads, writes and accepts take no context. What is to end with one is closed by it:
 *
 *	static void hang_up(void *conn) { tuza_conn_close(conn); }
 *	…
 *	tuza_context_after *stop = tuza_context_after_func(ctx, hang_up, conn);
 *	TUZA_DEFER(tuza_context_after_stop, stop);
 *
 * Results are counts, or negative codes: those of the kernel, and besides
 *
 *	TUZA_EIOTIMEOUT    a deadline has passed      TUZA_ECONNTIMEOUT  the other side is not there
 *	TUZA_ECONNCLOSED   it was closed here         TUZA_EPIPECLOSED   a pipe's end was closed
 *	TUZA_EADDRESS      not a valid address        TUZA_ENETWORK      no such network
 *	TUZA_ENOHOST       no such host name          TUZA_ENOSERVICE    no such port name
 *	TUZA_ERESOLVER     the resolver failed
 *
 * Waiting inside a blocking section panics "tuza: IO wait inside a blocking section". No function
 * may be called in a signal handler. What was done before a write is visible to whoever has read
 * what was written.
 */
#ifndef TUZA_NET_H
#define TUZA_NET_H

#include <tuza/macros.h>

#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tuza_context tuza_context; // tuza/context.h

// A connection, or a socket for datagrams.
typedef struct tuza_conn tuza_conn;

// What accepts connections.
typedef struct tuza_listener tuza_listener;

// Room for the text of an address, with its final NUL.
enum { TUZA_ADDRESS_TEXT = 128 };

// ---- streams -----------------------------------------------------------------------------------

/*
 * Connects.
 *
 *   ctx   its end ends the attempt, with its code; nothing stays open. It has no effect on an
 *         established connection.
 *   conn  set to the connection, for tuza_conn_close; else to NULL.
 *
 * A name with several addresses is tried in order, with a part of the context's time for each. If
 * there are both IPv6 and IPv4 addresses, the second family starts 300 ms after the first, or when
 * that has failed, and the faster one wins.
 *
 * Returns  0; the context's code; the code of the first address that failed.
 * Errors   -ECONNREFUSED, -ENETUNREACH …; TUZA_ECONNTIMEOUT; TUZA_EIOTIMEOUT: one of several
 *          addresses has had its part of the time; TUZA_ENETWORK, TUZA_EADDRESS, TUZA_ENOHOST,
 *          TUZA_ENOSERVICE, TUZA_ERESOLVER; -EMFILE, -ENOMEM.
 * Panics   "nil context".
 * Blocks   parks until it is connected.
 * Go       net.Dialer.DialContext   (N6)
 */
TUZA_MUST_USE int tuza_dial(
	tuza_context *ctx, const char *network, const char *address, tuza_conn **conn);

/*
 * Accepts connections at an address: "tcp" or "unix" networks.
 *
 *   address  port 0 lets the system choose: see tuza_listener_address. Without a host, and for
 *            "0.0.0.0" and "[::]" as well, every interface, IPv6 and IPv4 alike for "tcp". A path
 *            is made, and removed by the close.
 *   l        set to the listener, for tuza_listener_close; else to NULL.
 *
 * Returns  0 or a code.
 * Errors   -EADDRINUSE, -EACCES …; those of an address, as tuza_dial's.
 * Blocks   only to resolve a name.
 * Go       net.Listen
 */
TUZA_MUST_USE int tuza_listen(const char *network, const char *address, tuza_listener **l);

/*
 * Waits for a connection and accepts it. If the process has run out of descriptors, or the system
 * out of memory, it retries at growing intervals, up to a second, rather than fail, and says so on
 * standard error, at most once a minute.
 *
 *   conn  set to the connection, for tuza_conn_close; else to NULL.
 *
 * Returns  0 or a code.
 * Errors   TUZA_EIOTIMEOUT, TUZA_ECONNCLOSED; what else the kernel may say, such as -EPERM where a
 *          filter forbids it. A client that has gone away is skipped.
 * Blocks   parks until there is one. Where many come at once others go first after every few.
 * Go       Listener.Accept   (N6)
 */
TUZA_MUST_USE int tuza_accept(tuza_listener *l, tuza_conn **conn);

// Closes it: callers in tuza_accept get TUZA_ECONNCLOSED, the address is free. Connections that
// were accepted stay open. Returns 0 or TUZA_ECONNCLOSED. Blocks as tuza_conn_close.
// Go: Listener.Close
int tuza_listener_close(tuza_listener *l);

// When tuza_accept times out; absolute, 0: never. Returns 0 or TUZA_ECONNCLOSED.
// Go: TCPListener.SetDeadline
int tuza_listener_set_deadline(tuza_listener *l, int64_t deadline);

// The address it listens at, "127.0.0.1:40123", as tuza_conn_local_address. Go: Listener.Addr
int tuza_listener_address(tuza_listener *l, char *text, size_t bytes);

// Its descriptor, as tuza_conn_fd. Go: SyscallConn
int tuza_listener_fd(tuza_listener *l);

/*
 * Reads up to `count` bytes, waiting until there are some.
 *
 * Returns  how many, at least 1; 0 when the other side will send no more, or for a count of 0,
 *          which waits for nothing. One datagram, cut to `count`, of a socket for datagrams: 0 may
 *          be an empty one.
 * Errors   TUZA_EIOTIMEOUT (also if there was something: the deadline comes first),
 *          TUZA_ECONNCLOSED, TUZA_ECONNTIMEOUT, -ECONNRESET …
 * Blocks   parks until there is something.
 * Go       Conn.Read   (N1, N5)
 */
TUZA_MUST_USE ssize_t tuza_conn_read(tuza_conn *conn, void *bytes, size_t count);

/*
 * The same, but what was read is left for the next read.
 *
 * Returns, Errors, Blocks   as tuza_conn_read.
 * Go       bufio.Reader.Peek, MSG_PEEK
 */
TUZA_MUST_USE ssize_t tuza_conn_peek(tuza_conn *conn, void *bytes, size_t count);

/*
 * Waits until there is something to read, or the end: so idle connections need no buffers.
 *
 * Returns  0. Rarely there is nothing to read after all: then the read that follows waits.
 * Errors   as tuza_conn_read. What failed may be told here, and not once more by the read.
 * Blocks   parks until then.
 * Go       RawConn.Read   (N7)
 */
TUZA_MUST_USE int tuza_conn_wait_readable(tuza_conn *conn);

/*
 * Both in one: waits until there is something to read, asks for a buffer, and reads into it.
 *
 *	static void *room(void *arg, size_t *count)
 *	{
 *		struct client *c = arg;
 *		*count = BUFFER_BYTES;
 *		return c->buffer = tuza_pool_get(&buffers);
 *	}
 *	…
 *	ssize_t n = tuza_conn_read_into(conn, room, c); // c->buffer may be NULL after an error
 *
 *   room  returns the buffer, and in *count its bytes, one at least; NULL: there is none. Called
 *         once at most, by the caller's goroutine, at the end of the connection, too. It has to
 *         return, and must not read from the connection.
 *
 * Returns, Errors  as tuza_conn_read, and -ENOMEM for want of a buffer: nothing was read.
 * Blocks   parks until there is something. Rarely there is nothing after all, and it goes on
 *          waiting with the buffer.
 * Owns/frees  the buffer is the caller's, whatever is returned.
 * Go       RawConn.Read   (N7)
 */
TUZA_MUST_USE ssize_t tuza_conn_read_into(
	tuza_conn *conn, void *(*room)(void *arg, size_t *count), void *arg);

/*
 * Writes all of `count` bytes, waiting whenever the other side is slow.
 *
 * Returns  `count`; less if there was a failure, or the deadline passed, after some were written:
 *          the next call returns its code. To a socket for datagrams 0 bytes are an empty one.
 * Errors   -EPIPE when the other side reads no more (no signal is raised); as tuza_conn_read.
 * Blocks   parks until all fits the system's buffer.
 * Go       Conn.Write   (N1, N5)
 */
TUZA_MUST_USE ssize_t tuza_conn_write(tuza_conn *conn, const void *bytes, size_t count);

// The same for `count` pieces, in one system call if the system takes them: nothing else is written
// in between. Returns and blocks as tuza_conn_write; -EINVAL: count is negative. Go: net.Buffers
// (N7)
TUZA_MUST_USE ssize_t tuza_conn_writev(tuza_conn *conn, const struct iovec *pieces, int count);

/*
 * Closes it. Other calls that wait on it return TUZA_ECONNCLOSED; the close waits until all of them
 * have returned, which they do at once, and then closes the descriptor. (Inside a blocking section
 * it does not wait: the last of them closes the descriptor.) What was written is still sent.
 *
 * Returns  0; TUZA_ECONNCLOSED if it was closed before.
 * Blocks   for calls under way only.
 * Orders   everything before this is visible to whoever gets TUZA_ECONNCLOSED.
 * Go       Conn.Close   (N3)
 */
int tuza_conn_close(tuza_conn *conn);

// Ends one direction. close_write: the other side reads an end, and writing here is -EPIPE. Of a
// layer, such as TLS, it blocks as tuza_conn_write. close_read: reads here, those under way too,
// return 0 (of a tuza_pipe TUZA_EPIPECLOSED); but TCP still gives out what has come and what comes,
// and the other side of a unix socket or tuza_pipe cannot write any more. Return 0 or a code:
// -ENOTCONN, the other side has gone; -ENOTSOCK, a child's pipe. Go: CloseWrite, CloseRead
int tuza_conn_close_write(tuza_conn *conn);
int tuza_conn_close_read(tuza_conn *conn);

/*
 * Sets when calls time out: reads, writes, or both, including those under way; at once if the
 * deadline has passed.
 *
 *   deadline  absolute (tuza_now() + …); 0: never.
 *
 * Returns  0 or TUZA_ECONNCLOSED.
 * Go       SetDeadline, SetReadDeadline, SetWriteDeadline   (N2)
 */
int tuza_conn_set_deadline(tuza_conn *conn, int64_t deadline);
int tuza_conn_set_read_deadline(tuza_conn *conn, int64_t deadline);
int tuza_conn_set_write_deadline(tuza_conn *conn, int64_t deadline);

/*
 * The addresses of its two ends, as text: "127.0.0.1:40123", "[::1]:80", "/run/socket"; "" for an
 * end without a name. An IPv4 address is told as one although it came to an IPv6 socket.
 *
 *   text   room for `bytes`; TUZA_ADDRESS_TEXT is always enough.
 *
 * Returns  0; -ENOSPC when it is cut short; TUZA_ECONNCLOSED; -ENOTCONN.
 * Go       LocalAddr, RemoteAddr
 */
int tuza_conn_local_address(tuza_conn *conn, char *text, size_t bytes);
int tuza_conn_remote_address(tuza_conn *conn, char *text, size_t bytes);

/*
 * Its descriptor, for options and for libraries. It belongs to the connection: not to be closed,
 * nor used after tuza_conn_close. It is non-blocking; tuza_wait_fd waits for it.
 *
 * Returns  the descriptor; TUZA_ECONNCLOSED; -EBADF for a tuza_pipe, which has none.
 * Go       SyscallConn
 */
int tuza_conn_fd(tuza_conn *conn);

// Whether small writes are sent at once (on from the start, as in Go) or gathered. Returns 0;
// TUZA_ECONNCLOSED; -ENOTSUP: it is not TCP. Go: SetNoDelay
int tuza_conn_set_nodelay(tuza_conn *conn, bool on);

/*
 * Has the system find out whether the other side is still there: after `idle` without traffic,
 * every `interval`, `probes` times; then calls fail with TUZA_ECONNTIMEOUT. On from the start with
 * Go's 15 s, 15 s and 9. TCP only.
 *
 *   idle      in whole seconds, rounded up; <= 0 turns it off. The others: <= 0 leaves them. What
 *             is more than the system's most (32767 s, 127 probes) is that.
 *
 * Returns  0; TUZA_ECONNCLOSED; -ENOTSUP: it is not TCP.
 * Go       SetKeepAliveConfig
 */
int tuza_conn_set_keepalive(
	tuza_conn *conn, tuza_duration idle, tuza_duration interval, int probes);

/*
 * Two connected ends in memory: what is written to one is read from the other, without a buffer in
 * between. A write returns when all of it was read, or an end closed. Deadlines work as elsewhere.
 *
 *   a, b  set to the ends, for tuza_conn_close.
 *
 * Returns  0 or -ENOMEM. After the other end's close reads return 0, writes TUZA_EPIPECLOSED.
 * Go       net.Pipe   (N7)
 */
TUZA_MUST_USE int tuza_pipe(tuza_conn **a, tuza_conn **b);

// ---- datagrams ---------------------------------------------------------------------------------

// An address as the system has it. Copy it as you like; zeroed it is none.
typedef struct tuza_address {
	uint32_t bytes_;
	uint32_t unused_;
	uint64_t data_[16];
} tuza_address;

/*
 * Opens a socket for datagrams ("udp" networks) at an address: tuza_conn_read_from,
 * tuza_conn_write_to.
 *
 *   conn  set to the socket, for tuza_conn_close; else to NULL.
 *
 * Returns, Errors, Blocks  as tuza_listen.
 * Go       net.ListenPacket
 */
TUZA_MUST_USE int tuza_listen_packet(const char *network, const char *address, tuza_conn **conn);

// Receives one datagram, cut to `count` bytes, which may be 0 of them; *from (may be NULL) is its
// sender. Returns and blocks as tuza_conn_read. Go: ReadFrom
TUZA_MUST_USE ssize_t tuza_conn_read_from(
	tuza_conn *conn, void *bytes, size_t count, tuza_address *from);

// Sends one datagram to an address. Returns `count` or a code: -EMSGSIZE, it is too long;
// -ENOTSOCK, it is no socket, but a tuza_pipe or a layer. Blocks as tuza_conn_write. Go: WriteTo
TUZA_MUST_USE ssize_t tuza_conn_write_to(
	tuza_conn *conn, const void *bytes, size_t count, const tuza_address *to);

/*
 * The first address that the text stands for in a network.
 *
 *   address  set to it.
 *
 * Returns  0 or a code.
 * Errors, Panics  as tuza_dial.
 * Blocks   parks while a name is looked up.
 * Go       net.ResolveUDPAddr
 */
TUZA_MUST_USE int tuza_address_resolve(
	tuza_context *ctx, const char *network, const char *text, tuza_address *address);

// Its text, as tuza_conn_local_address: returns 0 or -ENOSPC. Go: Addr.String
int tuza_address_text(const tuza_address *address, char *text, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
