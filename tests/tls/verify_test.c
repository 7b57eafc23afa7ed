// SPDX-License-Identifier: MIT
/*
 * Who is believed: certificates that are valid and those that are not, in both directions, and what
 * is said about it.
 */
#include "tls_support.h"

#include <sys/stat.h>

static const tuza_tls_options none;

// What comes of a handshake between two configurations.
struct outcome {
	struct shaking client, server;
	tuza_tls_state at_client, at_server;
	char shown[64]; // a name in the server's certificate
};

static struct outcome meet(tuza_tls_config *client, tuza_tls_config *server, const char *name)
{
	struct pair under = pair_of(0), p;
	struct outcome o;
	CHECK_EQ(tuza_tls_client(under.a, client, name, &p.a), 0);
	CHECK_EQ(tuza_tls_server(under.b, server, &p.b), 0);
	shake(p, &o.client, &o.server);
	if (o.client.result == 0 && o.server.result == 0) {
		// The server's verdict on the client's certificate comes with the first bytes.
		char byte;
		struct call read = {.conn = p.a, .bytes = &byte, .count = 1};
		TUZA_GO(read_now, &read);
		CHECK_EQ(tuza_conn_write(p.b, "x", 1), 1);
		WAIT_UNTIL(read.done);
		CHECK_EQ(read.result, 1);
	} else if (o.client.result == 0) {
		char byte;
		o.client.result = (int)tuza_conn_read(p.a, &byte, 1);
		CHECK_EQ(tuza_tls_get_error(p.a, &o.client.why), 0);
	}
	if (tuza_tls_peer_name(p.a, 0, o.shown, sizeof(o.shown)) != 0)
		o.shown[0] = '\0';
	CHECK_EQ(tuza_tls_get_state(p.a, &o.at_client), 0);
	CHECK_EQ(tuza_tls_get_state(p.b, &o.at_server), 0);
	close_pair(&p);
	return o;
}

// A server with this certificate, met by a client that believes in the authority.
static struct outcome meet_server(
	const struct identity *server, const struct identity *ca, const char *name)
{
	tuza_tls_config *at_server = config_of(&(tuza_tls_options){
				.cert_pem = server->cert, .key_pem = server->key}),
			*at_client = config_of(&(tuza_tls_options){.ca_pem = ca->cert});
	struct outcome o = meet(at_client, at_server, name);
	tuza_tls_config_free(at_server);
	tuza_tls_config_free(at_client);
	return o;
}

TEST(a_valid_certificate_is_believed)
{
	struct world w = make_world(none, none);
	static const char *const names[] = {
		"localhost", "127.0.0.1", "a.example.test", "localhost.", "LOCALHOST"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct outcome o = meet_server(&w.server, &w.ca, names[i]);
		CHECK_EQ(o.client.result, 0);
		CHECK_EQ(o.server.result, 0);
		CHECK(o.at_client.handshake_made && o.at_client.peer_verified);
		CHECK(!o.at_client.is_server && o.at_server.is_server);
		CHECK_EQ(o.at_client.version, TUZA_TLS_1_3);
		CHECK_CONTAINS(o.at_client.cipher, "TLS_");
		CHECK_STR(o.at_client.peer, "CN=localhost");
		CHECK_STR(o.at_server.peer, "");
		CHECK(!o.at_server.peer_verified);
		// Addresses are not sent, nor is the dot of the root.
		CHECK_STR(o.at_server.server_name, i == 1 ? "" : i == 3 ? "localhost" : names[i]);
	}
	free_world(&w);
}

TEST(a_certificate_for_another_name_is_refused)
{
	struct world w = make_world(none, none);
	static const char *const names[] = {
		"example.org", "127.0.0.2", "example.test", "a.b.example.test", "tuza test CA"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char text[128];
		struct outcome o = meet_server(&w.server, &w.ca, names[i]);
		CHECK_EQ(o.client.result, TUZA_ECERTIFICATE);
		snprintf(text, sizeof text,
			"tls: certificate is not valid for name %s, but for "
			"localhost, 127.0.0.1, *.example.test",
			names[i]);
		CHECK_STR(o.client.why.text, text);
		CHECK_EQ(o.server.result, TUZA_ECERTIFICATE);
		CHECK_CONTAINS(o.server.why.text, "remote error: tls: bad certificate");
		CHECK(!o.at_client.handshake_made);
	}
	free_world(&w);
}

