// SPDX-License-Identifier: MIT
/*
 * Requests and responses as their callers see them: sending, waiting, reading, freeing.
 *
 * Only the driver ends a transfer. Whoever will not wait any longer tells it so and waits for the
 * end, which comes at once: so nothing of a request outlives its call.
 */
#include "http/client.h"

#include "base/atomic.h"

#include <tuza/panic.h>
#include <tuza/select.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// ---- the life of a response -------------------------------------------------------------------

void response_wake(struct tuza_http_response *t) { (void)tuza_chan_try_send(t->changed, NULL); }

void response_end(struct tuza_http_response *t, int error, char *text)
{
	tuza_mutex_lock(&t->mutex);
	if (t->abort_code) {
		// Also if the rest has come meanwhile: who gave up gets nothing any more.
		t->received.start = t->received.end = 0;
		if (!error)
			text = client_error_text(t, t->abort_code, t->abort_words);
		error = t->abort_code;
	}
	t->ended = true;
	t->error = error;
	t->error_text = text;
	tuza_mutex_unlock(&t->mutex);
	(void)sub_relaxed(&t->driver->load, 1);
	response_wake(t);
	pump_wake(t);
}

static void destroy(struct tuza_http_response *t)
{
	tuza_chan_release(t->changed);
	if (t->pump_wake)
		tuza_chan_release(t->pump_wake);
	if (t->own != t->ctx)
		tuza_context_free(t->own);
	tuza_context_release(t->ctx);
	curl_slist_free_all(t->request_headers);
	curl_slist_free_all(t->outgoing_trailers);
	headers_free(&t->incoming);
	headers_free(&t->headers);
	headers_free(&t->trailers);
	bytes_free(&t->pending);
	bytes_free(&t->sending);
	bytes_free(&t->received);
	bytes_free(&t->outgoing);
	free(t->error_text);
	free(t->method);
	free(t->url);
	free(t->body);
	free(t);
}

static void release(struct tuza_http_response *t, int references)
{
	struct driver *d = t->driver;
	tuza_http_client *client = t->client;
	tuza_mutex_lock(&d->mutex);
	t->references -= references;
	bool last = t->references == 0;
	tuza_mutex_unlock(&d->mutex);
	if (!last)
		return;
	destroy(t);
	tuza_waitgroup_done(&client->responses); // *client may be gone afterwards
}

void response_release(struct tuza_http_response *t) { release(t, 1); }

// NULL: out of memory. Else *error is what is wrong with the call.
static struct tuza_http_response *make(
	tuza_http_client *client, tuza_context *ctx, const tuza_http_call *call, int *error)
{
	tuza_duration timeout = call->timeout ? call->timeout : client->options.timeout;
	struct tuza_http_response *t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	if (tuza_chan_try_new(0, 1, &t->changed) != 0) {
		free(t);
		return NULL;
	}
	t->client = client;
	t->ctx = t->own = tuza_context_retain(ctx);
	t->header_timeout = client->options.header_timeout;
	t->references = 1;
	*error = call_copy(t, call);
	if (!t->method || !t->url) {
		destroy(t);
		return NULL;
	}
	if (timeout > 0)
		t->own = tuza_context_with_timeout(ctx, timeout);
	tuza_waitgroup_add(&client->responses, 1);
	t->driver = client_choose(client);
	return t;
}

// ---- giving up --------------------------------------------------------------------------------

// The first reason counts. `words` is a constant, or NULL.
static void give_up(struct tuza_http_response *t, int code, const char *words)
{
	tuza_mutex_lock(&t->mutex);
	bool tell = !t->ended && !t->abort_code;
	if (tell) {
		t->abort_code = code;
		t->abort_words = words;
	}
	tuza_mutex_unlock(&t->mutex);
	if (tell)
		client_tell(t, TELL_ABORT);
}

static void give_up_for_context(struct tuza_http_response *t)
{
	int code = tuza_context_err(t->ctx);
	if (code)
		give_up(t, code, NULL);
	else // the request's own time limit
		give_up(t, TUZA_EIOTIMEOUT, "timeout awaiting the response");
}

