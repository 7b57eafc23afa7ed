// SPDX-License-Identifier: MIT
/*
 * The handshake. Whoever comes first makes it, with the layer's turn, for both directions; the
 * others wait for the turn. A deadline that passes leaves it where it is; everything else that goes
 * wrong is for good.
 */
#include "tls/tls.h"

#include "base/atomic.h"
#include <tuza/error.h>
#include <tuza/time.h>

#include <errno.h>

enum { ALERT_MS = 500 }; // to tell the other side why it fails; a guess

// Takes the next step. 0: it is made; an outcome; a code.
static int step(struct tls *t)
{
	tuza_mutex_lock(&t->lock);
	ERR_clear_error();
	int result = SSL_do_handshake(t->ssl);
	int error = result == 1 ? 0 : error_of_call(t, result);
	if (!error)
		session_keep_renewed(t);
	tuza_mutex_unlock(&t->lock);
	return error;
}

// A server of TLS 1.3 ends with tickets for later: they go with its first write. A client that only
// sends, and goes without having read them, would have its connection reset.
static bool ends_with_tickets(const struct tls *t)
{
	return t->is_server && SSL_version(t->ssl) == TLS1_3_VERSION;
}

static int make(struct tls *t, tuza_layer *l)
{
	for (;;) {
		int result = step(t);
		if (result == 0)
			return ends_with_tickets(t) ? 0 : transport_send(t, l);
		if (result == OUTCOME_INPUT) {
			int error = transport_send(t, l);
			if (!error)
				error = transport_fill(t, l);
			if (error)
				return error;
			continue;
		}
		if (result == OUTCOME_END)
			result = error_note(t, TUZA_EUNEXPECTEDEOF,
				"tls: the other side went away during the handshake");
		// The alert, unless the other side does not take it.
		if (tuza_conn_set_write_deadline(
			    tuza_layer_under(l), tuza_now() + ALERT_MS * TUZA_MILLISECOND) == 0)
			(void)transport_send(t, l);
		return result;
	}
}

// The context has ended: whatever is waited for under the connection, it is over.
static void interrupt(void *under) { (void)tuza_conn_set_deadline(under, 1); }

static int make_with_context(struct tls *t, tuza_layer *l, tuza_context *ctx)
{
	if (!ctx || tuza_context_done(ctx) == NULL)
		return make(t, l);
	int error = tuza_context_err(ctx);
	if (error)
		return error;
	tuza_context_after *after = tuza_context_after_func(ctx, interrupt, tuza_layer_under(l));
	error = make(t, l);
	return tuza_context_after_stop(after) ? error : tuza_context_err(ctx);
}

int handshake_make(struct tls *t, tuza_layer *l, tuza_context *ctx)
{
	// (tls-ready) pairs with the store below: the turn's own things are the directions' now.
	if (load_acquire(&t->ready))
		return 0;
	int error = tuza_layer_take_turn(l, ctx);
	if (error)
		return error;
	if (load_relaxed(&t->ready)) { // stored with the turn
		tuza_layer_pass_turn(l);
		return 0;
	}
	error = t->handshake_error ? t->handshake_error : make_with_context(t, l, ctx);
	transport_rest(t);
	if (error == 0)
		store_release(&t->ready, 1); // (tls-ready) pairs with the load above
	else if (error != TUZA_EIOTIMEOUT)
		t->handshake_error = error;
	tuza_layer_pass_turn(l);
	return error;
}
