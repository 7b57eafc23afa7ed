// SPDX-License-Identifier: MIT
/*
 * The answer. What the handler writes is kept until it is more than OUTPUT_BYTES, is flushed, or
 * the handler is done; only then is it decided how the client will know where the body ends, and
 * the head is written. The head, the frame of a chunk and its bytes leave in one system call.
 *
 * After the first error nothing more is sent and every call returns it.
 */
#include "http/connection.h"

#include "base/atomic.h"
#include <tuza/error.h>
#include <tuza/time.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PIECE_BYTES = 1 << 20 }; // that write_timeout is for

// ---- to the connection -------------------------------------------------------------------------

// After a write that has ended early: the next one says why, and writes nothing.
static int why_cut_short(tuza_conn *conn)
{
	ssize_t n = tuza_conn_write(conn, "", 1);
	return n < 0 ? (int)n : TUZA_EIOTIMEOUT;
}

static int send_pieces(tuza_http_writer *w, const struct iovec *pieces, int count)
{
	struct connection *c = w->exchange->connection;
	size_t total = 0;
	for (int i = 0; i < count; i++)
		total += pieces[i].iov_len;
	if (total == 0)
		return 0;
	int error = connection_set_deadline(c, SIDE_WRITE, c->server->options.write_timeout);
	if (error)
		return error;
	ssize_t n = count == 1 ? tuza_conn_write(c->conn, pieces->iov_base, pieces->iov_len)
			       : tuza_conn_writev(c->conn, pieces, count);
	w->begun |= n > 0;
	if (n < 0)
		return (int)n;
	return (size_t)n == total ? 0 : why_cut_short(c->conn);
}

int writer_continue(tuza_http_writer *w)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	if (!w->exchange->request.head.expects || w->continued || w->framing != FRAMING_OPEN)
		return 0;
	w->continued = true;
	struct iovec piece = {(void *)(uintptr_t)go_on, sizeof go_on - 1};
	int error = send_pieces(w, &piece, 1);
	w->begun = false;
	if (error)
		w->error = error;
	return error;
}

// ---- the head ----------------------------------------------------------------------------------

static bool has_no_body(int status) { return status == 204 || status == 304; }

// Which frame the body gets. `last`: all of it is known, `length` bytes.
static enum framing_kind choose_framing(const tuza_http_writer *w, bool last, int64_t *length)
{
	if (has_no_body(w->status))
		return FRAMING_NONE;
	if (w->trailers.length > 0) // of a client that knows chunks
		return FRAMING_CHUNKED;
	if (w->has_length) {
		*length = w->length;
		return FRAMING_LENGTH;
	}
	if (last) {
		*length = w->written;
		return FRAMING_LENGTH;
	}
	return w->exchange->request.head.minor > 0 ? FRAMING_CHUNKED : FRAMING_CLOSE;
}

static bool make_head(tuza_http_writer *w, bool last)
{
	struct exchange *x = w->exchange;
	int64_t length = 0;
	w->framing = choose_framing(w, last, &length);
	// HEAD without a body written: how long it would be is not known.
	bool no_length = last && x->request.head.is_head && !w->has_length && w->written == 0;
	// (http-drain) a hint: a connection that misses it is closed when it becomes idle
	if (w->framing == FRAMING_CLOSE || load_relaxed(&x->connection->server->draining))
		w->close = true;
	w->head.length = 0;
	bool fits = w->status == 200 ? text_append(&w->head, "HTTP/1.1 200 OK\r\n", 17)
				     : text_printf(&w->head, "HTTP/1.1 %d %s\r\n", w->status,
					       tuza_http_status_text(w->status));
	const char *date = exchange_date(x);
	fits = fits && text_append(&w->head, date, strlen(date)) &&
	       text_append(&w->head, w->headers.bytes, w->headers.length);
	if (w->framing == FRAMING_LENGTH && !no_length)
		fits = fits && text_append(&w->head, "Content-Length: ", 16) &&
		       text_append_number(&w->head, (uint64_t)length) &&
		       text_append(&w->head, "\r\n", 2);
	else if (w->framing == FRAMING_CHUNKED)
		fits = fits && text_append(&w->head, "Transfer-Encoding: chunked\r\n", 28) &&
		       trailers_announce(w);
	if (w->close)
		fits = fits && text_append(&w->head, "Connection: close\r\n", 19);
	else if (x->request.head.minor == 0)
		fits = fits && text_append(&w->head, "Connection: keep-alive\r\n", 24);
	return fits && text_append(&w->head, "\r\n", 2);
}

