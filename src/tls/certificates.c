// SPDX-License-Identifier: MIT
/*
 * Certificates and keys, from files and from memory, into a configuration.
 */
#include "tls/tls.h"

#include <tuza/error.h>

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- text in PEM ------------------------------------------------------------------------------

// Where something is from: a file, or memory (`text`).
struct source {
	const char *name; // for words: the file's, or what it is
	BIO *bio;
};

static int open_source(
	struct source *s, const char *file, const char *pem, const char *what, tuza_tls_error *why)
{
	s->name = file ? file : what;
	errno = 0;
	s->bio = file ? BIO_new_file(file, "r") : BIO_new_mem_buf(pem, -1);
	if (s->bio)
		return 0;
	int code = file && errno ? -errno : -ENOMEM;
	ERR_clear_error();
	return error_set(why, code, "tls: %.200s: %s", s->name, tuza_strerror(code));
}

// The end of the text, and no other failure.
static bool is_at_end(void)
{
	unsigned long error = ERR_peek_last_error();
	bool end =
		ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
	if (end)
		ERR_clear_error();
	return end;
}

// Instead of asking at the terminal.
static int give_password(char *password, int bytes, int writing, void *arg)
{
	(void)writing;
	int length = arg ? (int)strlen(arg) : 0;
	if (!arg || length > bytes)
		return -1;
	memcpy(password, arg, (size_t)length);
	return length;
}

// ---- who we are -------------------------------------------------------------------------------

static int read_chain(struct presented *p, struct source *s, tuza_tls_error *why)
{
	X509 *next;
	p->own = PEM_read_bio_X509_AUX(s->bio, NULL, give_password, NULL);
	if (!p->own && is_at_end())
		return error_set(
			why, TUZA_ECERTIFICATE, "tls: %.200s: no certificate in it", s->name);
	bool used = p->own && (p->chain = sk_X509_new_null());
	while (used && (next = PEM_read_bio_X509(s->bio, NULL, give_password, NULL))) {
		used = sk_X509_push(p->chain, next) > 0;
		if (!used)
			X509_free(next);
	}
	if (used && is_at_end())
		return 0;
	return error_of_library(why, TUZA_ECERTIFICATE, s->name);
}

static int read_key(
	struct presented *p, struct source *s, const char *password, tuza_tls_error *why)
{
	p->key = PEM_read_bio_PrivateKey(s->bio, NULL, give_password, (void *)(uintptr_t)password);
	if (p->key)
		return 0;
	if (is_at_end() || ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_OSSL_DECODER) {
		ERR_clear_error();
		return error_set(why, TUZA_ECERTIFICATE, "tls: %.200s: no key in it", s->name);
	}
	if (!password && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_BAD_PASSWORD_READ) {
		ERR_clear_error();
		return error_set(why, TUZA_ECERTIFICATE,
			"tls: %.160s: the key is encrypted, and there is no password", s->name);
	}
	return error_of_library(why, TUZA_ECERTIFICATE, s->name);
}

// Whether OpenSSL takes the certificate and its key; on an SSL of its own, since a context has one
// of each kind.
static int try_out(
	SSL_CTX *ctx, const struct presented *p, const struct source *s, tuza_tls_error *why)
{
	SSL *ssl = SSL_new(ctx);
	bool used = ssl && X509_check_private_key(p->own, p->key) == 1 &&
		    SSL_use_cert_and_key(ssl, p->own, p->key, p->chain, 1) == 1;
	SSL_free(ssl);
	if (used)
		return 0;
	int reason = ERR_GET_REASON(ERR_peek_last_error());
	if (reason != X509_R_KEY_VALUES_MISMATCH && reason != X509_R_KEY_TYPE_MISMATCH)
		return error_of_library(why, TUZA_ECERTIFICATE, s->name);
	ERR_clear_error();
	return error_set(why, TUZA_ECERTIFICATE,
		"tls: %.160s: the key does not belong to the certificate", s->name);
}

