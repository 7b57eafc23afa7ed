// SPDX-License-Identifier: MIT
/*
 * Dialling and listening, and the handshake by name.
 */
#include "tls/tls.h"

#include <tuza/error.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// ---- the handshake ----------------------------------------------------------------------------

EXPORT int tuza_tls_handshake(tuza_context *ctx, tuza_conn *conn, tuza_tls_error *why)
{
	tuza_layer *l;
	int error = tuza_layer_begin(conn, &tls_methods, &l);
	if (error)
		return error_set(why, error, "tls: %s", tuza_strerror(error));
	struct tls *t = tuza_layer_state(l);
	error = handshake_make(t, l, ctx);
	if (why) {
		tuza_mutex_lock(&t->lock);
		*why = t->why;
		tuza_mutex_unlock(&t->lock);
		if (why->code != error)
			error_set(why, error, "%s", error ? tuza_strerror(error) : "");
	}
	tuza_layer_end(l);
	return error;
}

// ---- dialling ---------------------------------------------------------------------------------

// The host of "host:port" or "[::1]:port". False: too long, or no address at all.
static bool host_of(const char *address, char *host, size_t bytes)
{
	const char *end = address ? strrchr(address, ':') : NULL;
	if (!address)
		return false;
	if (address[0] == '[') {
		address++;
		end = strchr(address, ']');
	}
	size_t length = end ? (size_t)(end - address) : strlen(address);
	if (length >= bytes)
		return false;
	memcpy(host, address, length);
	host[length] = '\0';
	return true;
}

static int say(tuza_tls_error *why, int error)
{
	return error_set(why, error, "%s", tuza_strerror(error));
}

EXPORT int tuza_tls_dial(tuza_context *ctx, const char *network, const char *address,
	tuza_tls_config *config, tuza_conn **conn, tuza_tls_error *why)
{
	char host[NAME_BYTES] = "";
	tuza_conn *under;
	*conn = NULL;
	int error = tuza_context_err(ctx); // panics for NULL
	if (error)
		return say(why, error);
	config = config ? config : config_default();
	if (!config)
		return say(why, -ENOMEM);
	if (!network)
		return say(why, TUZA_ENETWORK);
	if (!config->server_name[0] && strcmp(network, "unix") != 0 &&
		!host_of(address, host, sizeof host))
		return say(why, TUZA_EADDRESS);
	if (!config->server_name[0] && !host[0] && !config->insecure)
		return error_set(why, -EINVAL, "tls: %.64s: who should the server be?",
			address ? address : "");
	error = tuza_dial(ctx, network, address, &under);
	if (error)
		return say(why, error);
	error = tuza_tls_client(under, config, host[0] ? host : NULL, conn);
	if (error) {
		(void)tuza_conn_close(under);
		return say(why, error);
	}
	error = tuza_tls_handshake(ctx, *conn, why);
	if (error) {
		(void)tuza_conn_close(*conn);
		*conn = NULL;
	}
	return error;
}

// ---- listening --------------------------------------------------------------------------------

static int open_accepted(void *config, tuza_conn *under, tuza_conn **conn)
{
	return tuza_tls_server(under, config, conn);
}

static void free_config(void *config) { tuza_tls_config_free(config); }

EXPORT int tuza_tls_listener(tuza_listener *l, tuza_tls_config *config)
{
	if (!config || !config->has_certificate)
		return -EINVAL;
	int error = tuza_layer_listener(l, open_accepted, free_config, config_retain(config));
	if (error)
		tuza_tls_config_free(config);
	return error;
}

EXPORT int tuza_tls_listen(
	const char *network, const char *address, tuza_tls_config *config, tuza_listener **l)
{
	*l = NULL;
	if (!config || !config->has_certificate)
		return -EINVAL;
	int error = tuza_listen(network, address, l);
	if (error)
		return error;
	error = tuza_tls_listener(*l, config);
	if (error) {
		(void)tuza_listener_close(*l);
		*l = NULL;
	}
	return error;
}
