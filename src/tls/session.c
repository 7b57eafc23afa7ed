// SPDX-License-Identifier: MIT
/*
 * The sessions that a client remembers: a list, the newest first, of as many as the configuration
 * wants. Whoever connects to a name takes the newest of that name. One of TLS 1.3 is used once, so
 * that nobody in between can tell two connections to be of the same client (RFC 8446 C.4); servers
 * give several.
 *
 * Locks: config->session_lock, taken with a connection's lock held.
 */
#include "tls/tls.h"

#include <stdlib.h>
#include <string.h>

static void forget(struct remembered *r)
{
	SSL_SESSION_free(r->session);
	free(r);
}

// Takes the newest out of the list. Needs: session_lock
static struct remembered *take(tuza_tls_config *config, const char *name)
{
	struct remembered **at = &config->sessions;
	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	struct remembered *r = *at;
	if (r) {
		*at = r->next;
		config->session_count--;
	}
	return r;
}

// Needs: session_lock
static void put(tuza_tls_config *config, struct remembered *r)
{
	r->next = config->sessions;
	config->sessions = r;
	if (++config->session_count <= config->session_most)
		return;
	struct remembered **last = &config->sessions;
	while ((*last)->next)
		last = &(*last)->next;
	forget(*last);
	*last = NULL;
	config->session_count--;
}

// Called by OpenSSL, with the connection's lock. 1: the reference is ours now.
static int remember(SSL *ssl, SSL_SESSION *session)
{
	const struct tls *t = SSL_get_app_data(ssl);
	tuza_tls_config *config = t->config;
	struct remembered *r = t->is_server ? NULL : calloc(1, sizeof *r);
	if (!r)
		return 0;
	r->session = session;
	memcpy(r->name, t->name, sizeof r->name);
	pthread_mutex_lock(&config->session_lock);
	put(config, r);
	pthread_mutex_unlock(&config->session_lock);
	return 1;
}

void session_offer(tuza_tls_config *config, const char *name, SSL *ssl)
{
	if (config->session_most == 0)
		return;
	pthread_mutex_lock(&config->session_lock);
	struct remembered *r = take(config, name);
	if (r && SSL_SESSION_is_resumable(r->session))
		(void)SSL_set_session(ssl, r->session); // without it the handshake is longer
	if (r && SSL_SESSION_get_protocol_version(r->session) < TLS1_3_VERSION) {
		put(config, r);
		r = NULL;
	}
	pthread_mutex_unlock(&config->session_lock);
	if (r)
		forget(r);
}

void session_setup(tuza_tls_config *config)
{
	static const unsigned char id[] = "tuza";
	// Servers keep nothing: what they need to know comes back with the ticket.
	SSL_CTX_set_session_cache_mode(config->ctx,
		config->session_most > 0 ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
					 : SSL_SESS_CACHE_OFF);
	SSL_CTX_sess_set_new_cb(config->ctx, remember);
	// A server that asks for certificates must have one.
	(void)SSL_CTX_set_session_id_context(config->ctx, id, sizeof id - 1);
}

void session_free_all(tuza_tls_config *config)
{
	for (struct remembered *r = config->sessions, *next; r; r = next) {
		next = r->next;
		forget(r);
	}
}
