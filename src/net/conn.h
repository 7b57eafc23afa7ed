// SPDX-License-Identifier: MIT
/*
 * Connections, as the files of this folder see them.
 *
 * A handle (tuza_conn *, tuza_listener *) is no address: it is the number of a slot and the slot's
 * generation. Slots stay mapped for good, so any handle may be looked up at any time, and one that
 * is closed fits nothing any more.
 *
 *	struct conn *c = conn_begin(handle);     // NULL: it is closed
 *	…
 *	conn_end(c);                             // by the same goroutine or thread
 *
 * A goroutine knows the operations that it is in, and the turns that it has: if it is dropped with
 * its run they are over (conn_table.c).
 */
#ifndef TUZA_NET_CONN_H
#define TUZA_NET_CONN_H

#include "sched/netpoll.h"
#include <tuza/layer.h>
#include <tuza/net.h>
#include <tuza/sync.h>

#include <errno.h>

struct conn;

// What a kind of connection can do. Called during an operation; results are codes of io/.
struct conn_kind {
	// With the turn to read.
	ssize_t (*read)(struct conn *c, void *bytes, size_t count, tuza_address *from);
	// With the turn to read. Reads without taking; for a count of 0 it only waits, unless there
	// is something.
	ssize_t (*peek)(struct conn *c, void *bytes, size_t count);
	// With the turn to write. Writes all it can of the pieces, which it may change.
	ssize_t (*write)(struct conn *c, struct iovec *pieces, size_t count);
	int (*shut)(struct conn *c, int how); // SHUT_RD, SHUT_WR
	int (*address)(struct conn *c, bool remote, tuza_address *a);
	// The close begins: wakes everybody who waits.
	void (*close)(struct conn *c);
	// Everybody has left: gives back what the slot holds.
	void (*destroy)(struct conn *c);
	// Goroutines that used it were dropped, some with `turns` (1 << TURN_…). May be NULL.
	void (*forget)(struct conn *c, uint32_t turns);
};

// What each read and write uses comes first: a cache line.
struct conn {
	// any thread, atomic
	CACHE_ALIGNED uint64_t word; // conn_word.h
	uint32_t slot;               // constant

	// constant while it is open
	int fd; // -1: none
	const struct conn_kind *kind;
	struct netpoll *poll;
	uint32_t generation; // of poll

	// TCP as tuza sets it up: a read that returns less than was asked for has taken all there
	// is, and a close does not linger. Any thread, atomic: cleared when the program gets the
	// descriptor and may do what it likes with it; a listener's is inherited.
	bool is_plain_tcp;
	uint64_t drained; // the word of poll before the last read that did; has the turn to read

	// one at a time reads (accepts), and one writes
	tuza_mutex turn[2];

	// constant while it is open
	int family, type;
	char *path;        // a listener's, to be removed; or NULL
	int in_a_row;      // a listener's: accepted without a wait; has the turn to accept
	struct pipe *pipe; // of a connection in memory
	int side;          // of the pipe
	tuza_layer *layer; // of a connection over another
	struct {           // of a listener: what is made of each connection; open is NULL: nothing
		int (*open)(void *arg, tuza_conn *under, tuza_conn **conn);
		void (*free)(void *arg);
		void *arg;
	} accepts;

	struct conn *next_free; // guarded by the table's lock
	// of dropped goroutines, while they are being forgotten
	uint32_t dropped, dropped_turns; // operations, and the turns that they have
	struct conn *next_dropped;
};

enum {
	TURN_READ,
	TURN_WRITE,
	TURN_LAYER, // a layer's own
	TURNS,
};

// A free slot that the caller owns until conn_open. NULL: no memory.
struct conn *conn_new(const struct conn_kind *kind);
// Opens it: from now on the handle may be used. Returns the handle.
void *conn_open(struct conn *c);
// Gives back a slot that was not opened.
void conn_discard(struct conn *c);

/*
 * Begins an operation. NULL: closed, or no handle at all.
 *
 * Panics  "too many concurrent operations on a single file or socket (max 1048575)".
 */
struct conn *conn_begin(const void *handle);
void conn_end(struct conn *c);

// Begins one on what lies under all layers: the socket or pipe.
struct conn *conn_begin_lowest(const void *handle);

bool conn_is_layer(const struct conn *c);

// Whether the caller is a goroutine, which may be dropped, and no plain thread.
bool conn_is_goroutine(void);

// The caller's turn to read or write, within an operation.
void conn_take_turn(struct conn *c, int turn);
bool conn_try_turn(struct conn *c, int turn);
void conn_pass_turn(struct conn *c, int turn);

// The calling goroutine has it, or has it no more; for whoever keeps the mutex of one.
void conn_note_turn(const struct conn *c, int turn, bool has);

// Closes the connection and waits until all operations have ended. 0 or TUZA_ECONNCLOSED.
int conn_close(const void *handle);

// After a system call on its descriptor: whether to make it again, after a wait if it would have
// blocked; else *result is the answer. `seen` is what netpoll_begin gave before the call.
static inline bool conn_again(struct conn *c, uint32_t direction, uint64_t seen, ssize_t *result)
{
	if (*result == -EINTR)
		return true;
	if (*result != -EAGAIN)
		return false;
	int error = netpoll_wait(c->poll, c->generation, direction, seen);
	if (error)
		*result = error;
	return error == 0;
}

// Codes as net/ gives them: of a closed descriptor, and of the kernel's timeout.
ssize_t conn_result(ssize_t result);

#endif