// However many names there are and however long: whole ones, and a sign that there are more.
TEST(names_that_are_too_many_to_tell_end_in_dots)
{
	struct identity ca = make_authority("CA");
	for (int before = 0; before < 2; before++) {
		char names[300], wanted[80], label[61] = "";
		memset(label, 'l', sizeof label - 1);
		snprintf(names, sizeof names, "%sDNS:%s.%s.%s", before ? "DNS:first," : "", label,
			label, label);
		struct identity server = issue(&ca, "long", names);
		struct outcome o = meet_server(&server, &ca, "example.org");
		CHECK_EQ(o.client.result, TUZA_ECERTIFICATE);
		snprintf(wanted, sizeof wanted,
			"tls: certificate is not valid for name example.org, but for %s",
			before ? "first, …" : "…");
		CHECK_STR(o.client.why.text, wanted);
		free_identity(&server);
	}
	free_identity(&ca);
}

TEST(a_certificate_has_its_time)
{
	struct identity ca = make_authority("CA");
	struct identity late = make_identity(&(struct wanted){.subject = "late",
		.names = "DNS:localhost",
		.from = -2 * HOUR,
		.until = -HOUR,
		.issuer = &ca});
	struct identity early = make_identity(&(struct wanted){.subject = "early",
		.names = "DNS:localhost",
		.from = HOUR,
		.until = 2 * HOUR,
		.issuer = &ca});
	struct outcome o = meet_server(&late, &ca, "localhost");
	CHECK_EQ(o.client.result, TUZA_ECERTIFICATE);
	CHECK_CONTAINS(o.client.why.text, "tls: certificate has expired on 20");
	CHECK_STR(o.server.why.text, "remote error: tls: certificate expired");
	o = meet_server(&early, &ca, "localhost");
	CHECK_EQ(o.client.result, TUZA_ECERTIFICATE);
	CHECK_CONTAINS(o.client.why.text, "tls: certificate is not valid before 20");
	free_identity(&late);
	free_identity(&early);
	free_identity(&ca);
}

TEST(whom_nobody_vouches_for_is_refused)
{
	struct identity ca = make_authority("CA"), other = make_authority("another CA");
	struct identity server = issue(&other, "localhost", "DNS:localhost");
	struct identity alone = make_identity(&(struct wanted){
		.subject = "alone", .names = "DNS:localhost", .from = -HOUR, .until = HOUR});
	struct outcome o = meet_server(&server, &ca, "localhost");
	CHECK_EQ(o.client.result, TUZA_ECERTIFICATE);
	CHECK_STR(o.client.why.text, "tls: certificate is signed by an unknown authority");
	CHECK_STR(o.server.why.text, "remote error: tls: unknown CA");
	CHECK_EQ(o.server.result, TUZA_ECERTIFICATE);
	o = meet_server(&alone, &ca, "localhost");
	CHECK_EQ(o.client.result, TUZA_ECERTIFICATE);
	CHECK_STR(o.client.why.text, "tls: certificate is signed by itself, and not trusted");
	o = meet_server(&alone, &alone, "localhost");
	CHECK_EQ(o.client.result, 0);

	// The system's authorities do not know it, either.
	tuza_tls_config *at_client = config_of(NULL);
	tuza_tls_config *at_server =
		config_of(&(tuza_tls_options){.cert_pem = server.cert, .key_pem = server.key});
	o = meet(at_client, at_server, "localhost");
	CHECK_EQ(o.client.result, TUZA_ECERTIFICATE);
	o = meet(NULL, at_server, "localhost");
	CHECK_EQ(o.client.result, TUZA_ECERTIFICATE);
	tuza_tls_config_free(at_client);

	// Unless nobody is asked.
	at_client = config_of(&(tuza_tls_options){.insecure_accept_any_certificate = true});
	o = meet(at_client, at_server, "example.org");
	CHECK_EQ(o.client.result, 0);
	CHECK(!o.at_client.peer_verified);
	CHECK_STR(o.at_client.peer, "CN=localhost");
	tuza_tls_config_free(at_client);
	tuza_tls_config_free(at_server);
	free_identity(&alone);
	free_identity(&server);
	free_identity(&other);
	free_identity(&ca);
}