static int read_presented(
	SSL_CTX *ctx, struct presented *p, const tuza_tls_certificate *from, tuza_tls_error *why)
{
	struct source s;
	if ((from->cert_file && from->cert_pem) || (from->key_file && from->key_pem))
		return error_set(why, -EINVAL, "tls: a certificate or key is given twice");
	if ((!from->cert_file && !from->cert_pem) || (!from->key_file && !from->key_pem))
		return error_set(why, -EINVAL,
			"tls: a certificate needs its key, and a key its "
			"certificate");
	int error = open_source(&s, from->cert_file, from->cert_pem, "the certificate", why);
	if (error)
		return error;
	error = read_chain(p, &s, why);
	BIO_free(s.bio);
	if (error)
		return error;
	error = open_source(&s, from->key_file, from->key_pem, "the key", why);
	if (error)
		return error;
	error = read_key(p, &s, from->key_password, why);
	if (!error)
		error = try_out(ctx, p, &s, why);
	BIO_free(s.bio);
	return error;
}

// The first is what there is for whoever asks for no name, or for one that none has.
static int load_own(tuza_tls_config *config, const tuza_tls_options *o, tuza_tls_error *why)
{
	const tuza_tls_certificate first = {
		o->cert_file, o->key_file, o->cert_pem, o->key_pem, o->key_password};
	bool has_first = o->cert_file || o->cert_pem || o->key_file || o->key_pem;
	size_t most = has_first + o->certificate_count;
	if (most == 0)
		return 0;
	config->presented = calloc(most, sizeof *config->presented);
	if (!config->presented)
		return error_set(why, -ENOMEM, "tls: no memory");
	for (size_t i = 0; i < most; i++) {
		const tuza_tls_certificate *from =
			has_first && i == 0 ? &first : &o->certificates[i - has_first];
		config->presented_count++; // freed also if it fails
		int error = read_presented(config->ctx, &config->presented[i], from, why);
		if (error)
			return error;
	}
	const struct presented *p = &config->presented[0];
	if (SSL_CTX_use_cert_and_key(config->ctx, p->own, p->key, p->chain, 1) != 1)
		return error_of_library(why, TUZA_ECERTIFICATE, "the certificate");
	config->has_certificate = true;
	return 0;
}

// ---- whom we believe --------------------------------------------------------------------------

static int use_authorities(tuza_tls_config *config, struct source *s, tuza_tls_error *why)
{
	X509_STORE *store = SSL_CTX_get_cert_store(config->ctx);
	X509 *authority;
	bool used = true, any = false;
	while (used && (authority = PEM_read_bio_X509(s->bio, NULL, give_password, NULL))) {
		any = true;
		used = X509_STORE_add_cert(store, authority) == 1;
		// Clients with several certificates choose by it.
		if (used && config->clients != TUZA_TLS_ANY_CLIENT)
			used = SSL_CTX_add_client_CA(config->ctx, authority) == 1;
		X509_free(authority);
	}
	if (!used || !is_at_end())
		return error_of_library(why, TUZA_ECERTIFICATE, s->name);
	return any ? 0
		   : error_set(
			     why, TUZA_ECERTIFICATE, "tls: %.200s: no certificate in it", s->name);
}

static int load_authorities(
	tuza_tls_config *config, const char *file, const char *pem, tuza_tls_error *why)
{
	struct source s;
	if (!file && !pem)
		return 0;
	int error = open_source(&s, file, pem, "the authorities", why);
	if (error)
		return error;
	error = use_authorities(config, &s, why);
	BIO_free(s.bio);
	return error;
}

int config_load(tuza_tls_config *config, const tuza_tls_options *o, tuza_tls_error *why)
{
	bool any = o->ca_file || o->ca_pem || o->ca_dir;
	if (o->clients != TUZA_TLS_ANY_CLIENT && !any)
		return error_set(why, -EINVAL,
			"tls: to verify clients, say whose certificates they must have");
	int error = load_own(config, o, why);
	if (!error)
		error = load_authorities(config, o->ca_file, NULL, why);
	if (!error)
		error = load_authorities(config, NULL, o->ca_pem, why);
	if (!error && o->ca_dir &&
		!X509_STORE_load_path(SSL_CTX_get_cert_store(config->ctx), o->ca_dir))
		error = error_of_library(why, TUZA_ECERTIFICATE, o->ca_dir);
	if (!error && (o->ca_system || !any) && !SSL_CTX_set_default_verify_paths(config->ctx))
		error = error_of_library(why, TUZA_ECERTIFICATE, "the system's authorities");
	return error;
}