static void on_context_end(void *arg)
{
	give_up_for_context(arg);
	response_release(arg);
}

// From now on the context's end is seen without anybody waiting.
static void watch_context(struct tuza_http_response *t)
{
	if (tuza_context_done(t->own) == NULL)
		return;
	tuza_mutex_lock(&t->driver->mutex);
	t->references++;
	tuza_mutex_unlock(&t->driver->mutex);
	t->after = tuza_context_after_func(t->own, on_context_end, t);
}

// ---- sending ----------------------------------------------------------------------------------

static bool has_come(struct tuza_http_response *t, bool *ended)
{
	tuza_mutex_lock(&t->mutex);
	bool come = t->arrived || t->ended;
	*ended = t->ended;
	tuza_mutex_unlock(&t->mutex);
	return come;
}

// Waits for the headers or a failure. True: all of it is there.
static bool wait_for_headers(struct tuza_http_response *t)
{
	int64_t until = t->header_timeout > 0 ? tuza_now() + t->header_timeout : INT64_MAX;
	bool gave_up = false, ended;
	while (!has_come(t, &ended)) {
		if (gave_up) {
			(void)tuza_chan_recv(t->changed, NULL);
			continue;
		}
		switch (TUZA_SELECT(TUZA_RECV(t->changed, (char(*)[1])NULL), TUZA_DONE(t->own),
			TUZA_UNTIL(until))) {
		case 1:
			give_up_for_context(t);
			gave_up = true;
			break;
		case 2:
			give_up(t, TUZA_EIOTIMEOUT, "timeout awaiting response headers");
			gave_up = true;
			break;
		}
	}
	return ended;
}

// The end of what was never sent; why not may be in t->words.
static void fail(struct tuza_http_response *t, int error)
{
	response_end(t, error, client_error_text(t, error, t->words[0] ? t->words : NULL));
}

static int send_request(struct tuza_http_response *t)
{
	if (t->body_read) {
		int error = pump_start(t);
		if (error) {
			fail(t, error);
			return error;
		}
	}
	tuza_mutex_lock(&t->driver->mutex);
	t->references++; // the driver's
	tuza_mutex_unlock(&t->driver->mutex);
	client_tell(t, TELL_START);
	bool ended = wait_for_headers(t);
	tuza_mutex_lock(&t->mutex);
	int error = t->ended && (!t->arrived || t->abort_code) ? t->error : 0;
	tuza_mutex_unlock(&t->mutex);
	if (error)
		tuza_waitgroup_wait(&t->pump);
	else if (!ended)
		watch_context(t);
	return error;
}

EXPORT int tuza_http_do(tuza_http_client *client, tuza_context *ctx, const tuza_http_call *call,
	tuza_http_response **response)
{
	if (unlikely(!client))
		tuza_panic("nil HTTP client");
	int error = 0, context_error = tuza_context_err(ctx); // panics for NULL
	struct tuza_http_response *t = make(client, ctx, call, &error);
	*response = t;
	if (!t)
		return -ENOMEM;
	if (!error)
		error = context_error;
	if (error)
		fail(t, error);
	else
		error = send_request(t);
	return error;
}

EXPORT int tuza_http_get(tuza_context *ctx, const char *url, tuza_http_response **response)
{
	tuza_http_call call = {.url = url};
	return tuza_http_do(tuza_http_client_default(), ctx, &call, response);
}

EXPORT void tuza_http_response_free(tuza_http_response *r)
{
	if (!r)
		return;
	bool stopped = r->after && tuza_context_after_stop(r->after);
	give_up(r, -ECANCELED, NULL);
	pump_wake(r);
	tuza_waitgroup_wait(&r->pump);
	release(r, stopped ? 2 : 1); // with that of on_context_end, which does not run
}

// ---- reading ----------------------------------------------------------------------------------

static void check_response(const tuza_http_response *r)
{
	if (unlikely(!r))
		tuza_panic("nil HTTP response");
}

