// SPDX-License-Identifier: MIT
/*
 * Configurations: OpenSSL's SSL_CTX, and what it does not keep. Everything is decided when one is
 * made; from then on any number of threads read it.
 */
#include "tls/tls.h"

#include "base/atomic.h"
#include "base/race_hooks.h"
#include <tuza/error.h>
#include <tuza/goroutine.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// With forward secrecy and authenticated encryption; those of TLS 1.3 all are so.
#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"

enum { SESSIONS = 64 }; // Go's NewLRUClientSessionCache

// Goroutines and threads may still be in OpenSSL when the process ends, so it is not taken apart
// then.
static void keep_library(void) { (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL); }

// ---- protocols --------------------------------------------------------------------------------

// As they are sent: each with its length before it.
static int set_protocols(tuza_tls_config *config, const char *const *protocols, tuza_tls_error *why)
{
	size_t bytes = 0;
	for (const char *const *p = protocols; *p; p++) {
		if (strlen(*p) == 0 || strlen(*p) > 255)
			return error_set(why, -EINVAL, "tls: a protocol has 1 to 255 bytes");
		bytes += 1 + strlen(*p);
	}
	if (bytes == 0 || bytes > 65535)
		return error_set(why, -EINVAL, "tls: no protocols, or too many");
	config->protocols = malloc(bytes);
	if (!config->protocols)
		return error_set(why, -ENOMEM, "tls: no memory");
	unsigned char *at = config->protocols;
	for (const char *const *p = protocols; *p; p++) {
		*at++ = (unsigned char)strlen(*p);
		memcpy(at, *p, strlen(*p));
		at += strlen(*p);
	}
	config->protocol_bytes = (unsigned)bytes;
	return 0;
}

// Called by OpenSSL for a server whose client has sent protocols.
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *length,
	const unsigned char *offered, unsigned bytes, void *arg)
{
	const tuza_tls_config *config = arg;
	unsigned char *out;
	(void)ssl;
	if (SSL_select_next_proto(&out, length, config->protocols, config->protocol_bytes, offered,
		    bytes) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*chosen = out;
	return SSL_TLSEXT_ERR_OK;
}

// ---- making -----------------------------------------------------------------------------------

static bool is_version(int version)
{
	return version == 0 || version == TUZA_TLS_1_2 || version == TUZA_TLS_1_3;
}

static int set_versions(SSL_CTX *ctx, const tuza_tls_options *o, tuza_tls_error *why)
{
	int least = o->min_version ? o->min_version : TUZA_TLS_1_2;
	if (!is_version(o->min_version) || !is_version(o->max_version) ||
		(o->max_version && o->max_version < least))
		return error_set(why, -EINVAL, "tls: no such range of versions");
	if (!SSL_CTX_set_min_proto_version(ctx, least) ||
		!SSL_CTX_set_max_proto_version(ctx, o->max_version))
		return error_of_library(why, TUZA_ETLS, "versions");
	return 0;
}

static int set_up(tuza_tls_config *config, const tuza_tls_options *o, tuza_tls_error *why)
{
	config->ctx = SSL_CTX_new(TLS_method());
	if (!config->ctx)
		return error_of_library(why, -ENOMEM, "OpenSSL");
	SSL_CTX *ctx = config->ctx;
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	if (o->no_tickets) {
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(ctx, 0);
	}
	if (!SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2))
		return error_of_library(why, TUZA_ETLS, "ciphers");
	config->insecure = o->insecure_accept_any_certificate;
	config->clients = o->clients;
	config->session_most = o->sessions == 0 ? SESSIONS : o->sessions > 0 ? o->sessions : 0;
	if (o->server_name && strlen(o->server_name) >= NAME_BYTES)
		return error_set(why, -EINVAL, "tls: the server's name is too long");
	snprintf(config->server_name, NAME_BYTES, "%s", o->server_name ? o->server_name : "");
	session_setup(config);
	int error = set_versions(ctx, o, why);
	if (!error && o->protocols)
		error = set_protocols(config, o->protocols, why);
	if (!error && o->protocols)
		SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, config);
	if (!error)
		error = config_load(config, o, why);
	if (!error)
		choose_setup(config);
	if (!error && o->customize)
		error = error_set(why, o->customize(ctx, o->customize_arg),
			"tls: the program's own settings failed");
	return error;
}

EXPORT int tuza_tls_config_new(
	const tuza_tls_options *options, tuza_tls_config **config, tuza_tls_error *why)
{
	static const tuza_tls_options none;
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	tuza_tls_config *c = calloc(1, sizeof *c);
	*config = NULL;
	if (!c)
		return error_set(why, -ENOMEM, "tls: no memory");
	(void)pthread_once(&once, keep_library);
	pthread_mutex_init(&c->session_lock, NULL);
	store_relaxed(&c->references, 1); // nobody knows it yet
	tuza_blocking_begin();
	ERR_clear_error();
	int error = set_up(c, options ? options : &none, why);
	ERR_clear_error();
	tuza_blocking_end();
	if (error) {
		tuza_tls_config_free(c);
		return error;
	}
	*config = c;
	if (why)
		*why = (tuza_tls_error){0, ""};
	return 0;
}

tuza_tls_config *config_retain(tuza_tls_config *config)
{
	(void)add_relaxed(&config->references, 1); // the caller has one
	return config;
}

EXPORT void tuza_tls_config_free(tuza_tls_config *config)
{
	if (!config)
		return;
	race_release(config);
	// (tls-config) pairs with the others' releases: what they did with it is done.
	if (sub_acq_rel(&config->references, 1) != 1) // (tls-config)
		return;
	race_acquire(config);
	session_free_all(config);
	SSL_CTX_free(config->ctx);
	choose_free(config);
	pthread_mutex_destroy(&config->session_lock);
	free(config->protocols);
	free(config);
}

// ---- the one of NULL --------------------------------------------------------------------------

tuza_tls_config *config_default(void)
{
	static tuza_mutex lock;
	static tuza_tls_config *by_default; // guarded by lock
	tuza_mutex_lock(&lock);
	// Also if it could not be made before: there may be memory now.
	if (!by_default && tuza_tls_config_new(NULL, &by_default, NULL) != 0)
		by_default = NULL;
	tuza_tls_config *config = by_default;
	tuza_mutex_unlock(&lock);
	return config;
}
