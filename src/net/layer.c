// SPDX-License-Identifier: MIT
/*
 * Connections over connections. A layer has no descriptor and no record for waiting: its methods
 * wait in the connection under it, which is closed and timed with it. It holds that by its handle
 * alone, so closing it behind the layer's back is an error and no accident.
 *
 * Locks: none of its own. The turn of a layer is held across waits, as the other turns are.
 */
#include "net/layer.h"

#include "base/race_hooks.h"
#include "sched/blocking.h"
#include <tuza/context.h>
#include <tuza/error.h>
#include <tuza/panic.h>
#include <tuza/time.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	FAREWELL_SECONDS = 5,    // for what a close has to say: Go's, crypto/tls
	FAREWELL_MEMORY_MS = 20, // through memory: who reads is there already
};

// ---- transfer ---------------------------------------------------------------------------------

// The deadline comes first, even if the layer would not have to wait.
static bool is_late(const struct conn *c, int turn)
{
	// A hint: who waits is told by what is under it.
	int64_t deadline = load_relaxed(&c->layer->deadline[turn]);
	return deadline != 0 && deadline <= tuza_now();
}

/*
 * A call of a method. If it panics, or calls tuza_goexit, the frames that would end the operation
 * are gone when it is over, and whoever comes next would wait for ever.
 */
struct call {
	struct conn *c;
	int turn; // that the caller has; or NO_TURN
	bool returned, closes;
};
enum { NO_TURN = -1 };

static void call_over(struct call *call)
{
	if (likely(call->returned))
		return;
	if (call->closes)
		(void)tuza_conn_close(call->c->layer->under);
	if (call->turn != NO_TURN)
		conn_pass_turn(call->c, call->turn);
	conn_end(call->c);
}

static ssize_t layer_read(struct conn *c, void *bytes, size_t count, tuza_address *from)
{
	if (from)
		memset(from, 0, sizeof *from);
	if (is_late(c, TURN_READ))
		return TUZA_EIOTIMEOUT;
	struct call call = {.c = c, .turn = TURN_READ};
	TUZA_DEFER(call_over, &call);
	ssize_t n = c->layer->methods->read(c->layer, bytes, count);
	call.returned = true;
	return n;
}

static ssize_t layer_peek(struct conn *c, void *bytes, size_t count)
{
	if (is_late(c, TURN_READ))
		return TUZA_EIOTIMEOUT;
	struct call call = {.c = c, .turn = TURN_READ};
	TUZA_DEFER(call_over, &call);
	ssize_t n = c->layer->methods->peek(c->layer, bytes, count);
	call.returned = true;
	return n;
}

static ssize_t layer_write(struct conn *c, struct iovec *pieces, size_t count)
{
	if (is_late(c, TURN_WRITE))
		return TUZA_EIOTIMEOUT;
	struct call call = {.c = c, .turn = TURN_WRITE};
	TUZA_DEFER(call_over, &call);
	ssize_t n = c->layer->methods->write(c->layer, pieces, (int)count);
	call.returned = true;
	return n;
}

static int layer_shut(struct conn *c, int how)
{
	struct call call = {.c = c, .turn = NO_TURN};
	int error;
	if (how == SHUT_WR) {
		conn_take_turn(c, TURN_WRITE);
		call.turn = TURN_WRITE;
	}
	TUZA_DEFER(call_over, &call);
	if (how == SHUT_RD)
		error = c->layer->methods->close_read(c->layer);
	else if (is_late(c, TURN_WRITE))
		error = TUZA_EIOTIMEOUT;
	else
		error = c->layer->methods->close_write(c->layer);
	call.returned = true;
	if (call.turn != NO_TURN)
		conn_pass_turn(c, TURN_WRITE);
	return error;
}

int layer_set_deadline(struct conn *c, uint32_t directions, int64_t deadline)
{
	tuza_conn *under = c->layer->under;
	int error = 0;
	// Relaxed: a hint, as in is_late.
	if (directions & NETPOLL_READ) {
		store_relaxed(&c->layer->deadline[TURN_READ], deadline);
		error = tuza_conn_set_read_deadline(under, deadline);
	}
	if (directions & NETPOLL_WRITE) {
		store_relaxed(&c->layer->deadline[TURN_WRITE], deadline);
		error = tuza_conn_set_write_deadline(under, deadline);
	}
	return error;
}

// ---- closing ----------------------------------------------------------------------------------

// With the turn to write: has what is under it end writes soon. False: it is too late already.
static bool allow_farewell(struct conn *c)
{
	int64_t now = tuza_now(), until = load_relaxed(&c->layer->deadline[TURN_WRITE]); // a hint
	bool in_memory = tuza_conn_fd(c->layer->under) < 0;
	int64_t most = now + (in_memory ? FAREWELL_MEMORY_MS * TUZA_MILLISECOND
					: FAREWELL_SECONDS * TUZA_SECOND);
	if (until == 0 || until > most)
		until = most;
	return until > now && tuza_conn_set_write_deadline(c->layer->under, until) == 0;
}