TEST(a_chain_is_followed_to_its_authority)
{
	struct identity root = make_authority("root"),
			middle = make_identity(&(struct wanted){.subject = "middle",
				.from = -HOUR,
				.until = HOUR,
				.issuer = &root});
	struct identity leaf = issue(&middle, "leaf", "DNS:localhost");
	struct outcome o = meet_server(&leaf, &root, "localhost");
	CHECK_EQ(o.client.result, TUZA_ECERTIFICATE); // the one between is missing

	char *chain = malloc(strlen(leaf.cert) + strlen(middle.cert) + 1);
	strcpy(chain, leaf.cert);
	strcat(chain, middle.cert);
	free(leaf.cert);
	leaf.cert = chain;
	o = meet_server(&leaf, &root, "localhost");
	CHECK_EQ(o.client.result, 0);
	free_identity(&leaf);
	free_identity(&middle);
	free_identity(&root);
}

// ---- clients ----------------------------------------------------------------------------------

TEST(a_server_knows_its_clients_by_their_certificates)
{
	struct identity ca = make_authority("CA"), other = make_authority("another CA");
	struct identity server = issue(&ca, "localhost", "DNS:localhost");
	struct identity known =
		issue(&ca, "client 7", "email:seven@example.test,URI:tuza://client/7");
	struct identity unknown = issue(&other, "client 8", "email:eight@example.test");
	const struct identity *clients[] = {&known, &unknown, NULL};
	for (int version = TUZA_TLS_1_2; version <= TUZA_TLS_1_3; version++)
		for (int demand = TUZA_TLS_ANY_CLIENT; demand <= TUZA_TLS_VERIFIED_CLIENTS;
			demand++)
			for (int i = 0; i < 3; i++) {
				tuza_tls_options of_server = {.cert_pem = server.cert,
					.key_pem = server.key,
					.ca_pem = ca.cert,
					.clients = (tuza_tls_clients)demand,
					.max_version = version};
				tuza_tls_options of_client = {.ca_pem = ca.cert};
				if (clients[i]) {
					of_client.cert_pem = clients[i]->cert;
					of_client.key_pem = clients[i]->key;
				}
				tuza_tls_config *at_server = config_of(&of_server);
				tuza_tls_config *at_client = config_of(&of_client);
				struct outcome o = meet(at_client, at_server, "localhost");
				bool refused = (demand > TUZA_TLS_ANY_CLIENT && i == 1) ||
					       (demand == TUZA_TLS_VERIFIED_CLIENTS && i == 2);
				CHECK_EQ(o.server.result, refused ? TUZA_ECERTIFICATE : 0);
				CHECK_EQ(o.client.result == 0, !refused);
				if (refused && i == 1)
					CHECK_CONTAINS(o.server.why.text, "unknown authority");
				if (refused && i == 2)
					CHECK_STR(o.server.why.text,
						"tls: the client did not send a certificate");
				if (refused)
					CHECK_CONTAINS(o.client.why.text, "remote error: tls: ");
				bool seen = !refused && demand > TUZA_TLS_ANY_CLIENT && i == 0;
				CHECK_EQ(o.at_server.peer_verified, seen);
				CHECK_STR(o.at_server.peer, seen ? "CN=client 7" : "");
				tuza_tls_config_free(at_server);
				tuza_tls_config_free(at_client);
			}
	free_identity(&known);
	free_identity(&unknown);
	free_identity(&server);
	free_identity(&other);
	free_identity(&ca);
}

TEST(the_names_of_a_certificate_can_be_asked_for)
{
	struct world w = make_world(none, none);
	struct pair p = ready_pair(&w, 2);
	char text[64];
	static const char *const names[] = {"localhost", "127.0.0.1", "*.example.test"};
	for (size_t i = 0; i < 3; i++) {
		CHECK_EQ(tuza_tls_peer_name(p.a, i, text, sizeof text), 0);
		CHECK_STR(text, names[i]);
	}
	CHECK_EQ(tuza_tls_peer_name(p.a, 3, text, sizeof text), -ENOENT);
	CHECK_EQ(tuza_tls_peer_name(p.a, 0, text, 6), -ENOSPC);
	CHECK_STR(text, "local");
	CHECK_EQ(tuza_tls_peer_name(p.b, 0, text, sizeof text), -ENOENT);

	void *der;
	size_t bytes;
	CHECK_EQ(tuza_tls_peer_certificate(p.a, &der, &bytes), 0);
	const unsigned char *at = der;
	X509 *x509 = d2i_X509(NULL, &at, (long)bytes);
	CHECK(x509 && X509_cmp(x509, w.server.x509) == 0);
	X509_free(x509);
	free(der);
	CHECK_EQ(tuza_tls_peer_certificate(p.b, &der, &bytes), -ENOENT);
	close_pair(&p);
	free_world(&w);
}

