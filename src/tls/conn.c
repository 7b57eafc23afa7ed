// SPDX-License-Identifier: MIT
/*
 * A TLS connection: what reading, writing and closing mean, as a layer of net/.
 *
 * Plaintext is in nobody's buffer: OpenSSL decrypts into the reader's memory, and a record of the
 * writer's is encrypted into `out`. What a write reports as done has been sent.
 */
#include "tls/tls.h"

#include "base/atomic.h"
#include <tuza/error.h>

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

// ---- reading ----------------------------------------------------------------------------------

// What there is, taken or only looked at. Else an outcome, or a code.
static ssize_t decrypt(struct tls *t, void *bytes, size_t count, bool keep, int *outcome)
{
	size_t n = 0;
	tuza_mutex_lock(&t->lock);
	ERR_clear_error();
	int result = keep ? SSL_peek_ex(t->ssl, bytes, count, &n)
			  : SSL_read_ex(t->ssl, bytes, count, &n);
	*outcome = result == 1 ? 0 : error_of_call(t, result);
	tuza_mutex_unlock(&t->lock);
	return (ssize_t)n;
}

static bool is_read_off(struct tls *t) { return load_relaxed(&t->read_off); } // a flag alone

static ssize_t receive(tuza_layer *l, void *bytes, size_t count, bool keep)
{
	struct tls *t = tuza_layer_state(l);
	int error = handshake_make(t, l, NULL), outcome;
	while (!error && !is_read_off(t)) {
		ssize_t n = decrypt(t, bytes, count, keep, &outcome);
		if (outcome == 0)
			return n;
		if (outcome == OUTCOME_END)
			return 0;
		error = outcome == OUTCOME_INPUT ? transport_fill(t, l) : outcome;
	}
	return is_read_off(t) ? 0 : error;
}

static ssize_t tls_read(tuza_layer *l, void *bytes, size_t count)
{
	return receive(l, bytes, count, false);
}

// A connection at rest waits without buffers.
static int await_input(tuza_layer *l)
{
	struct tls *t = tuza_layer_state(l);
	int error = handshake_make(t, l, NULL), outcome;
	char one;
	while (!error && !is_read_off(t)) {
		(void)decrypt(t, &one, 1, true, &outcome);
		if (outcome != OUTCOME_INPUT)
			return 0; // bytes, the end or a failure: the next read's
		transport_rest(t);
		error = tuza_conn_wait_readable(tuza_layer_under(l));
		if (!error)
			error = transport_fill(t, l);
	}
	return is_read_off(t) ? 0 : error;
}

static ssize_t tls_peek(tuza_layer *l, void *bytes, size_t count)
{
	return count ? receive(l, bytes, count, true) : await_input(l);
}

// ---- writing ----------------------------------------------------------------------------------

// Records that are sent together.
struct batch {
	int count;
	size_t bytes;                                     // of plaintext
	size_t plain[RECORDS_MOST], sealed[RECORDS_MOST]; // of each: bytes before and after
};

// A record, or less, into `out` and the batch.
static int encrypt(struct tls *t, const char *bytes, size_t count, struct batch *b)
{
	size_t n;
	tuza_mutex_lock(&t->lock);
	ERR_clear_error();
	size_t before = t->out.end - t->out.next;
	int error = 0, result = t->said_goodbye ? 1 : SSL_write_ex(t->ssl, bytes, count, &n);
	if (t->said_goodbye)
		error = -EPIPE;
	else if (result != 1)
		error = error_of_call(t, result);
	b->sealed[b->count] = t->out.end - t->out.next - before;
	tuza_mutex_unlock(&t->lock);
	// With output that always fits, a write wants nothing.
	if (error > 0)
		return error_note(t, TUZA_ETLS, "tls: renegotiation is not supported");
	if (error == 0) {
		b->plain[b->count++] = count;
		b->bytes += count;
	}
	return error;
}

