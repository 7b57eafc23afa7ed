// SPDX-License-Identifier: MIT
/*
 * A transfer in the driver's hands: from its start, through redirects, to its end.
 *
 * libcurl is not asked to follow redirects: a redirect that will be followed is a transfer of its
 * own whose body is swallowed, and the next one is set up as Go would. So it is known at the
 * headers' last line whether they are the response's.
 *
 * Flow control: what came lies in `pending` until it is published into `received`, both together
 * CLIENT_BODY_MOST at most; then libcurl is paused, and the reader tells when there is room. The
 * request's body goes the other way through `outgoing` and `sending`.
 */
#include "http/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// ---- what libcurl calls: no mutex here --------------------------------------------------------

enum { HEADER_BYTES_MOST = 1 << 20 }; // a guess; Go allows 10 MB

// What its framing says is not for libcurl to guess: it takes the number that a length begins with,
// and the last one of several. -1: that is in the chunks, or there is none.
static int64_t body_length(const struct tuza_http_response *t)
{
	int status = t->incoming.status;
	bool has_none = strcmp(t->method, "HEAD") == 0 || status == 204 || status == 304;
	if (has_none || headers_get(&t->incoming, "Transfer-Encoding"))
		return -1;
	return headers_length(&t->incoming);
}

// All headers of a response are there. False: it goes no further.
static bool on_head(struct tuza_http_response *t)
{
	int status = t->incoming.status;
	if (status < 200 && status != 101)
		return true; // 100, 103: others come
	int64_t length = body_length(t);
	if (length == -2 || status == 101) { // another protocol is nothing that was asked for
		t->failure = TUZA_EHTTP;
		return false;
	}
	const char *location = headers_get(&t->incoming, "Location");
	if (location && *location && transfer_may_redirect(t, status)) {
		t->following = true;
		if (length > CLIENT_SWALLOW_MOST)
			t->swallowed = CLIENT_SWALLOW_MOST + 1; // does not wait for it
		return t->swallowed == 0;
	}
	t->final = true;
	driver_mark_dirty(t);
	return true;
}

size_t transfer_on_header(char *line, size_t one, size_t count, void *arg)
{
	struct tuza_http_response *t = arg;
	(void)one;
	// Whoever sends headers, interim answers or trailers without end would have all memory:
	// older versions of libcurl limit a line only.
	t->header_bytes += count;
	if (t->header_bytes > HEADER_BYTES_MOST) {
		t->failure = TUZA_EHTTP;
		return 0;
	}
	if (t->final) {
		if (headers_add_line(&t->trailers, line, count))
			return count;
		t->failure = -ENOMEM;
		return 0;
	}
	bool is_end = count <= 2 && (line[0] == '\r' || line[0] == '\n');
	if (!is_end) {
		if (headers_add_line(&t->incoming, line, count))
			return count;
		t->failure = -ENOMEM;
		return 0;
	}
	return on_head(t) ? count : 0;
}

size_t transfer_on_body(char *from, size_t one, size_t count, void *arg)
{
	struct tuza_http_response *t = arg;
	(void)one;
	if (t->following) {
		t->swallowed += count;
		return t->swallowed <= CLIENT_SWALLOW_MOST ? count : 0;
	}
	driver_mark_dirty(t);
	if (t->unread + bytes_count(&t->pending) >= CLIENT_BODY_MOST) {
		t->receive_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (bytes_append(&t->pending, from, count))
		return count;
	t->failure = -ENOMEM;
	return 0;
}

size_t transfer_on_read(char *to, size_t one, size_t count, void *arg)
{
	struct tuza_http_response *t = arg;
	size_t n = bytes_take(&t->sending, to, one * count);
	if (n > 0 || t->sending_ended)
		return n;
	t->send_paused = true;
	driver_mark_dirty(t);
	return CURL_READFUNC_PAUSE;
}

// Asked for when the body has said that it ends. libcurl frees the list.
int transfer_on_trailer(struct curl_slist **list, void *arg)
{
	struct tuza_http_response *t = arg;
	*list = t->outgoing_trailers;
	t->outgoing_trailers = NULL;
	return CURL_TRAILERFUNC_OK;
}

// Before each sending. libcurl repeats a request when a kept connection ends before anything has
// come back: the server may have closed it before. It may as well have done what it was asked, so
// only what has had no effect if so is repeated, and what has not been sent at all.
int transfer_on_request(void *arg, char *to, char *from, int to_port, int from_port)
{
	struct tuza_http_response *t = arg;
	long sent = 0;
	(void)to, (void)from, (void)to_port, (void)from_port;
	curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
	bool is_repetition = t->asked && sent > 0 && t->header_bytes == 0;
	t->asked = true;
	if (!is_repetition)
		return CURL_PREREQFUNC_OK;
	t->failure = TUZA_EOF;
	return CURL_PREREQFUNC_ABORT;
}

// ---- starting and ending ----------------------------------------------------------------------

// Gives the handle to libcurl, for the URL and method of now.
static int enter(struct tuza_http_response *t)
{
	headers_clear(&t->incoming);
	t->final = t->following = false;
	t->receive_paused = t->send_paused = false;
	t->swallowed = 0;
	t->header_bytes = 0;
	t->asked = false;
	int error = transfer_set_up(t);
	if (error)
		return error;
	curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->words);
	curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
	t->words[0] = '\0';
	CURLMcode code = curl_multi_add_handle(t->driver->multi, t->easy);
	return code == CURLM_OK ? 0 : code == CURLM_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
}

