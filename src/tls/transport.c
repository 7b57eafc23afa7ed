// SPDX-License-Identifier: MIT
/*
 * Ciphertext, between the buffers and what is under the connection. Only here is anything waited
 * for, and never with the lock.
 *
 * Reading may make OpenSSL answer: by a key update, an alert. The reader does not send that: it
 * would have to wait, and the other side may not read before we have, as both are in the middle of
 * long writes. The next write takes it along, or the close. That is soon enough: a key must be
 * updated before the next data that we send, RFC 8446 4.6.3.
 */
#include "tls/tls.h"

#include <tuza/error.h>

#include <errno.h>
#include <stdlib.h>

// ---- reading ----------------------------------------------------------------------------------

int transport_fill(struct tls *t, tuza_layer *l)
{
	if (!t->in.bytes) {
		t->in.bytes = malloc(IN_BYTES);
		if (!t->in.bytes)
			return -ENOMEM;
		t->in.room = IN_BYTES;
	}
	ssize_t n = tuza_conn_read(tuza_layer_under(l), t->in.bytes, t->in.room);
	if (n < 0)
		return (int)n;
	t->in.next = 0;
	t->in.end = (size_t)n;
	t->in_ended = n == 0;
	return 0;
}

void transport_rest(struct tls *t)
{
	if (t->in.next == t->in.end)
		buffer_free(&t->in);
	tuza_mutex_lock(&t->lock);
	if (t->out.next == t->out.end)
		buffer_free(&t->out);
	tuza_mutex_unlock(&t->lock);
}

// ---- writing ----------------------------------------------------------------------------------

// What is to be sent next, in `sending`. False: nothing. Two buffers take turns while there is
// much to do; one of them is kept when there is not.
static bool take_output(struct tls *t)
{
	struct buffer *sending = &t->sending;
	if (sending->next < sending->end)
		return true; // the rest of last time
	sending->next = sending->end = 0;
	tuza_mutex_lock(&t->lock);
	struct buffer taken = t->out;
	t->out = *sending;
	*sending = taken;
	bool any = taken.next < taken.end;
	if (!any) {
		if (!t->out.bytes) {
			t->out = taken;
			*sending = (struct buffer){NULL, 0, 0, 0};
		}
		buffer_free(sending);
		if (t->out.room > OUT_KEPT)
			buffer_free(&t->out);
	}
	tuza_mutex_unlock(&t->lock);
	return any;
}

int transport_send(struct tls *t, tuza_layer *l)
{
	struct buffer *s = &t->sending;
	while (take_output(t)) {
		t->in_flight = true;
		ssize_t n =
			tuza_conn_write(tuza_layer_under(l), s->bytes + s->next, s->end - s->next);
		t->in_flight = false;
		if (n < 0)
			return (int)n;
		s->next += (size_t)n;
	}
	return 0;
}

size_t transport_left(struct tls *t)
{
	tuza_mutex_lock(&t->lock);
	size_t left = t->out.end - t->out.next;
	tuza_mutex_unlock(&t->lock);
	return left + (t->sending.end - t->sending.next);
}