// How much plaintext of the batch has gone in whole records, now that sending has failed: the other
// side reads that, and no more. What was put out behind it, an alert, makes it less.
static ssize_t sent_of(struct tls *t, const struct batch *b)
{
	size_t left = transport_left(t), behind = 0, bytes = b->bytes;
	for (int i = b->count; i-- > 0 && behind < left;) {
		behind += b->sealed[i];
		bytes -= b->plain[i];
	}
	return (ssize_t)bytes;
}

// Sends what was encrypted; from a failure on, nobody knows where the other side is.
static int send_records(struct tls *t, tuza_layer *l, struct batch *b, ssize_t *done)
{
	int error = transport_send(t, l);
	if (error)
		t->write_error = error;
	*done += error ? sent_of(t, b) : (ssize_t)b->bytes;
	b->count = 0;
	b->bytes = 0;
	return error;
}

static ssize_t write_all(struct tls *t, tuza_layer *l, const struct iovec *pieces, int count)
{
	ssize_t done = 0;
	struct batch batch = {.count = 0};
	int error = 0;
	for (int i = 0; i < count; i++) {
		const char *bytes = pieces[i].iov_base;
		for (size_t left = pieces[i].iov_len; left > 0;) {
			size_t n = left < RECORD_BYTES ? left : RECORD_BYTES;
			error = encrypt(t, bytes, n, &batch);
			if (error)
				goto send;
			bytes += n;
			left -= n;
			if (batch.bytes < BATCH_BYTES && batch.count < RECORDS_MOST)
				continue;
			error = send_records(t, l, &batch, &done);
			if (error)
				return done ? done : error;
		}
	}
send:
	if (batch.count > 0) {
		int failure = send_records(t, l, &batch, &done);
		if (failure)
			return done ? done : failure;
	}
	return done ? done : error;
}

static ssize_t tls_write(tuza_layer *l, const struct iovec *pieces, int count)
{
	struct tls *t = tuza_layer_state(l);
	int error = handshake_make(t, l, NULL);
	if (!error)
		error = t->write_error;
	if (error)
		return error;
	return write_all(t, l, pieces, count);
}

// ---- ends -------------------------------------------------------------------------------------

// Says once that no more will come. With the turn to write.
static int say_goodbye(struct tls *t, tuza_layer *l)
{
	tuza_mutex_lock(&t->lock);
	if (!t->said_goodbye && t->why.code == 0) {
		ERR_clear_error();
		(void)SSL_shutdown(t->ssl); // only writes
		ERR_clear_error();
	}
	t->said_goodbye = true;
	tuza_mutex_unlock(&t->lock);
	return transport_send(t, l);
}

static int tls_close_write(tuza_layer *l)
{
	struct tls *t = tuza_layer_state(l);
	int error = handshake_make(t, l, NULL);
	if (!error)
		error = t->write_error;
	return error ? error : say_goodbye(t, l);
}

static int tls_close_read(tuza_layer *l)
{
	struct tls *t = tuza_layer_state(l);
	store_relaxed(&t->read_off, 1);                   // a flag alone
	return tuza_conn_close_read(tuza_layer_under(l)); // wakes who waits
}

static void tls_close(tuza_layer *l, bool may_write)
{
	struct tls *t = tuza_layer_state(l);
	// (tls-ready) pairs with handshake_make
	if (may_write && load_acquire(&t->ready) && !t->write_error)
		(void)say_goodbye(t, l);
}

static void tls_forget(tuza_layer *l)
{
	struct tls *t = tuza_layer_state(l);
	if (t->in_flight) {
		// How far the dropped one has come nobody knows.
		t->in_flight = false;
		t->write_error = -ECONNABORTED;
		t->handshake_error = -ECONNABORTED;
	}
}

static void tls_free(void *state)
{
	struct tls *t = state;
	if (t->ssl) {
		// Else a session that somebody may resume would be spoilt.
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(t->ssl);
		ERR_clear_error();
	}
	buffer_free(&t->in);
	buffer_free(&t->out);
	buffer_free(&t->sending);
	tuza_tls_config_free(t->config);
	free(t);
}