// ---- configurations ---------------------------------------------------------------------------

static void refuse(const tuza_tls_options *options, int code, const char *words)
{
	tuza_tls_config *config;
	tuza_tls_error why;
	CHECK_EQ(tuza_tls_config_new(options, &config, &why), code);
	CHECK(config == NULL);
	CHECK_EQ(why.code, code);
	CHECK_CONTAINS(why.text, words);
	CHECK_EQ(tuza_tls_config_new(options, &config, NULL), code);
}

TEST(a_configuration_that_does_not_fit_together_is_refused)
{
	struct identity ca = make_authority("CA"), one = issue(&ca, "one", "DNS:one");
	struct identity two = issue(&ca, "two", "DNS:two");
	refuse(&(tuza_tls_options){.cert_pem = one.cert, .key_pem = two.key}, TUZA_ECERTIFICATE,
		"the key does not belong to the certificate");
	refuse(&(tuza_tls_options){.cert_pem = one.cert}, -EINVAL, "needs its key");
	refuse(&(tuza_tls_options){.cert_pem = one.cert, .cert_file = "x", .key_pem = one.key},
		-EINVAL, "twice");
	refuse(&(tuza_tls_options){.cert_pem = one.key, .key_pem = one.key}, TUZA_ECERTIFICATE,
		"the certificate: no certificate in it");
	refuse(&(tuza_tls_options){.cert_pem = one.cert, .key_pem = one.cert}, TUZA_ECERTIFICATE,
		"the key: no key in it");
	const tuza_tls_certificate good = {.cert_pem = one.cert, .key_pem = one.key},
				   bad = {.cert_pem = one.cert, .key_pem = two.key};
	refuse(&(tuza_tls_options){.certificates = (const tuza_tls_certificate[]){good, bad},
		       .certificate_count = 2},
		TUZA_ECERTIFICATE, "the key does not belong to the certificate");
	refuse(&(tuza_tls_options){.cert_file = "/none/cert.pem", .key_pem = one.key}, -ENOENT,
		"/none/cert.pem: No such file or directory");
	refuse(&(tuza_tls_options){.ca_file = "/none/ca.pem"}, -ENOENT, "/none/ca.pem");
	refuse(&(tuza_tls_options){.ca_pem = "nothing"}, TUZA_ECERTIFICATE, "no certificate in it");
	refuse(&(tuza_tls_options){.clients = TUZA_TLS_VERIFIED_CLIENTS}, -EINVAL, "whose");
	refuse(&(tuza_tls_options){.min_version = 0x0301}, -EINVAL, "versions");
	refuse(&(tuza_tls_options){.min_version = TUZA_TLS_1_3, .max_version = TUZA_TLS_1_2},
		-EINVAL, "versions");
	refuse(&(tuza_tls_options){.protocols = (const char *const[]){"", NULL}}, -EINVAL,
		"1 to 255");

	struct pair under = pair_of(2);
	tuza_conn *conn;
	tuza_listener *l;
	tuza_tls_config *config = config_of(NULL);
	CHECK_EQ(tuza_tls_client(under.a, config, NULL, &conn), -EINVAL); // who should it be?
	CHECK_EQ(tuza_tls_server(under.b, config, &conn), -EINVAL);       // who is it?
	CHECK_EQ(tuza_tls_server(under.b, NULL, &conn), -EINVAL);
	CHECK_EQ(tuza_tls_listen("tcp", "127.0.0.1:0", config, &l), -EINVAL);
	CHECK(conn == NULL && l == NULL);
	close_pair(&under);
	tuza_tls_config_free(config);
	tuza_tls_config_free(NULL);
	free_identity(&one);
	free_identity(&two);
	free_identity(&ca);
}

// Checks which certificate a server shows to whoever asks for the name.
static void check_shown(tuza_tls_config *server, const char *name, const char *first)
{
	tuza_tls_config *client =
		config_of(&(tuza_tls_options){.insecure_accept_any_certificate = true});
	struct outcome o = meet(client, server, name);
	CHECK_EQ(o.client.result, 0);
	if (!CHECK_STR(o.shown, first))
		printf("  asked for %s\n", name ? name : "nobody");
	tuza_tls_config_free(client);
}

