// SPDX-License-Identifier: MIT
/*
 * Which of a server's certificates a client gets to see: by the name that it asks for.
 *
 * OpenSSL's context has one certificate of each kind of key; here are all of them. Those with the
 * client's name take the place of the context's, on the connection alone, and OpenSSL chooses
 * among their kinds what the client can verify.
 *
 * Go: src/crypto/tls/common.go, Config.getCertificate
 */
#include "tls/tls.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static bool is_for(const struct presented *p, const char *name)
{
	return X509_check_host(
		       p->own, name, strlen(name), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

// Called by OpenSSL for a server that has read its client's first message. 0: an alert.
static int choose(SSL *ssl, void *arg)
{
	const tuza_tls_config *config = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	bool any = false;
	if (!SSL_is_server(ssl) || !name)
		return 1;
	for (size_t i = config->presented_count; i-- > 0;) { // the first of a kind comes last
		const struct presented *p = &config->presented[i];
		if (!is_for(p, name))
			continue;
		if (!any)
			SSL_certs_clear(ssl);
		any = true;
		if (SSL_use_cert_and_key(ssl, p->own, p->key, p->chain, 1) != 1)
			return 0;
	}
	ERR_clear_error(); // of names in certificates that are none
	return 1;
}

void choose_setup(tuza_tls_config *config)
{
	if (config->presented_count > 1)
		SSL_CTX_set_cert_cb(config->ctx, choose, config);
}

void choose_free(tuza_tls_config *config)
{
	for (size_t i = 0; i < config->presented_count; i++) {
		struct presented *p = &config->presented[i];
		X509_free(p->own);
		EVP_PKEY_free(p->key);
		sk_X509_pop_free(p->chain, X509_free);
	}
	free(config->presented);
}
