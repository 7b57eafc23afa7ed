// SPDX-License-Identifier: MIT
/*
 * The body of a request, read as a stream. What came with the head is in the exchange's input,
 * behind it; so is what frames chunks. The rest goes straight from the connection to the reader.
 *
 * How long a client may take is counted in the time that its body was waited for, not in the time
 * that the handler took: read_timeout to begin with, and a second more for each KiB.
 */
#include "http/connection.h"

#include <tuza/error.h>
#include <tuza/time.h>

#include <errno.h>
#include <string.h>

enum { BYTES_A_SECOND = 1024 }; // the least that keeps a body going

static int64_t patience(const tuza_http_request *r)
{
	int64_t timeout = r->exchange->connection->server->options.read_timeout;
	if (timeout < 0)
		return 0;
	const struct body *b = &r->body;
	int64_t left = timeout - b->waited + b->received / BYTES_A_SECOND * TUZA_SECOND;
	return tuza_now() + (left > 0 ? left : 0);
}

// Bytes of the connection, as tuza_conn_read; the end comes too early here.
static ssize_t read_raw(tuza_http_request *r, void *bytes, size_t count)
{
	struct connection *c = r->exchange->connection;
	tuza_conn *conn = c->conn;
	int64_t before = tuza_now();
	ssize_t n = tuza_conn_set_read_deadline(conn, patience(r));
	c->until[SIDE_READ] = 0;
	if (n == 0)
		n = tuza_conn_read(conn, bytes, count);
	r->body.waited += tuza_now() - before;
	return n == 0 ? -ECONNRESET : n;
}

// Input is empty: more of it, behind the head.
static int fill(tuza_http_request *r)
{
	struct input *in = r->exchange->input;
	in->next = in->end = in->head_end;
	ssize_t n = read_raw(r, in->bytes + in->next, in->room - in->next);
	if (n < 0)
		return (int)n;
	in->end += (size_t)n;
	return 0;
}

static size_t take(struct input *in, void *bytes, size_t count)
{
	size_t n = in->end - in->next < count ? in->end - in->next : count;
	memcpy(bytes, in->bytes + in->next, n);
	in->next += n;
	return n;
}

static ssize_t read_length(tuza_http_request *r, void *bytes, size_t count)
{
	struct input *in = r->exchange->input;
	struct body *b = &r->body;
	if ((uint64_t)b->left < count)
		count = (size_t)b->left;
	ssize_t n =
		in->next < in->end ? (ssize_t)take(in, bytes, count) : read_raw(r, bytes, count);
	if (n > 0) {
		b->left -= n;
		b->done = b->left == 0;
	}
	return n;
}

static ssize_t read_chunked(tuza_http_request *r, void *bytes, size_t count)
{
	struct input *in = r->exchange->input;
	struct body *b = &r->body;
	for (;;) {
		size_t used;
		bool are_trailers = b->chunked.in_trailers;
		const char *piece = in->bytes + in->next;
		enum chunked_result result =
			chunked_step(&b->chunked, piece, in->end - in->next, &used);
		in->next += used;
		if (result == CHUNKED_BAD)
			return -EBADMSG;
		if (are_trailers && !text_append(&r->trailers, piece, used))
			return -ENOMEM;
		if (result == CHUNKED_TRAILERS)
			continue;
		if (result == CHUNKED_END) {
			b->done = trailers_end(r);
			return b->done ? 0 : -EBADMSG;
		}
		if (result == CHUNKED_DATA) {
			size_t most = b->chunked.left < count ? (size_t)b->chunked.left : count;
			ssize_t n = in->next < in->end ? (ssize_t)take(in, bytes, most)
						       : read_raw(r, bytes, most);
			if (n > 0)
				chunked_took(&b->chunked, (size_t)n);
			return n;
		}
		int error = fill(r);
		if (error)
			return error;
	}
}

static ssize_t read_some(tuza_http_request *r, void *bytes, size_t count)
{
	struct body *b = &r->body;
	int64_t most = r->exchange->connection->server->options.max_body_bytes;
	if (b->error)
		return b->error;
	if (b->done)
		return 0;
	ssize_t n = most >= 0 && r->head.length > most ? -EFBIG : 0;
	if (n == 0)
		n = r->head.chunked ? read_chunked(r, bytes, count) : read_length(r, bytes, count);
	if (n > 0)
		b->received += n;
	if (n > 0 && most >= 0 && b->received > most)
		n = -EFBIG;
	if (n < 0)
		b->error = (int)n;
	return n;
}

static bool is_over(const struct body *b) { return b->done || b->error; }

EXPORT ssize_t tuza_http_body_read(tuza_http_request *r, void *bytes, size_t count)
{
	struct body *b = &r->body;
	if (count == 0)
		return 0;
	if (!is_over(b))
		b->error = writer_continue(&r->exchange->writer);
	bool over = is_over(b);
	ssize_t n = read_some(r, bytes, count);
	if (!over && is_over(b))
		request_body_over(r);
	return n;
}

bool body_skip(tuza_http_request *r)
{
	struct body *b = &r->body;
	// One that waits for a 100 that it did not get may send its body, or may not.
	if (!b->done && r->head.expects && !r->exchange->writer.continued)
		return false;
	if (!b->done && r->head.length > b->received + SKIP_BYTES)
		return false;
	char bytes[512];
	int64_t begin = b->received;
	while (!b->done && !b->error && b->received - begin <= SKIP_BYTES)
		if (read_some(r, bytes, sizeof bytes) < 0)
			return false;
	return b->done && !b->error;
}
