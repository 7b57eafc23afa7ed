// SPDX-License-Identifier: MIT
/*
 * What OpenSSL reads from and writes to: the buffers of the connection. It never waits: without
 * input it is told to come again, and for output there is always room, up to what nobody needs.
 *
 * Locks: all of it under the connection's, since OpenSSL calls it.
 */
#include "tls/tls.h"

#include <openssl/bio.h>
#include <stdlib.h>
#include <string.h>

// ---- buffers ----------------------------------------------------------------------------------

// Room for `more` bytes at the end. False: no memory, or too many.
static bool reserve(struct buffer *b, size_t more)
{
	if (b->next == b->end)
		b->next = b->end = 0;
	if (b->room - b->end >= more)
		return true;
	size_t room = b->room ? b->room : OUT_FIRST;
	while (room - b->end < more)
		room *= 2;
	if (room > OUT_MOST)
		return false;
	char *bytes = realloc(b->bytes, room);
	if (!bytes)
		return false;
	b->bytes = bytes;
	b->room = room;
	return true;
}

void buffer_free(struct buffer *b)
{
	free(b->bytes);
	*b = (struct buffer){NULL, 0, 0, 0};
}

// ---- what OpenSSL calls -----------------------------------------------------------------------

static int bio_read(BIO *bio, char *bytes, size_t count, size_t *done)
{
	struct tls *t = BIO_get_data(bio);
	struct buffer *in = &t->in;
	size_t n = in->end - in->next < count ? in->end - in->next : count;
	BIO_clear_retry_flags(bio);
	*done = n;
	if (n == 0) {
		if (!t->in_ended)
			BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(bytes, in->bytes + in->next, n);
	in->next += n;
	return 1;
}

static int bio_write(BIO *bio, const char *bytes, size_t count, size_t *done)
{
	struct tls *t = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	*done = 0;
	if (!reserve(&t->out, count))
		return 0;
	memcpy(t->out.bytes + t->out.end, bytes, count);
	t->out.end += count;
	*done = count;
	return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	const struct tls *t = BIO_get_data(bio);
	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1; // transport_send does it
	case BIO_CTRL_EOF:
		return t->in_ended && t->in.next == t->in.end;
	default:
		return 0;
	}
}

static int bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

// ---- making -----------------------------------------------------------------------------------

static pthread_mutex_t method_lock = PTHREAD_MUTEX_INITIALIZER;
static BIO_METHOD *method; // guarded by method_lock; made once, for good

// Needs: method_lock
static void make_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tuza");
	if (m && BIO_meth_set_read_ex(m, bio_read) && BIO_meth_set_write_ex(m, bio_write) &&
		BIO_meth_set_ctrl(m, bio_control) && BIO_meth_set_create(m, bio_create))
		method = m;
	else
		BIO_meth_free(m);
}

bool bio_attach(struct tls *t)
{
	pthread_mutex_lock(&method_lock);
	if (!method) // also if there was no memory for it before
		make_method();
	BIO *bio = method ? BIO_new(method) : NULL;
	pthread_mutex_unlock(&method_lock);
	if (!bio)
		return false;
	BIO_set_data(bio, t);
	SSL_set_bio(t->ssl, bio, bio);
	return true;
}
