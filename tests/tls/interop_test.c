// SPDX-License-Identifier: MIT
/*
 * The other side is the openssl command, as client and as server.
 */
#include "tls_support.h"

#include <tuza/process.h>

#include <openssl/ssl.h>
#include <sys/stat.h>

static const tuza_tls_options none;

// The certificates of a world, in files.
struct files {
	char dir[32], ca[64], cert[64], key[64];
};

static void write_file(char *path, const char *dir, const char *name, const char *text)
{
	sprintf(path, "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	if (CHECK(f != NULL)) {
		fputs(text, f);
		fclose(f);
	}
}

static void write_files(struct files *f, const struct world *w)
{
	strcpy(f->dir, "/tmp/tuza-tls-XXXXXX");
	CHECK(mkdtemp(f->dir) != NULL);
	write_file(f->ca, f->dir, "ca.pem", w->ca.cert);
	write_file(f->cert, f->dir, "cert.pem", w->server.cert);
	write_file(f->key, f->dir, "key.pem", w->server.key);
}

static void remove_files(const struct files *f)
{
	remove(f->ca);
	remove(f->cert);
	remove(f->key);
	remove(f->dir);
}

static bool has_openssl(void)
{
	char path[256];
	if (tuza_process_look_path("openssl", path, sizeof path) == 0)
		return true;
	SKIP("there is no openssl command");
	return false;
}

// What a process says, until it contains `part`.
static bool read_until(tuza_conn *out, char *text, size_t bytes, const char *part)
{
	size_t length = strlen(text);
	ssize_t n;
	while (!strstr(text, part)) {
		if (length + 1 >= bytes ||
			(n = tuza_conn_read(out, text + length, bytes - length - 1)) <= 0)
			return false;
		length += (size_t)n;
		text[length] = '\0';
	}
	return true;
}

static void run_server(const struct world *w, const struct files *f, const char *version)
{
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), 25 * TUZA_SECOND);
	tuza_process_options o = {.in = tuza_process_pipe(), .out = tuza_process_pipe()};
	tuza_process *p;
	char said[4096] = "", address[64], got[16] = "";
	// It sends each line back, turned round.
	int error = tuza_process_start(ctx,
		TUZA_ARGV("openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", f->cert, "-key",
			f->key, "-rev", version, "-alpn", "b,c"),
		&o, &p);
	if (!CHECK_EQ(error, 0))
		return;
	const char *at = NULL;
	if (CHECK(read_until(tuza_process_out(p), said, sizeof said, "ACCEPT")) &&
		CHECK(read_until(tuza_process_out(p), said, sizeof said, "\n"))) {
		at = strstr(said, "ACCEPT");
		snprintf(address, sizeof address, "%s", at + 7);
		address[strcspn(address, "\n")] = '\0';
	}
	for (int i = 0; at && i < 3; i++) {
		tuza_conn *conn;
		tuza_tls_error why;
		tuza_tls_state state;
		if (!CHECK_EQ(tuza_tls_dial(ctx, "tcp", address, w->at_client, &conn, &why), 0)) {
			printf("  %s\n", why.text);
			break;
		}
		CHECK_EQ(tuza_conn_write(conn, "hello\n", 6), 6);
		CHECK_EQ(read_all(conn, got, 6), 6);
		CHECK(memcmp(got, "olleh\n", 6) == 0);
		CHECK_EQ(tuza_tls_get_state(conn, &state), 0);
		CHECK_EQ(state.resumed, i > 0);
		CHECK_STR(state.protocol, "b");
		CHECK_EQ(state.version,
			strcmp(version, "-tls1_2") == 0 ? TUZA_TLS_1_2 : TUZA_TLS_1_3);
		CHECK_EQ(tuza_conn_close(conn), 0);
	}
	tuza_process_free(p);
	tuza_context_free(ctx);
}

