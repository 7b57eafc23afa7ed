// SPDX-License-Identifier: MIT
/*
 * What is known of a connection: its state, the other side's certificate, what went wrong.
 */
#include "tls/tls.h"

#include "base/atomic.h"
#include <tuza/error.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Begins a look at it, with the lock.
static int begin(tuza_conn *conn, tuza_layer **l, struct tls **t)
{
	int error = tuza_layer_begin(conn, &tls_methods, l);
	if (error)
		return error;
	*t = tuza_layer_state(*l);
	tuza_mutex_lock(&(*t)->lock);
	return 0;
}

static void end(tuza_layer *l, struct tls *t)
{
	ERR_clear_error();
	tuza_mutex_unlock(&t->lock);
	tuza_layer_end(l);
}

static void describe(struct tls *t, tuza_tls_state *state)
{
	SSL *ssl = t->ssl;
	const char *name =
		t->is_server ? SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) : t->name;
	const unsigned char *protocol;
	unsigned length;
	X509 *peer = SSL_get0_peer_certificate(ssl);
	state->handshake_made = true;
	state->resumed = SSL_session_reused(ssl);
	state->version = SSL_version(ssl);
	state->peer_verified = peer && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE &&
			       SSL_get_verify_result(ssl) == X509_V_OK;
	snprintf(state->cipher, sizeof state->cipher, "%s", SSL_get_cipher_name(ssl));
	SSL_get0_alpn_selected(ssl, &protocol, &length);
	if (protocol && length < sizeof state->protocol)
		memcpy(state->protocol, protocol, length);
	snprintf(state->server_name, sizeof state->server_name, "%s", name ? name : "");
	if (peer)
		name_subject(peer, state->peer, sizeof state->peer);
}

EXPORT int tuza_tls_get_state(tuza_conn *conn, tuza_tls_state *state)
{
	tuza_layer *l;
	struct tls *t;
	memset(state, 0, sizeof *state);
	int error = begin(conn, &l, &t);
	if (error)
		return error;
	state->is_server = t->is_server;
	// (tls-ready) pairs with handshake_make
	if (load_acquire(&t->ready))
		describe(t, state);
	end(l, t);
	return 0;
}

EXPORT int tuza_tls_peer_name(tuza_conn *conn, size_t i, char *text, size_t bytes)
{
	tuza_layer *l;
	struct tls *t;
	int error = begin(conn, &l, &t);
	if (error)
		return error;
	X509 *peer = SSL_get0_peer_certificate(t->ssl);
	error = peer ? name_at(peer, i, text, bytes) : -ENOENT;
	end(l, t);
	return error;
}

EXPORT int tuza_tls_peer_certificate(tuza_conn *conn, void **der, size_t *bytes)
{
	tuza_layer *l;
	struct tls *t;
	*der = NULL;
	*bytes = 0;
	int error = begin(conn, &l, &t);
	if (error)
		return error;
	X509 *peer = SSL_get0_peer_certificate(t->ssl);
	int length = peer ? i2d_X509(peer, NULL) : 0;
	unsigned char *at = length > 0 ? malloc((size_t)length) : NULL;
	if (length <= 0) {
		error = -ENOENT;
	} else if (!at) {
		error = -ENOMEM;
	} else {
		*der = at;
		*bytes = (size_t)i2d_X509(peer, &at);
	}
	end(l, t);
	return error;
}

EXPORT int tuza_tls_get_error(tuza_conn *conn, tuza_tls_error *why)
{
	tuza_layer *l;
	struct tls *t;
	*why = (tuza_tls_error){0, ""};
	int error = begin(conn, &l, &t);
	if (error)
		return error;
	*why = t->why;
	end(l, t);
	return 0;
}