const tuza_layer_methods tls_methods = {
	.read = tls_read,
	.peek = tls_peek,
	.write = tls_write,
	.close_write = tls_close_write,
	.close_read = tls_close_read,
	.close = tls_close,
	.forget = tls_forget,
	.free = tls_free,
};

// ---- making -----------------------------------------------------------------------------------

// Who the server must be. Names go into the request, addresses do not.
static bool expect_name(struct tls *t)
{
	unsigned char address[16];
	bool is_address = inet_pton(AF_INET, t->name, address) == 1 ||
			  inet_pton(AF_INET6, t->name, address) == 1;
	if (t->name[0] == '\0')
		return true;
	if (!is_address && SSL_set_tlsext_host_name(t->ssl, t->name) != 1)
		return false;
	if (t->config->insecure)
		return true;
	X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
	// As Go: names alone count, not the subject.
	X509_VERIFY_PARAM_set_hostflags(
		param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return (is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, t->name)
			   : X509_VERIFY_PARAM_set1_host(param, t->name, 0)) == 1;
}

static bool set_up_client(struct tls *t)
{
	SSL_set_connect_state(t->ssl);
	if (t->config->insecure)
		SSL_set_verify(t->ssl, SSL_VERIFY_NONE, NULL);
	else
		SSL_set_verify(t->ssl, SSL_VERIFY_PEER, error_verify_callback);
	if (t->config->protocols &&
		SSL_set_alpn_protos(t->ssl, t->config->protocols, t->config->protocol_bytes) != 0)
		return false;
	if (!expect_name(t))
		return false;
	session_offer(t->config, t->name, t->ssl);
	return true;
}

static bool set_up_server(struct tls *t)
{
	int mode = SSL_VERIFY_NONE;
	if (t->config->clients != TUZA_TLS_ANY_CLIENT)
		mode = SSL_VERIFY_PEER;
	if (t->config->clients == TUZA_TLS_VERIFIED_CLIENTS)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_set_accept_state(t->ssl);
	SSL_set_verify(t->ssl, mode, error_verify_callback);
	return true;
}

static int open_tls(tuza_conn *under, tuza_tls_config *config, const char *name, bool is_server,
	tuza_conn **conn)
{
	struct tls *t = calloc(1, sizeof *t);
	*conn = NULL;
	if (!t)
		return -ENOMEM;
	t->config = config_retain(config);
	t->is_server = is_server;
	if (name) {
		size_t length = strlen(name); // tuza_tls_client has looked: it fits
		// A name may end with the dot of the root; certificates have none. Go does so.
		if (length > 1 && name[length - 1] == '.')
			length--;
		memcpy(t->name, name, length);
		t->name[length] = '\0';
	}
	t->ssl = SSL_new(config->ctx);
	bool made = t->ssl && bio_attach(t) && SSL_set_app_data(t->ssl, t) == 1;
	if (made)
		made = is_server ? set_up_server(t) : set_up_client(t);
	ERR_clear_error();
	int error = made ? tuza_layer_open(under, &tls_methods, t, conn) : -ENOMEM;
	if (error)
		tls_free(t);
	else
		t->self = *conn;
	return error;
}

EXPORT int tuza_tls_client(
	tuza_conn *under, tuza_tls_config *config, const char *server_name, tuza_conn **conn)
{
	*conn = NULL;
	config = config ? config : config_default();
	if (!config)
		return -ENOMEM;
	const char *name = server_name ? server_name : config->server_name;
	if ((!*name && !config->insecure) || strlen(name) >= NAME_BYTES)
		return -EINVAL;
	return open_tls(under, config, name, false, conn);
}

EXPORT int tuza_tls_server(tuza_conn *under, tuza_tls_config *config, tuza_conn **conn)
{
	*conn = NULL;
	if (!config || !config->has_certificate)
		return -EINVAL;
	return open_tls(under, config, NULL, true, conn);
}