TEST(openssl_is_a_server)
{
	if (!has_openssl())
		return;
	struct world w = make_world(
		none, (tuza_tls_options){.protocols = (const char *const[]){"a", "b", NULL}});
	struct files f;
	write_files(&f, &w);
	run_server(&w, &f, "-tls1_2");
	run_server(&w, &f, "-tls1_3");
	remove_files(&f);
	free_world(&w);
}

// ---- as a client ------------------------------------------------------------------------------

struct updates {
	atomic_int got, sent;
};

static void count_updates(
	int writing, int version, int type, const void *bytes, size_t count, SSL *ssl, void *arg)
{
	struct updates *u = arg;
	(void)version;
	(void)ssl;
	if (type == SSL3_RT_HANDSHAKE && count > 0 && *(const char *)bytes == SSL3_MT_KEY_UPDATE)
		atomic_fetch_add(writing ? &u->sent : &u->got, 1);
}

static int count_them(void *ctx, void *arg)
{
	SSL_CTX_set_msg_callback(ctx, count_updates);
	SSL_CTX_set_msg_callback_arg(ctx, arg);
	return 0;
}

struct serving {
	tuza_listener *l;
	ssize_t last;
	atomic_int done;
};

// Sends back what comes, on one connection.
static void serve_one(struct serving *s)
{
	char bytes[256];
	tuza_conn *conn;
	if (CHECK_EQ(tuza_accept(s->l, &conn), 0)) {
		while ((s->last = tuza_conn_read(conn, bytes, sizeof bytes)) > 0)
			CHECK_EQ(tuza_conn_write(conn, bytes, (size_t)s->last), s->last);
		CHECK_EQ(tuza_conn_close(conn), 0);
	}
	atomic_store(&s->done, 1);
}

TEST(openssl_is_a_client_that_updates_keys)
{
	if (!has_openssl())
		return;
	struct updates updates = {0};
	struct world w = make_world(
		(tuza_tls_options){.customize = count_them, .customize_arg = &updates}, none);
	struct files f;
	write_files(&f, &w);
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), 25 * TUZA_SECOND);
	tuza_process_options o = {.in = tuza_process_pipe(), .out = tuza_process_pipe()};
	struct serving s = {.l = NULL};
	tuza_process *p;
	char address[TUZA_ADDRESS_TEXT], said[16384] = "";
	CHECK_EQ(tuza_tls_listen("tcp", "127.0.0.1:0", w.at_server, &s.l), 0);
	CHECK_EQ(tuza_listener_address(s.l, address, sizeof address), 0);
	TUZA_GO(serve_one, &s);
	int error = tuza_process_start(ctx,
		TUZA_ARGV("openssl", "s_client", "-connect", address, "-CAfile", f.ca,
			"-verify_return_error", "-servername", "localhost", "-verify_hostname",
			"localhost"),
		&o, &p);
	if (CHECK_EQ(error, 0)) {
		tuza_conn *in = tuza_process_in(p), *out = tuza_process_out(p);
		CHECK_EQ(tuza_conn_write(in, "hello there\n", 12), 12);
		CHECK(read_until(out, said, sizeof said, "hello there\n"));
		CHECK_CONTAINS(said, "Verification: OK");
		for (int i = 1; i <= 3; i++) {
			char line[32];
			int n = snprintf(line, sizeof line, "after update %d\n", i);
			CHECK_EQ(tuza_conn_write(in, "K\n", 2), 2); // it asks for new keys of ours
			WAIT_UNTIL(updates.got == i);
			CHECK_EQ(tuza_conn_write(in, line, (size_t)n), n);
			CHECK(read_until(out, said, sizeof said, line));
			CHECK_EQ(updates.sent, i);
		}
		CHECK_EQ(tuza_conn_write(in, "Q\n", 2), 2); // it says goodbye
		WAIT_UNTIL(s.done);
		CHECK_EQ(s.last, 0);
		tuza_process_free(p);
	}
	CHECK_EQ(tuza_listener_close(s.l), 0);
	WAIT_UNTIL(s.done);
	tuza_context_free(ctx);
	remove_files(&f);
	free_world(&w);
}
