// SPDX-License-Identifier: MIT
/*
 * Memory runs out inside OpenSSL: at its n-th allocation, wherever that is. Nothing crashes or
 * hangs, nothing is lost (the sanitizers look), who asked gets a code, and it goes on afterwards.
 */
#include "tls_support.h"

#include <openssl/crypto.h>

/*
 * ThreadSanitizer is told to overlook what OpenSSL allocates, since it does not know that a queue
 * of errors is its thread's. It cannot tell when it is this program that allocates for it.
 */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FINDS_RACES true
#endif
#endif
#ifndef FINDS_RACES
#define FINDS_RACES false
#endif

static atomic_long until_failure; // allocations; below 1: none fails
static atomic_long failed;

static bool fails(void)
{
	if (atomic_load(&until_failure) < 1 || atomic_fetch_sub(&until_failure, 1) != 1)
		return false;
	failed++;
	return true;
}

static void *make(size_t bytes, const char *file, int line)
{
	(void)file, (void)line;
	return fails() ? NULL : malloc(bytes);
}

static void *remake(void *old, size_t bytes, const char *file, int line)
{
	(void)file, (void)line;
	if (bytes == 0) {
		free(old);
		return NULL;
	}
	return fails() ? NULL : realloc(old, bytes);
}

static void give_back(void *old, const char *file, int line)
{
	(void)file, (void)line;
	free(old);
}

// Before OpenSSL has allocated anything.
__attribute__((constructor)) static void take_over(void)
{
	if (!FINDS_RACES && !CRYPTO_set_mem_functions(make, remake, give_back))
		abort();
}

// The n-th allocation from here on fails. Returns whether it has come to that, from where it was.
static bool fail_at(long n)
{
	bool has = failed > 0;
	failed = 0;
	until_failure = n;
	return has;
}

// One more in ten, but each of the first.
static long next_of(long n) { return n + 1 + n / 10; }

TEST(a_configuration_survives_each_allocation_that_fails)
{
	if (FINDS_RACES) {
		SKIP("ThreadSanitizer would not understand it");
		return;
	}
	struct world w = make_world((tuza_tls_options){0}, (tuza_tls_options){0});
	tuza_tls_options options = {
		.cert_pem = w.server.cert, .key_pem = w.server.key, .ca_pem = w.ca.cert};
	bool come = true;
	long refused = 0;
	for (long n = 1; come; n = next_of(n)) {
		tuza_tls_config *config;
		tuza_tls_error why;
		fail_at(n);
		int error = tuza_tls_config_new(&options, &config, &why);
		come = fail_at(0);
		CHECK_EQ(config == NULL, error != 0);
		CHECK_EQ(why.code, error);
		CHECK(come || !error);
		refused += error != 0;
		tuza_tls_config_free(config);
	}
	CHECK(refused > 10);
	free_world(&w);
}

// One side: it shakes hands, says something, hears something, and goes.
struct side {
	tuza_conn *conn;
	atomic_bool spoke, done;
};

static void take_part(struct side *s)
{
	char byte = 0;
	int error = tuza_tls_handshake(NULL, s->conn, NULL);
	CHECK(error <= 0);
	s->spoke = error == 0 && tuza_conn_write(s->conn, "x", 1) == 1 &&
		   tuza_conn_read(s->conn, &byte, 1) == 1 && byte == 'x';
	tuza_conn_close(s->conn);
	s->done = true;
}

// Whether the two could speak with each other.
static bool speak(const struct world *w)
{
	struct pair under = pair_of(0);
	struct side a = {.conn = NULL}, b = {.conn = NULL};
	if (tuza_tls_client(under.a, w->at_client, NULL, &a.conn) != 0)
		tuza_conn_close(under.a);
	if (tuza_tls_server(under.b, w->at_server, &b.conn) != 0)
		tuza_conn_close(under.b);
	if (b.conn)
		TUZA_GO(take_part, &b);
	if (a.conn)
		take_part(&a);
	while (b.conn && !b.done) // as long as it takes: nobody is left to wake it
		tuza_yield();
	return a.spoke && b.spoke;
}

TEST(connections_survive_each_allocation_that_fails)
{
	if (FINDS_RACES) {
		SKIP("ThreadSanitizer would not understand it");
		return;
	}
	struct world w = make_world((tuza_tls_options){0}, (tuza_tls_options){0});
	bool come = true;
	long lost = 0;
	for (long n = 1; come; n = next_of(n)) {
		fail_at(n);
		bool spoke = speak(&w);
		come = fail_at(0);
		lost += !spoke;
		CHECK(spoke || come);
		CHECK(speak(&w)); // the configurations are as they were
	}
	CHECK(lost > 10);
	free_world(&w);
}
