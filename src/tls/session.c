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

// Those that a connection has spoilt take nobody's place. Needs: session_lock
static void forget_spoilt(tuza_tls_config *config)
{
	for (struct remembered **at = &config->sessions, *r; (r = *at) != NULL;) {
		if (SSL_SESSION_is_resumable(r->session)) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		config->session_count--;
		forget(r);
	}
}

// Needs: session_lock
static void put(tuza_tls_config *config, struct remembered *r)
{
	forget_spoilt(config);
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

// Needs: session_lock
static bool is_remembered(const tuza_tls_config *config, const SSL_SESSION *session)
{
	const struct remembered *r = config->sessions;
	while (r && r->session != session)
		r = r->next;
	return r != NULL;
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
	bool is_new = !is_remembered(config, session);
	if (is_new)
		put(config, r);
	pthread_mutex_unlock(&config->session_lock);
	if (!is_new)
		free(r);
	return is_new;
}

void session_offer(tuza_tls_config *config, const char *name, SSL *ssl)
{
	if (config->session_most == 0)
		return;
	pthread_mutex_lock(&config->session_lock);
	forget_spoilt(config);
	struct remembered *r = take(config, name);
	if (r)
		(void)SSL_set_session(ssl, r->session); // without it the handshake is longer
	if (r && SSL_SESSION_get_protocol_version(r->session) < TLS1_3_VERSION) {
		put(config, r);
		r = NULL;
	}
	pthread_mutex_unlock(&config->session_lock);
	if (r)
		forget(r);
}

void session_keep_renewed(struct tls *t)
{
	if (t->is_server || t->config->session_most == 0 || !SSL_session_reused(t->ssl) ||
		SSL_version(t->ssl) >= TLS1_3_VERSION)
		return;
	SSL_SESSION *session = SSL_get1_session(t->ssl);
	if (!session)
		return;
	if (!SSL_SESSION_is_resumable(session) || !remember(t->ssl, session))
		SSL_SESSION_free(session);
}

// Sessions of TLS 1.2 know the name that the client has asked for if somebody has taken it: a
// server that resumes one is to say which it was.
static int take_name(SSL *ssl, int *alert, void *arg)
{
	(void)ssl;
	(void)alert;
	(void)arg;
	return SSL_TLSEXT_ERR_OK;
}

void session_setup(tuza_tls_config *config)
{
	static const unsigned char id[] = "tuza";
	// Servers keep nothing: what they need to know comes back with the ticket.
	SSL_CTX_set_session_cache_mode(config->ctx,
		config->session_most > 0 ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
					 : SSL_SESS_CACHE_OFF);
	SSL_CTX_sess_set_new_cb(config->ctx, remember);
	(void)SSL_CTX_set_tlsext_servername_callback(config->ctx, take_name);
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