static void layer_close(struct conn *c)
{
	tuza_layer *l = c->layer;
	// A write under way is in the middle of something, and a section cannot wait.
	bool mine = l->methods->close && !blocking_is_inside() && conn_try_turn(c, TURN_WRITE);
	struct call call = {.c = c, .turn = mine ? TURN_WRITE : NO_TURN, .closes = true};
	TUZA_DEFER(call_over, &call);
	if (l->methods->close)
		l->methods->close(l, mine && allow_farewell(c));
	call.returned = true;
	(void)tuza_conn_close(l->under);
	if (mine)
		conn_pass_turn(c, TURN_WRITE);
}

static void layer_destroy(struct conn *c)
{
	race_acquire(c->layer);
	c->layer->methods->free(c->layer->state);
	free(c->layer);
	c->layer = NULL;
}

static int layer_address(struct conn *c, bool remote, tuza_address *a)
{
	// Not reached: the connection at the bottom is asked (conn_begin_lowest).
	(void)c;
	(void)remote;
	memset(a, 0, sizeof *a);
	return -ENOTCONN;
}

static void layer_forget(struct conn *c, uint32_t turns)
{
	tuza_layer *l = c->layer;
	if (l->methods->forget)
		l->methods->forget(l);
	if (turns & 1u << TURN_LAYER)
		tuza_mutex_unlock(&l->turn);
}

static const struct conn_kind layer_kind = {
	.read = layer_read,
	.peek = layer_peek,
	.write = layer_write,
	.shut = layer_shut,
	.address = layer_address,
	.close = layer_close,
	.destroy = layer_destroy,
	.forget = layer_forget,
};

// ---- making -----------------------------------------------------------------------------------

EXPORT int tuza_layer_open(
	tuza_conn *under, const tuza_layer_methods *methods, void *state, tuza_conn **conn)
{
	struct conn *c = conn_new(&layer_kind);
	tuza_layer *l = calloc(1, sizeof *l);
	*conn = NULL;
	if (!c || !l) {
		if (c)
			conn_discard(c);
		free(l);
		return -ENOMEM;
	}
	l->conn = c;
	l->methods = methods;
	l->state = state;
	l->under = under;
	race_release(l);
	c->layer = l;
	*conn = conn_open(c);
	return 0;
}

EXPORT int tuza_layer_listener(tuza_listener *l,
	int (*open)(void *arg, tuza_conn *under, tuza_conn **conn), void (*free_arg)(void *arg),
	void *arg)
{
	struct conn *c = conn_begin(l);
	if (!c)
		return TUZA_ECONNCLOSED;
	c->accepts.open = open;
	c->accepts.free = free_arg;
	c->accepts.arg = arg;
	conn_end(c);
	return 0;
}

// ---- for its methods --------------------------------------------------------------------------

EXPORT void *tuza_layer_state(tuza_layer *l) { return l->state; }
EXPORT tuza_conn *tuza_layer_under(tuza_layer *l) { return l->under; }

EXPORT int tuza_layer_begin(tuza_conn *conn, const tuza_layer_methods *methods, tuza_layer **l)
{
	struct conn *c = conn_begin(conn);
	if (!c)
		return TUZA_ECONNCLOSED;
	if (c->kind != &layer_kind || (methods && c->layer->methods != methods)) {
		conn_end(c);
		return -EINVAL;
	}
	*l = c->layer;
	return 0;
}

EXPORT void tuza_layer_end(tuza_layer *l) { conn_end(l->conn); }

EXPORT int tuza_layer_take_turn(tuza_layer *l, tuza_context *ctx)
{
	if (ctx) {
		int error = tuza_mutex_lock_ctx(&l->turn, ctx);
		if (error)
			return error;
	} else {
		tuza_mutex_lock(&l->turn);
	}
	conn_note_turn(l->conn, TURN_LAYER, true);
	return 0;
}

EXPORT void tuza_layer_pass_turn(tuza_layer *l)
{
	conn_note_turn(l->conn, TURN_LAYER, false);
	tuza_mutex_unlock(&l->turn);
}

// ---- the lowest connection ---------------------------------------------------------------------

struct conn *conn_begin_lowest(const void *handle)
{
	struct conn *c = conn_begin(handle);
	while (c && c->kind == &layer_kind) {
		struct conn *upper = c;
		c = conn_begin(upper->layer->under);
		conn_end(upper);
	}
	return c;
}

bool conn_is_layer(const struct conn *c) { return c->kind == &layer_kind; }
