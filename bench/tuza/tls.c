// SPDX-License-Identifier: MIT
/*
 * TLS 1.3 over TCP on this machine, both sides in this process: full handshakes with an ECDSA key
 * on P-256 and key exchange by X25519, and connections at rest.
 */
#include "bench.h"

#include <stdlib.h>
#include <tuza/tls.h>
#include <tuza/tuza.h>

enum { at_once = 16 };

// Signs itself, for localhost, until 2120; the twin has the same.
static const char certificate[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBSTCB8KADAgECAgEBMAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCWxvY2FsaG9z\n"
	"dDAiGA8yMDIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAUMRIwEAYDVQQD\n"
	"DAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQHEPekKG63nv01\n"
	"90tkY0uhah+AN88DZ8s9c8rckyRJIjTz1PtrrHP4Wxm5XMW7nTh5S0BCFWx9tFyC\n"
	"ve7LIb6Koy8wLTAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwDwYDVR0TAQH/\n"
	"BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiAY3zu/8u6CdXsCkr5G+9gQca+WMh7u\n"
	"HR/2VzJ/64SaZQIhAJPzDPVGodXy2gWpl2Yamir7BETEu0cpZskeoafHrqmp\n"
	"-----END CERTIFICATE-----\n";
static const char key[] = "-----BEGIN PRIVATE KEY-----\n"
			  "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZEVllGESghlBvvqt\n"
			  "x/QNE/5xPxh2y+MX+kZaSWn6igWhRANCAAQHEPekKG63nv0190tkY0uhah+AN88D\n"
			  "Z8s9c8rckyRJIjTz1PtrrHP4Wxm5XMW7nTh5S0BCFWx9tFyCve7LIb6K\n"
			  "-----END PRIVATE KEY-----\n";

// What the clients of one pass share.
struct shaking {
	char address[TUZA_ADDRESS_TEXT];
	tuza_tls_config *server, *client;
	tuza_waitgroup wg; // clients and servers
};

static void shaking_init(struct shaking *s)
{
	tuza_tls_error why;
	tuza_tls_options of_server = {.cert_pem = certificate, .key_pem = key, .no_tickets = true};
	tuza_tls_options of_client = {
		.ca_pem = certificate, .min_version = TUZA_TLS_1_3, .sessions = -1};
	check(tuza_tls_config_new(&of_server, &s->server, &why) == 0, "%s", why.text);
	check(tuza_tls_config_new(&of_client, &s->client, &why) == 0, "%s", why.text);
}

static void shaking_free(struct shaking *s)
{
	tuza_tls_config_free(s->server);
	tuza_tls_config_free(s->client);
}

static tuza_conn *shaking_dial(struct shaking *s)
{
	tuza_conn *conn;
	tuza_tls_error why;
	int error =
		tuza_tls_dial(tuza_context_background(), "tcp", s->address, s->client, &conn, &why);
	check(error == 0, "%s", why.text);
	return conn;
}

// Until the other side ends.
static void shake_back(struct shaking *s, tuza_conn *conn)
{
	char byte;
	check(tuza_conn_wait_readable(conn) == 0, "a wait failed");
	check(tuza_conn_read(conn, &byte, 1) == 0, "the other side went away");
	tuza_conn_close(conn);
	tuza_waitgroup_done(&s->wg);
}

static void shake_serve(struct shaking *s, tuza_listener *l, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		tuza_conn *conn;
		check(tuza_accept(l, &conn) == 0, "accept failed");
		TUZA_GO(shake_back, s, conn);
	}
}

static void shake_client(struct shaking *s, int64_t turns)
{
	for (int64_t i = 0; i < turns; i++)
		tuza_conn_close(shaking_dial(s));
	tuza_waitgroup_done(&s->wg);
}

static int64_t handshakes(int64_t n)
{
	struct shaking s = {0};
	tuza_listener *l;
	int64_t turns = (n + at_once - 1) / at_once;
	shaking_init(&s);
	check(tuza_tls_listen("tcp", "127.0.0.1:0", s.server, &l) == 0, "listen failed");
	tuza_listener_address(l, s.address, sizeof s.address);
	tuza_waitgroup_add(&s.wg, (int)(at_once + turns * at_once));
	TUZA_GO(shake_serve, &s, l, turns * at_once);
	for (int i = 0; i < at_once; i++)
		TUZA_GO(shake_client, &s, turns);
	tuza_waitgroup_wait(&s.wg);
	tuza_listener_close(l);
	shaking_free(&s);
	return turns * at_once;
}

// Makes n connections, weighs them, and closes them.
static int64_t rest(struct shaking *s, int64_t n)
{
	tuza_conn **conns = allocate((size_t)n, sizeof *conns);
	int64_t before = memory_now();
	tuza_waitgroup_add(&s->wg, (int)n);
	for (int64_t i = 0; i < n; i++)
		conns[i] = shaking_dial(s);
	int64_t weight = memory_now() - before;
	for (int64_t i = 0; i < n; i++)
		tuza_conn_close(conns[i]);
	tuza_waitgroup_wait(&s->wg);
	free(conns);
	return weight;
}

// Connections on which nothing happens: at one end somebody waits. Both ends are weighed.
static double idle(void)
{
	int64_t n = scaled(2000, 100);
	struct shaking s = {0};
	tuza_listener *l;
	shaking_init(&s);
	check(tuza_tls_listen("tcp", "127.0.0.1:0", s.server, &l) == 0, "listen failed");
	tuza_listener_address(l, s.address, sizeof s.address);
	TUZA_GO(shake_serve, &s, l, n + 1);
	rest(&s, 1); // what there is once
	int64_t start = now();
	note("bytes_each", "%.2f", (double)rest(&s, n) / (double)n);
	double each = (double)(now() - start) / (double)n;
	tuza_listener_close(l);
	shaking_free(&s);
	return each;
}

const struct workload tls_workloads[] = {
	{.name = "tls-handshake",
		.operation = "a full TLS 1.3 handshake, both sides, and its close; 16 at a time",
		.run = handshakes},
	{.name = "tls-idle",
		.operation = "one of 2,000 TLS connections made, at rest together, and closed",
		.measure = idle},
	{0},
};