// The last thing that the driver does with it.
static void end(struct tuza_http_response *t, int error, const char *words)
{
	char *text = error ? client_error_text(t, error, words) : NULL;
	if (t->easy) {
		(void)curl_multi_remove_handle(t->driver->multi, t->easy);
		handle_put(t);
	}
	curl_slist_free_all(t->request_headers);
	t->request_headers = NULL;
	transfer_publish(t);
	t->driver->active--;
	response_end(t, error, text);
	t->over = true;
	if (!t->dirty) // else when it is taken out of the list
		response_release(t);
}

// What it is to be given up for; 0: nothing, so far.
static int abort_code(struct tuza_http_response *t, const char **words)
{
	tuza_mutex_lock(&t->mutex);
	int code = t->abort_code;
	*words = t->abort_words;
	tuza_mutex_unlock(&t->mutex);
	return code;
}

void transfer_start(struct tuza_http_response *t)
{
	const char *words;
	t->driver->active++;
	t->easy = t->driver->multi ? handle_take(t->driver) : NULL;
	// The pump may have failed before there was anything to abort.
	int error = abort_code(t, &words);
	if (!error)
		error = t->easy ? enter(t) : -ENOMEM;
	if (error)
		end(t, error, words);
}

static void follow(struct tuza_http_response *t)
{
	(void)curl_multi_remove_handle(t->driver->multi, t->easy);
	t->words[0] = '\0';
	int error = transfer_redirect(t);
	if (!error) {
		handle_restore(t->driver, t->easy);
		error = enter(t);
	}
	if (error)
		end(t, error, t->words[0] ? t->words : NULL);
}

void transfer_done(struct tuza_http_response *t, CURLcode result)
{
	if (t->following && (result == CURLE_OK || t->swallowed > CLIENT_SWALLOW_MOST)) {
		follow(t);
		return;
	}
	int error = t->failure ? t->failure : client_error_code(t, result);
	if (!error && !t->final)
		error = TUZA_EHTTP;
	end(t, error, t->failure ? NULL : client_error_words(t, result, error));
}

void transfer_abort(struct tuza_http_response *t)
{
	const char *words;
	if (!t->easy)
		return; // has ended, or has not begun
	int code = abort_code(t, &words);
	end(t, code, words);
}

// ---- between callers and libcurl --------------------------------------------------------------

static void unpause(struct tuza_http_response *t)
{
	int mask = (t->receive_paused ? CURLPAUSE_RECV : 0) | (t->send_paused ? CURLPAUSE_SEND : 0);
	(void)curl_easy_pause(t->easy, mask);
}

// Gives on what came, and takes what is to be sent.
void transfer_publish(struct tuza_http_response *t)
{
	bool resume = false, wake = false, room = false;
	tuza_mutex_lock(&t->mutex);
	if (t->final && !t->arrived) {
		t->headers = t->incoming;
		t->incoming = (struct headers){0};
		t->arrived = wake = true;
	}
	if (bytes_count(&t->pending) > 0) {
		wake = true;
		if (t->abort_code)
			t->pending.start = t->pending.end = 0;
		else if (!bytes_move(&t->received, &t->pending) && !t->failure)
			t->failure = -ENOMEM;
	}
	t->unread = bytes_count(&t->received);
	if (t->receive_paused) {
		t->wants_read = t->unread > CLIENT_BODY_MOST / 2;
		resume = !t->wants_read;
		t->receive_paused = t->wants_read;
	}
	if (t->body_read && bytes_count(&t->sending) == 0) {
		room = bytes_count(&t->outgoing) > 0 && bytes_move(&t->sending, &t->outgoing);
		t->sending_ended = t->outgoing_ended;
		t->wants_body = !room && !t->sending_ended;
		if (t->send_paused && !t->wants_body) {
			t->send_paused = false;
			resume = true;
		}
	}
	tuza_mutex_unlock(&t->mutex);
	if (wake)
		response_wake(t);
	if (room)
		pump_wake(t);
	if (!t->easy)
		return;
	if (t->failure) {
		end(t, t->failure, NULL);
		return;
	}
	if (resume)
		unpause(t);
}

// The reader has made room.
void transfer_resume_reading(struct tuza_http_response *t)
{
	if (t->easy)
		driver_mark_dirty(t);
}

// The pump has filled something in.
void transfer_resume_body(struct tuza_http_response *t)
{
	if (t->easy)
		driver_mark_dirty(t);
}
