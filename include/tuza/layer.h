// SPDX-License-Identifier: MIT
/*
 * Connections over connections: what a library needs to make TLS, compression or a recorder a
 * tuza_conn like any other. <tuza/tls.h> is built on it.
 *
 * A layer has a connection under it, which it reads from and writes to by the functions of
 * <tuza/net.h>, and methods that implement reading and writing. tuza does the rest:
 *
 *	- handles: nobody is in a method after `free`, and a closed one stays an error
 *	- turns: one call of `read` or `peek` at a time, and one of `write`; both directions at
 *	  once
 *	- deadlines: those of the layer are set on what is under it as well, so a method that
 *	  waits there ends with TUZA_EIOTIMEOUT; one past its deadline is not begun
 *	- addresses, descriptor and options are those of the lowest connection
 *
 * Methods may wait, in the connection under them or elsewhere, if a close ends that. When one
 * panics the call that made it has ended, and the layer goes on; only a turn that it took by
 * tuza_layer_take_turn is its own to pass on.
 */
#ifndef TUZA_LAYER_H
#define TUZA_LAYER_H

#include <tuza/macros.h>
#include <tuza/net.h>

#ifdef __cplusplus
extern "C" {
#endif

// A layer during a call.
typedef struct tuza_layer tuza_layer;

// What a layer does. Constant, and valid as long as there are layers of it.
typedef struct tuza_layer_methods {
	// As tuza_conn_read and tuza_conn_peek, of a count above 0. Only peek may be called for 0
	// bytes: it waits until there is something to read, and may be mistaken.
	ssize_t (*read)(tuza_layer *l, void *bytes, size_t count);
	ssize_t (*peek)(tuza_layer *l, void *bytes, size_t count);
	// All of the pieces, as one write. May be empty: what is kept back is sent then.
	ssize_t (*write)(tuza_layer *l, const struct iovec *pieces, int count);

	// As tuza_conn_close_write, in turn with `write`, and tuza_conn_close_read, in none.
	int (*close_write)(tuza_layer *l);
	int (*close_read)(tuza_layer *l);

	/*
	 * It is being closed; the connection under it is closed next, which wakes
	 * those that wait there. May be NULL.
	 *
	 *   may_write  nobody else writes, and there is time to: the write deadline of what is
	 *              under it is at most 5 s away.
	 */
	void (*close)(tuza_layer *l, bool may_write);

	// The goroutines that were in methods were dropped with their run, wherever they waited.
	// Others may go on. Must not wait. May be NULL.
	void (*forget)(tuza_layer *l);

	// Nobody uses it any more: frees its state. Must not wait.
	void (*free)(void *state);
} tuza_layer_methods;

/*
 * Makes a layer over a connection.
 *
 *   under  becomes the layer's: it is closed with it, and not to be used by others.
 *   state  for the methods.
 *   conn   set to the connection, for tuza_conn_close; else to NULL.
 *
 * Returns  0; -ENOMEM: `under` and `state` stay the caller's.
 * Blocks   never.
 */
TUZA_MUST_USE int tuza_layer_open(
	tuza_conn *under, const tuza_layer_methods *methods, void *state, tuza_conn **conn);

// What tuza_layer_open was given: its `state`, and `under`. Borrowed, during a call or a method.
void *tuza_layer_state(tuza_layer *l);
tuza_conn *tuza_layer_under(tuza_layer *l);

/*
 * Begins a call of the layer's own, besides its methods, in no turn: until tuza_layer_end, it is
 * not freed. The same goroutine or thread ends it.
 *
 *   methods  what the layer must have been made with; NULL: whatever it is.
 *   l        set to the layer.
 *
 * Returns  0; TUZA_ECONNCLOSED; -EINVAL: another connection.
 */
TUZA_MUST_USE int tuza_layer_begin(
	tuza_conn *conn, const tuza_layer_methods *methods, tuza_layer **l);
void tuza_layer_end(tuza_layer *l);

/*
 * One more turn, during a call or a method: for what concerns both directions, such as a handshake.
 * Unlike a mutex in `state` it is passed on when a goroutine is dropped with it.
 *
 *   ctx  ends the wait; NULL: nothing does but the turn.
 *
 * Returns  0 or the context's code.
 * Blocks   tuza_layer_take_turn parks until it is the caller's turn; tuza_layer_pass_turn never.
 */
TUZA_MUST_USE int tuza_layer_take_turn(tuza_layer *l, tuza_context *ctx);
void tuza_layer_pass_turn(tuza_layer *l);

/*
 * Has tuza_accept make a layer over each connection of a listener.
 *
 *   open  called by it: as tuza_layer_open. A connection that it fails for is closed, and the next
 *         one waited for. Must not wait for the other side: others wait to be accepted.
 *   free  frees `arg` when the listener is closed; may be NULL.
 *
 * Returns  0; TUZA_ECONNCLOSED: `arg` stays the caller's.
 * Callable from  one goroutine, before anybody accepts, and once.
 */
TUZA_MUST_USE int tuza_layer_listener(tuza_listener *l,
	int (*open)(void *arg, tuza_conn *under, tuza_conn **conn), void (*free)(void *arg),
	void *arg);

#ifdef __cplusplus
}
#endif
#endif
