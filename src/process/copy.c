// SPDX-License-Identifier: MIT
/*
 * Copiers: goroutines between a process's pipes and memory.
 *
 * A process ends, but its pipes stay open as long as anybody has them: a daemon that it left
 * behind, most often. Whoever gives up waiting sets a deadline in the past; the copier then takes
 * what is in the pipe and closes it. Go closes the descriptor under the copier, and what is in the
 * pipe is lost.
 */
#include "process/process.h"

#include "sys/files.h"
#include <tuza/error.h>
#include <tuza/goroutine.h>
#include <tuza/select.h>
#include <tuza/time.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	PIECE = 65536,      // what a pipe holds, unless it was told otherwise
	LEAST_ROOM = 4096,  // of a buffer
	LAST_MOST = 1 << 20 // bytes read after giving up: the largest pipe of an ordinary user
};

// ---- memory ------------------------------------------------------------------------------------

static int buffer_append(tuza_process_buffer *b, const char *bytes, size_t count)
{
	if (b->limit && count > b->limit - b->count) {
		count = b->limit - b->count;
		b->truncated = true;
	}
	// Doubled when the count passes a power of two: the room is known from the count.
	size_t room = LEAST_ROOM, before = b->bytes ? LEAST_ROOM : 0;
	while (before && before < b->count + 1)
		before *= 2;
	while (room < b->count + count + 1)
		room *= 2;
	if (room != before) {
		char *larger = realloc(b->bytes, room);
		if (!larger)
			return -ENOMEM;
		b->bytes = larger;
	}
	memcpy(b->bytes + b->count, bytes, count);
	b->count += count;
	b->bytes[b->count] = 0;
	return 0;
}

static int deliver(const tuza_process_stream *to, const char *bytes, size_t count)
{
	if (to->kind_ == TUZA_PROCESS_CALL_)
		return to->fn_(to->arg_, bytes, count);
	return buffer_append(to->buffer_, bytes, count);
}

// ---- copying -----------------------------------------------------------------------------------

// Takes what is in the pipe now, without waiting for more. It is the copier's alone.
static int deliver_rest(struct copier *c, char *piece)
{
	ssize_t n;

	for (size_t all = 0; all < LAST_MOST; all += (size_t)n) {
		do
			n = sys_read(tuza_conn_fd(c->conn), piece, PIECE);
		while (n == -EINTR);
		if (n <= 0)
			break;
		int error = deliver(&c->stream, piece, (size_t)n);
		if (error)
			return error;
	}
	c->gave_up = n != 0;
	return 0;
}

static int copy_from_process(struct copier *c)
{
	char *piece = malloc(PIECE);
	int error = 0;
	ssize_t n = 0;

	if (!piece)
		return -ENOMEM;
	while (!error && (n = tuza_conn_read(c->conn, piece, PIECE)) > 0)
		error = deliver(&c->stream, piece, (size_t)n);
	if (n == TUZA_EIOTIMEOUT && !error)
		error = deliver_rest(c, piece);
	else if (n < 0 && !error)
		error = (int)n;
	free(piece);
	return error;
}

static int copy_to_process(struct copier *c)
{
	const char *at = c->stream.bytes_, *end = at + c->stream.count_;
	ssize_t n = 0;

	while (at < end && (n = tuza_conn_write(c->conn, at, (size_t)(end - at))) > 0)
		at += n;
	if (n == TUZA_EIOTIMEOUT)
		c->gave_up = true;
	// That it does not want to know all is the process's affair.
	return n < 0 && n != -EPIPE && n != TUZA_EIOTIMEOUT ? (int)n : 0;
}

static void copy(void *arg)
{
	struct copier *c = arg;
	uint8_t done = 0;

	if (c->stream.kind_ == TUZA_PROCESS_BYTES_)
		c->error = copy_to_process(c);
	else
		c->error = copy_from_process(c);
	tuza_conn_close(c->conn);
	tuza_chan_send(c->process->copied, &done); // has room. *c may be gone afterwards
}

int copier_start(tuza_process *p, tuza_conn *conn, const tuza_process_stream *stream)
{
	static const tuza_go_options options = {.name = "process"};
	struct copier *c = &p->copiers[p->copier_count];

	if (!p->copied && tuza_chan_try_new(sizeof(uint8_t), STREAMS, &p->copied) != 0)
		return -ENOMEM;
	*c = (struct copier){.process = p, .conn = conn, .stream = *stream};
	int error = tuza_go_with(&options, copy, c);
	if (error == 0)
		p->copier_count++;
	return error;
}

void copiers_await(tuza_process *p, int64_t until, int64_t delay)
{
	tuza_chan *done = p->done; // NULL: never ready
	uint8_t one;

	for (int left = p->copier_count; left > 0;) {
		switch (TUZA_SELECT(TUZA_RECV(p->copied, &one),
			tuza_select_recv_(done, NULL, 0, NULL), TUZA_UNTIL(until))) {
		case 0:
			left--;
			break;
		case 1:
			done = NULL;
			if (until > process_after(delay))
				until = process_after(delay);
			break;
		case 2: // those that are done have closed theirs
			for (int i = 0; i < p->copier_count; i++)
				(void)tuza_conn_set_deadline(p->copiers[i].conn, 1);
			until = INT64_MAX;
			done = NULL;
			break;
		}
	}
}

int copiers_error(const tuza_process *p)
{
	bool gave_up = false;

	for (int i = 0; i < p->copier_count; i++) {
		if (p->copiers[i].error)
			return p->copiers[i].error;
		gave_up |= p->copiers[i].gave_up;
	}
	return gave_up ? TUZA_EWAITDELAY : 0;
}
