// SPDX-License-Identifier: MIT
/*
 * What the tests of TLS share: authorities and certificates made by libcrypto, and pairs of ends.
 */
#ifndef TUZA_TLS_SUPPORT_H
#define TUZA_TLS_SUPPORT_H

#include "../api/net_support.h"

#include <tuza/tls.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define HOUR 3600L

// ---- certificates -----------------------------------------------------------------------------

// A certificate and its key, as objects and in PEM.
struct identity {
	X509 *x509;
	EVP_PKEY *pkey;
	char *cert, *key;
};

static char *pem_of(X509 *x509, EVP_PKEY *pkey)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	CHECK(x509 ? PEM_write_bio_X509(bio, x509)
		   : PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL));
	long length = BIO_get_mem_data(bio, &data);
	char *text = strndup(data, (size_t)length);
	BIO_free(bio);
	return text;
}

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	CHECK(e && X509_add_ext(x509, e, -1));
	X509_EXTENSION_free(e);
}

// What a certificate is to be. Times in seconds from now.
struct wanted {
	const char *subject, *names; // "DNS:localhost,IP:127.0.0.1"; NULL: an authority
	long from, until;
	const struct identity *issuer; // NULL: itself
};

static struct identity make_identity(const struct wanted *w)
{
	static atomic_long serial;
	struct identity me = {.x509 = X509_new(), .pkey = EVP_EC_gen("P-256")};
	X509 *x509 = me.x509, *issuer = w->issuer ? w->issuer->x509 : x509;
	X509_set_version(x509, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x509), atomic_fetch_add(&serial, 1) + 1);
	X509_gmtime_adj(X509_getm_notBefore(x509), w->from);
	X509_gmtime_adj(X509_getm_notAfter(x509), w->until);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
		(const unsigned char *)w->subject, -1, -1, 0);
	X509_set_issuer_name(x509, X509_get_subject_name(issuer));
	X509_set_pubkey(x509, me.pkey);
	add_extension(x509, issuer, NID_basic_constraints,
		w->names ? "critical,CA:FALSE" : "critical,CA:TRUE");
	if (w->names)
		add_extension(x509, issuer, NID_subject_alt_name, w->names);
	CHECK(X509_sign(x509, w->issuer ? w->issuer->pkey : me.pkey, EVP_sha256()));
	me.cert = pem_of(x509, NULL);
	me.key = pem_of(NULL, me.pkey);
	return me;
}

TEST_UNUSED_ static struct identity make_authority(const char *subject)
{
	return make_identity(
		&(struct wanted){.subject = subject, .from = -HOUR, .until = 24 * HOUR});
}

TEST_UNUSED_ static struct identity issue(
	const struct identity *issuer, const char *subject, const char *names)
{
	return make_identity(&(struct wanted){.subject = subject,
		.names = names,
		.from = -HOUR,
		.until = HOUR,
		.issuer = issuer});
}

TEST_UNUSED_ static void free_identity(struct identity *i)
{
	X509_free(i->x509);
	EVP_PKEY_free(i->pkey);
	free(i->cert);
	free(i->key);
}

// ---- configurations ---------------------------------------------------------------------------

TEST_UNUSED_ static tuza_tls_config *config_of(const tuza_tls_options *options)
{
	tuza_tls_config *config;
	tuza_tls_error why;
	if (!CHECK_EQ(tuza_tls_config_new(options, &config, &why), 0))
		printf("  %s\n", why.text);
	return config;
}

// An authority, a server named localhost, and configurations of both sides.
struct world {
	struct identity ca, server;
	tuza_tls_config *at_server, *at_client;
};

TEST_UNUSED_ static struct world make_world(tuza_tls_options server, tuza_tls_options client)
{
	struct world w = {.ca = make_authority("tuza test CA")};
	w.server = issue(&w.ca, "localhost", "DNS:localhost,IP:127.0.0.1,DNS:*.example.test");
	server.cert_pem = w.server.cert;
	server.key_pem = w.server.key;
	client.ca_pem = w.ca.cert;
	if (!client.server_name)
		client.server_name = "localhost";
	w.at_server = config_of(&server);
	w.at_client = config_of(&client);
	return w;
}

TEST_UNUSED_ static void free_world(struct world *w)
{
	tuza_tls_config_free(w->at_server);
	tuza_tls_config_free(w->at_client);
	free_identity(&w->server);
	free_identity(&w->ca);
}

// ---- connections ------------------------------------------------------------------------------

// A client (a) and a server (b) over a pair of a kind; no handshake yet.
TEST_UNUSED_ static struct pair tls_pair(const struct world *w, int kind)
{
	struct pair under = pair_of(kind), p;
	CHECK_EQ(tuza_tls_client(under.a, w->at_client, NULL, &p.a), 0);
	CHECK_EQ(tuza_tls_server(under.b, w->at_server, &p.b), 0);
	return p;
}

struct shaking {
	tuza_conn *conn;
	tuza_context *ctx;
	tuza_tls_error why;
	int result;
	atomic_int done;
};

TEST_UNUSED_ static void shake_now(struct shaking *s)
{
	s->result = tuza_tls_handshake(s->ctx, s->conn, &s->why);
	atomic_store(&s->done, 1);
}

// Both sides' handshakes at a time.
TEST_UNUSED_ static void shake(struct pair p, struct shaking *client, struct shaking *server)
{
	*client = (struct shaking){.conn = p.a};
	*server = (struct shaking){.conn = p.b};
	TUZA_GO(shake_now, server);
	shake_now(client);
	WAIT_UNTIL(server->done);
}

// A pair that has shaken hands.
TEST_UNUSED_ static struct pair ready_pair(const struct world *w, int kind)
{
	struct pair p = tls_pair(w, kind);
	struct shaking client, server;
	shake(p, &client, &server);
	if (!CHECK_EQ(client.result, 0) || !CHECK_EQ(server.result, 0))
		printf("  client: %s; server: %s\n", client.why.text, server.why.text);
	return p;
}

static const tuza_tls_options tls_defaults;
static const tuza_tls_options tls_1_2 = {.max_version = TUZA_TLS_1_2};

// Runs the block that follows for a pair of each kind and version; the block closes it.
#define FOR_EACH_TLS_PAIR(w, p)                                                                    \
	for (int version = 0; version < 2; version++)                                              \
		for (struct world w = make_world(version ? tls_1_2 : tls_defaults, tls_defaults),  \
				  *worlds = &w;                                                    \
			worlds; free_world(&w), worlds = NULL)                                     \
			for (int kind = 0; kind < PAIR_KINDS; kind++)                              \
				for (struct pair p = tls_pair(&w, kind), *once = &p; once;         \
					once = NULL)

// Bytes that are told apart from others.
TEST_UNUSED_ static void fill_pattern(char *bytes, size_t count, unsigned seed)
{
	for (size_t i = 0; i < count; i++)
		bytes[i] = (char)((i * 7919 + seed) >> 3);
}

#endif
