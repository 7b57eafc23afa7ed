// SPDX-License-Identifier: MIT
/*
 * The pump: the goroutine that calls body_read, which may wait as it likes, and passes on what it
 * gets. It reads CLIENT_CHUNK_MOST ahead of the driver, and ends with the body or the transfer.
 */
#include "http/client.h"

#include <tuza/goroutine.h>
#include <tuza/panic.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void pump_wake(struct tuza_http_response *t)
{
	if (t->pump_wake)
		(void)tuza_chan_try_send(t->pump_wake, NULL);
}

// Waits until there is room for a piece. False: the transfer has ended.
static bool wait_for_room(struct tuza_http_response *t)
{
	for (;;) {
		tuza_mutex_lock(&t->mutex);
		bool ended = t->ended || t->abort_code;
		bool room = bytes_count(&t->outgoing) < CLIENT_CHUNK_MOST;
		tuza_mutex_unlock(&t->mutex);
		if (ended || room)
			return !ended;
		(void)tuza_chan_recv(t->pump_wake, NULL);
	}
}

// Passes n bytes on, or the end (0), or a failure, with words of its own or NULL.
static void pass_on(struct tuza_http_response *t, const char *piece, ssize_t n, const char *words)
{
	tuza_mutex_lock(&t->mutex);
	if (n > 0 && !bytes_append(&t->outgoing, piece, (size_t)n))
		n = -ENOMEM;
	if (n == 0)
		t->outgoing_ended = true;
	bool tell = n >= 0 && t->wants_body;
	bool failed = n < 0 && !t->abort_code;
	if (tell)
		t->wants_body = false;
	if (failed) {
		t->abort_code = (int)n;
		t->abort_words = words;
	}
	tuza_mutex_unlock(&t->mutex);
	if (tell || failed)
		client_tell(t, tell ? TELL_BODY : TELL_ABORT);
}

static void pump(void *arg)
{
	enum { PIECE = 16 * 1024 };
	struct tuza_http_response *t = arg;
	char *piece = malloc(PIECE);
	ssize_t n = piece ? 1 : -ENOMEM;
	if (!piece)
		pass_on(t, NULL, n, NULL);
	while (n > 0 && wait_for_room(t)) {
		const char *words = NULL;
		n = t->body_read(t->body_arg, piece, PIECE);
		if (n > PIECE)
			tuza_panic("http: body_read returned %zd of %d bytes", n, PIECE);
		if (n == 0 && t->body_trailers) {
			n = trailers_copy(&t->outgoing_trailers, t->body_trailers(t->body_arg));
			words = n == TUZA_EURL ? "invalid trailer" : NULL;
		}
		pass_on(t, piece, n, words);
	}
	free(piece);
	tuza_waitgroup_done(&t->pump); // *t may be gone afterwards
}

int pump_start(struct tuza_http_response *t)
{
	static const tuza_go_options options = {.name = "http body"};
	if (tuza_chan_try_new(0, 1, &t->pump_wake) != 0)
		return -ENOMEM;
	tuza_waitgroup_add(&t->pump, 1);
	int error = tuza_go_with(&options, pump, t);
	if (error)
		tuza_waitgroup_add(&t->pump, -1);
	return error;
}