EXPORT ssize_t tuza_http_response_read(tuza_http_response *r, void *bytes, size_t count)
{
	check_response(r);
	if (count == 0)
		return 0;
	for (;;) {
		tuza_mutex_lock(&r->mutex);
		size_t n = r->abort_code ? 0 : bytes_take(&r->received, bytes, count);
		bool tell = r->wants_read && bytes_count(&r->received) <= CLIENT_BODY_MOST / 2;
		if (tell)
			r->wants_read = false;
		bool ended = r->ended;
		int error = r->error;
		tuza_mutex_unlock(&r->mutex);
		if (tell && !ended)
			client_tell(r, TELL_READ);
		if (n > 0)
			return (ssize_t)n;
		if (ended)
			return error;
		(void)tuza_chan_recv(r->changed, NULL);
	}
}

EXPORT int tuza_http_response_read_all(
	tuza_http_response *r, size_t limit, char **body, size_t *bytes)
{
	check_response(r);
	size_t room = 4096, used = 0;
	char *all = malloc(room);
	ssize_t n = all ? 1 : -ENOMEM;
	*body = NULL;
	if (bytes)
		*bytes = 0;
	while (n > 0) {
		if (used + 1 >= room) {
			char *larger = realloc(all, room * 2);
			if (!larger) {
				n = -ENOMEM;
				break;
			}
			all = larger;
			room *= 2;
		}
		n = tuza_http_response_read(r, all + used, room - used - 1);
		if (n > 0)
			used += (size_t)n;
		if (used > limit)
			n = TUZA_EBODYLIMIT;
	}
	if (n < 0) {
		free(all);
		return (int)n;
	}
	all[used] = '\0';
	*body = all;
	if (bytes)
		*bytes = used;
	return 0;
}

// ---- looking at it ----------------------------------------------------------------------------

EXPORT int tuza_http_response_status(const tuza_http_response *r)
{
	return r ? r->headers.status : 0;
}

EXPORT const char *tuza_http_response_protocol(const tuza_http_response *r)
{
	return r ? r->headers.protocol : "";
}

EXPORT const char *tuza_http_response_url(const tuza_http_response *r) { return r ? r->url : ""; }

EXPORT const char *tuza_http_response_header(const tuza_http_response *r, const char *name)
{
	return r ? headers_get(&r->headers, name) : NULL;
}

EXPORT bool tuza_http_response_header_at(
	const tuza_http_response *r, size_t i, const char **name, const char **value)
{
	return r && headers_at(&r->headers, i, name, value);
}

// Trailers are the driver's until the end.
static const struct headers *trailers_of(const tuza_http_response *r)
{
	static const struct headers none;
	tuza_http_response *t = (tuza_http_response *)(uintptr_t)r; // for the mutex
	if (!t)
		return &none;
	tuza_mutex_lock(&t->mutex);
	bool whole = t->ended && !t->error && bytes_count(&t->received) == 0;
	tuza_mutex_unlock(&t->mutex);
	return whole ? &t->trailers : &none;
}

EXPORT const char *tuza_http_response_trailer(const tuza_http_response *r, const char *name)
{
	return headers_get(trailers_of(r), name);
}

EXPORT bool tuza_http_response_trailer_at(
	const tuza_http_response *r, size_t i, const char **name, const char **value)
{
	return headers_at(trailers_of(r), i, name, value);
}

EXPORT int64_t tuza_http_response_length(const tuza_http_response *r)
{
	const char *length = tuza_http_response_header(r, "Content-Length");
	const char *encoding = tuza_http_response_header(r, "Content-Encoding");
	bool decoded = encoding && !r->client->options.no_compression;
	int status = tuza_http_response_status(r);
	char *end;
	if (status == 204 || status == 304) // whatever it says of another response's
		return 0;
	if (!length || decoded)
		return -1;
	errno = 0;
	long long n = strtoll(length, &end, 10);
	return *end || end == length || n < 0 || errno ? -1 : (int64_t)n;
}

EXPORT const char *tuza_http_response_error(const tuza_http_response *r)
{
	tuza_http_response *t = (tuza_http_response *)(uintptr_t)r; // for the mutex
	if (!r)
		return "out of memory";
	tuza_mutex_lock(&t->mutex);
	const char *text = t->error_text ? t->error_text : t->error ? tuza_strerror(t->error) : "";
	tuza_mutex_unlock(&t->mutex);
	return text;
}
