// SPDX-License-Identifier: MIT
/*
 * TLS inside: a configuration, and a connection between what OpenSSL wants and what is under it.
 *
 * An SSL object may be used by one thread at a time, and its errors are the thread's. So whoever
 * calls OpenSSL holds the connection's lock, does not wait meanwhile, and takes the errors out of
 * the thread's queue before it lets go: goroutines change threads only when they wait. OpenSSL does
 * no input or output: a BIO of our own takes ciphertext from `in` and puts it into `out`.
 *
 * Waiting is done without the lock, by whoever has the turn for the direction: reading fills `in`,
 * writing empties `out`. So one direction never waits for the other. Until the handshake is made
 * both belong to whoever has the layer's turn.
 *
 * Lock order: connection, then a configuration's sessions. The latter is a pthread mutex, since
 * OpenSSL calls back with its stack full of what must not change threads.
 */
#ifndef TUZA_TLS_TLS_H
#define TUZA_TLS_TLS_H

#include "base/compiler.h"
#include <tuza/layer.h>
#include <tuza/sync.h>
#include <tuza/tls.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>

enum {
	IN_BYTES = (16 << 10) + 512, // a record of the largest kind at once
	RECORD_BYTES = 16 << 10,     // of plaintext in a record
	BATCH_BYTES = 32 << 10,      // of plaintext, for a write to what is under it
	RECORDS_MOST = 32,           // in a batch
	OUT_FIRST = 2 << 10,         // room at first
	OUT_KEPT = 64 << 10,         // a buffer beyond is not kept
	OUT_MOST = 1 << 20,          // the other side makes us answer, and does not read
	NAME_BYTES = 256,
};

// ---- configurations ----------------------------------------------------------------------------

// A session that a client may resume.
struct remembered {
	struct remembered *next;
	SSL_SESSION *session;
	char name[NAME_BYTES]; // of the server
};

// A certificate that is ours.
struct presented {
	X509 *own;
	EVP_PKEY *key;
	STACK_OF(X509) * chain; // whom it was issued by
};

struct tuza_tls_config {
	uint32_t references; // any thread, atomic
	// constant
	SSL_CTX *ctx;
	struct presented *presented; // the first is in ctx
	size_t presented_count;
	bool insecure, has_certificate;
	char server_name[NAME_BYTES]; // "": none
	tuza_tls_clients clients;
	unsigned char *protocols; // as they are sent
	unsigned protocol_bytes;
	int session_most;

	pthread_mutex_t session_lock;
	// guarded by session_lock
	struct remembered *sessions; // the newest first
	int session_count;
};

tuza_tls_config *config_retain(tuza_tls_config *config);
// The one that is meant by NULL. NULL: no memory.
tuza_tls_config *config_default(void);

// Puts the certificate, its key, and authorities into config->ctx. certificates.c
MUST_USE int config_load(
	tuza_tls_config *config, const tuza_tls_options *options, tuza_tls_error *why);

// Has ctx call for the certificate, if there are several. choose.c
void choose_setup(tuza_tls_config *config);
void choose_free(tuza_tls_config *config);

// Has ctx call for sessions, which are put into the configuration. session.c
void session_setup(tuza_tls_config *config);
// Has the connection resume one, if there is one for the name.
void session_offer(tuza_tls_config *config, const char *name, SSL *ssl);
void session_free_all(tuza_tls_config *config);

struct tls;

/*
 * After a handshake, with the connection's lock: a server of TLS 1.2 that resumes a session may
 * give another ticket for it. OpenSSL then makes a session of that and spoils the old one, but
 * tells of new ones after whole handshakes only.
 */
void session_keep_renewed(struct tls *t);

// ---- connections -------------------------------------------------------------------------------

struct buffer {
	char *bytes;
	size_t next, end, room; // [next … end) is still to go
};

struct tls {
	// constant once it is open
	tuza_conn *self;
	tuza_tls_config *config;
	bool is_server;
	char name[NAME_BYTES]; // who the server must be; "": none

	// any thread, atomic
	uint32_t ready;    // the handshake is made
	uint32_t read_off; // nothing is read any more

	tuza_mutex lock;
	// guarded by lock
	SSL *ssl;
	struct buffer out;
	bool said_goodbye;
	tuza_tls_error why; // what went wrong first

	// who reads; until it is ready, who has the layer's turn
	struct buffer in; // filled without the lock, when OpenSSL has taken all, and by nobody else
	bool in_ended;

	// who writes; until it is ready, who has the layer's turn
	struct buffer sending;
	bool in_flight;  // some of it may be gone, nobody knows how much
	int write_error; // that every write returns

	// who has the layer's turn
	int handshake_error; // that every call returns
};

extern const tuza_layer_methods tls_methods;

// bio.c: what OpenSSL reads from and writes to. False: no memory.
bool bio_attach(struct tls *t);
void buffer_free(struct buffer *b);

// ---- transport.c -------------------------------------------------------------------------------

// More input: waits for it. 0 or a code; the end is in_ended.
MUST_USE int transport_fill(struct tls *t, tuza_layer *l);
// Sends what OpenSSL has put out, all of it. 0 or a code: the rest may be sent later.
int transport_send(struct tls *t, tuza_layer *l);
// How much of what OpenSSL has put out is not sent. By who writes.
size_t transport_left(struct tls *t);
// Gives memory back that a connection at rest has no use for. By who reads.
void transport_rest(struct tls *t);

// ---- handshake.c -------------------------------------------------------------------------------

// Makes the handshake, unless it is made. `ctx` may be NULL. 0 or a code.
MUST_USE int handshake_make(struct tls *t, tuza_layer *l, tuza_context *ctx);

// ---- error.c -----------------------------------------------------------------------------------

// What a call of OpenSSL wants, or has come to.
enum outcome {
	OUTCOME_INPUT = 1, // it waits for input
	OUTCOME_END = 2,   // the other side has ended
};

/*
 * Why a call of OpenSSL on the connection returned `result`, which was no success; empties the
 * thread's queue of errors. Needs: lock.
 *
 * Returns  an outcome, or a code, whose words are in t->why.
 */
int error_of_call(struct tls *t, int result);

// Notes why the connection fails, unless it is known. Returns the code.
int error_note(struct tls *t, int code, const char *format, ...) PRINTF(3, 4);

// The same for a place of the caller's, which may be NULL.
int error_set(tuza_tls_error *why, int code, const char *format, ...) PRINTF(3, 4);

// A failure of OpenSSL outside of connections: with its words behind ours. Empties the queue.
int error_of_library(tuza_tls_error *why, int code, const char *what);

// Called by OpenSSL for each certificate of a chain.
int error_verify_callback(int valid, X509_STORE_CTX *store);

// ---- names.c -----------------------------------------------------------------------------------

// Name `i` of a certificate, as tuza_tls_peer_name. 0, -ENOENT, -ENOSPC.
int name_at(X509 *certificate, size_t i, char *text, size_t bytes);
// All of them, with commas; as many as there is room for.
void name_list(X509 *certificate, char *text, size_t bytes);
// Its subject, "CN=example.org".
void name_subject(X509 *certificate, char *text, size_t bytes);

#endif