TEST(a_server_with_several_certificates_shows_the_one_that_is_asked_for)
{
	struct identity ca = make_authority("CA");
	struct identity a = issue(&ca, "a", "DNS:a.test,DNS:*.sub.a.test"),
			b = issue(&ca, "b", "DNS:b.test"),
			c = issue(&ca, "c", "DNS:c.test,DNS:b.test");
	const tuza_tls_certificate more[] = {
		{.cert_pem = b.cert, .key_pem = b.key}, {.cert_pem = c.cert, .key_pem = c.key}};
	tuza_tls_config *server = config_of(&(tuza_tls_options){.cert_pem = a.cert,
		.key_pem = a.key,
		.certificates = more,
		.certificate_count = 2});
	check_shown(server, "a.test", "a.test");
	check_shown(server, "x.sub.a.test", "a.test");
	check_shown(server, "b.test", "b.test"); // the first of two
	check_shown(server, "B.Test", "b.test");
	check_shown(server, "c.test", "c.test");
	check_shown(server, "elsewhere.test", "a.test");
	check_shown(server, NULL, "a.test");

	tuza_tls_config *client = config_of(&(tuza_tls_options){.ca_pem = ca.cert});
	struct outcome o = meet(client, server, "c.test");
	CHECK_EQ(o.client.result, 0);
	CHECK(o.at_client.peer_verified);
	tuza_tls_config_free(client);
	tuza_tls_config_free(server);

	server = config_of(&(tuza_tls_options){.certificates = more, .certificate_count = 2});
	check_shown(server, NULL, "b.test"); // without one before them
	check_shown(server, "c.test", "c.test");
	tuza_tls_config_free(server);
	free_identity(&a);
	free_identity(&b);
	free_identity(&c);
	free_identity(&ca);
}

static char *write_file(const char *dir, const char *name, const char *text)
{
	char *path = malloc(strlen(dir) + strlen(name) + 2);
	sprintf(path, "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	if (CHECK(f != NULL)) {
		fputs(text, f);
		fclose(f);
	}
	return path;
}

TEST(certificates_and_keys_are_read_from_files)
{
	char dir[] = "/tmp/tuza-tls-XXXXXX";
	CHECK(mkdtemp(dir) != NULL);
	struct identity ca = make_authority("CA"), server = issue(&ca, "server", "DNS:localhost");
	char *cert = write_file(dir, "cert.pem", server.cert),
	     *authority = write_file(dir, "ca.pem", ca.cert);
	char *key = write_file(dir, "key.pem", server.key);
	tuza_tls_config *at_server =
		config_of(&(tuza_tls_options){.cert_file = cert, .key_file = key});
	tuza_tls_config *at_client = config_of(&(tuza_tls_options){.ca_file = authority});
	CHECK_EQ(meet(at_client, at_server, "localhost").client.result, 0);
	tuza_tls_config_free(at_server);

	// An encrypted key, with its password, with none and with a wrong one.
	BIO *bio = BIO_new(BIO_s_mem());
	CHECK(PEM_write_bio_PrivateKey(bio, server.pkey, EVP_aes_256_cbc(),
		(const unsigned char *)"sesame", 6, NULL, NULL));
	char *data, *locked = malloc(8192);
	long length = BIO_get_mem_data(bio, &data);
	snprintf(locked, 8192, "%.*s", (int)length, data);
	BIO_free(bio);
	tuza_tls_options o = {.cert_file = cert, .key_pem = locked, .key_password = "sesame"};
	at_server = config_of(&o);
	CHECK_EQ(meet(at_client, at_server, "localhost").client.result, 0);
	o.key_password = NULL;
	refuse(&o, TUZA_ECERTIFICATE, "encrypted, and there is no password");
	o.key_password = "wrong";
	refuse(&o, TUZA_ECERTIFICATE, "the key: ");

	tuza_tls_config_free(at_server);
	tuza_tls_config_free(at_client);
	remove(cert);
	remove(key);
	remove(authority);
	remove(dir);
	free(cert);
	free(key);
	free(authority);
	free(locked);
	free_identity(&server);
	free_identity(&ca);
}