// ---- the body ----------------------------------------------------------------------------------

// A piece of up to PIECE_BYTES, what is kept before it, and the head if it is not sent yet.
static int send_part(tuza_http_writer *w, const char *more, size_t count, bool last)
{
	struct iovec pieces[8];
	char size[24];
	int n = 0;
	size_t body = w->kept + count;
	bool first = w->framing == FRAMING_OPEN;
	if (first && !make_head(w, last))
		return -ENOMEM;
	bool sends_body = !w->exchange->request.head.is_head && w->framing != FRAMING_NONE;
	if (first && sends_body && w->framing == FRAMING_LENGTH && count == 0 &&
		w->kept <= SMALL_BODY && text_append(&w->head, w->output, w->kept))
		w->kept = 0;
	if (first)
		pieces[n++] = (struct iovec){w->head.bytes, w->head.length};
	if (sends_body) {
		bool chunk = w->framing == FRAMING_CHUNKED;
		if (chunk && body > 0)
			pieces[n++] = (struct iovec){
				size, (size_t)snprintf(size, sizeof size, "%zx\r\n", body)};
		if (w->kept)
			pieces[n++] = (struct iovec){w->output, w->kept};
		if (count)
			pieces[n++] = (struct iovec){(void *)(uintptr_t)more, count};
		if (chunk && body > 0)
			pieces[n++] = (struct iovec){(void *)(uintptr_t) "\r\n", 2};
		if (chunk && last && w->trailers.length > 0) {
			pieces[n++] = (struct iovec){(void *)(uintptr_t) "0\r\n", 3};
			pieces[n++] = (struct iovec){w->trailers.bytes, w->trailers.length};
			pieces[n++] = (struct iovec){(void *)(uintptr_t) "\r\n", 2};
		} else if (chunk && last) {
			pieces[n++] = (struct iovec){(void *)(uintptr_t) "0\r\n\r\n", 5};
		}
	}
	w->kept = 0;
	return n ? send_pieces(w, pieces, n) : 0;
}

// What is kept, and `more`.
static int send_all(tuza_http_writer *w, const char *more, size_t count, bool last)
{
	while (w->error == 0) {
		size_t part = count < PIECE_BYTES ? count : PIECE_BYTES;
		w->error = send_part(w, more, part, last && part == count);
		more += part;
		count -= part;
		if (count == 0)
			break;
	}
	if (w->error)
		request_answer_failed(&w->exchange->request);
	return w->error;
}

EXPORT ssize_t tuza_http_write(tuza_http_writer *w, const void *bytes, size_t count)
{
	if (w->error)
		return w->error;
	if (has_no_body(w->status) && count > 0)
		return -EINVAL;
	// From then on, or less could be taken for all of it.
	w->overfull |= w->has_length && (int64_t)count > w->length - w->written;
	if (w->overfull)
		return -EMSGSIZE;
	w->written += (int64_t)count;
	if (count <= OUTPUT_BYTES - w->kept) {
		if (count > 0)
			memcpy(w->output + w->kept, bytes, count);
		w->kept += count;
		return (ssize_t)count;
	}
	int error = send_all(w, bytes, count, false);
	return error ? error : (ssize_t)count;
}

EXPORT int tuza_http_flush(tuza_http_writer *w)
{
	return w->error ? w->error : send_all(w, "", 0, false);
}

// ---- begin and end -----------------------------------------------------------------------------

void writer_begin(tuza_http_writer *w)
{
	w->status = 200;
	w->framing = FRAMING_OPEN;
	w->close = false;
	w->continued = w->begun = false;
	w->has_length = w->overfull = false;
	w->length = w->written = 0;
	w->error = 0;
	w->headers.length = 0;
	w->trailers.length = 0;
	w->kept = 0;
}

bool writer_finish(tuza_http_writer *w)
{
	struct exchange *x = w->exchange;
	bool body_is_missing = w->has_length && w->written < w->length &&
			       !x->request.head.is_head && !has_no_body(w->status);
	if (body_is_missing)
		w->close = true;
	if (w->error == 0 &&
		(w->framing == FRAMING_OPEN || w->framing == FRAMING_CHUNKED || w->kept))
		(void)send_all(w, "", 0, true);
	return w->error == 0 && !w->close;
}
