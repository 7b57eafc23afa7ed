// SPDX-License-Identifier: MIT
/*
 * What a handler asks of a request, and the context that ends when nobody waits for the answer.
 *
 * Whether the client is still there only its connection can tell: somebody has to look at it while
 * the handler does other things. That is a goroutine, the watcher, started with the first
 * tuza_http_context and once the body is read, since the connection is the handler's until then. It
 * looks without taking anything, so a request that follows stays where it is; behind one the end of
 * the connection cannot be seen. When the handler is done, a deadline in the past sends it away.
 *
 * Go: src/net/http/server.go, connReader.startBackgroundRead
 */
#include "http/connection.h"

#include <tuza/error.h>
#include <tuza/goroutine.h>
#include <tuza/time.h>

#include <string.h>

EXPORT const char *tuza_http_method(const tuza_http_request *r) { return r->head.method; }
EXPORT const char *tuza_http_target(const tuza_http_request *r) { return r->head.target; }
EXPORT const char *tuza_http_path(const tuza_http_request *r) { return r->head.path; }
EXPORT const char *tuza_http_query(const tuza_http_request *r) { return r->head.query; }
EXPORT const char *tuza_http_host(const tuza_http_request *r) { return r->head.host; }
EXPORT int tuza_http_minor(const tuza_http_request *r) { return r->head.minor; }
EXPORT int64_t tuza_http_content_length(const tuza_http_request *r) { return r->head.length; }

EXPORT const char *tuza_http_header(const tuza_http_request *r, const char *name)
{
	const struct field *f = head_find(&r->head, name, strlen(name));
	return f ? f->value : NULL;
}

EXPORT const char *tuza_http_header_at(const tuza_http_request *r, size_t i, const char **value)
{
	if (i >= r->head.count)
		return NULL;
	if (value)
		*value = r->head.fields[i].value;
	return r->head.fields[i].name;
}

EXPORT const char *tuza_http_path_value(const tuza_http_request *r, const char *name)
{
	for (size_t i = 0; i < r->wilds; i++)
		if (strcmp(r->wild_names[i], name) == 0)
			return r->wild_values[i];
	return "";
}

EXPORT const char *tuza_http_pattern(const tuza_http_request *r)
{
	return r->pattern ? r->pattern : "";
}

EXPORT const char *tuza_http_remote(tuza_http_request *r)
{
	return connection_remote(r->exchange->connection);
}

EXPORT tuza_conn *tuza_http_conn(const tuza_http_request *r)
{
	return r->exchange->connection->conn;
}

// ---- the context -------------------------------------------------------------------------------

static void watch(void *arg)
{
	tuza_http_request *r = arg;
	char byte;
	ssize_t n = tuza_conn_peek(r->exchange->connection->conn, &byte, 1);
	if (n <= 0 && n != TUZA_EIOTIMEOUT)
		tuza_context_cancel(r->context);
}

static void start_watcher(tuza_http_request *r)
{
	struct exchange *x = r->exchange;
	// What has come already is another request: nothing to be seen behind it.
	if (x->input->next < x->input->end)
		return;
	x->connection->until[SIDE_READ] = 0;
	if (tuza_conn_set_read_deadline(x->connection->conn, 0) != 0)
		return;
	r->watcher = tuza_spawn(watch, r); // without memory nobody watches
}

EXPORT tuza_context *tuza_http_context(tuza_http_request *r)
{
	if (r->context)
		return r->context;
	r->context = tuza_context_with_cancel(r->exchange->connection->server->context);
	if (r->exchange->connection->hijacked)
		return r->context;
	if (r->body.error || r->exchange->writer.error)
		tuza_context_cancel(r->context);
	else if (r->body.done)
		start_watcher(r);
	return r->context;
}

void request_body_over(tuza_http_request *r)
{
	if (!r->context)
		return;
	if (r->body.error)
		tuza_context_cancel(r->context);
	else
		start_watcher(r);
}

void request_answer_failed(tuza_http_request *r)
{
	if (r->context)
		tuza_context_cancel(r->context);
}

// ---- begin and end -----------------------------------------------------------------------------

void request_begin(tuza_http_request *r)
{
	struct head *h = &r->head;
	memset(&r->body, 0, sizeof r->body);
	r->body.left = h->length;
	r->body.done = h->length == 0;
	r->trailers.length = 0;
	r->pattern = NULL;
	r->wilds = 0;
	r->context = NULL;
	r->watcher = NULL;
}

void request_stop_watching(tuza_http_request *r)
{
	if (!r->watcher)
		return;
	(void)tuza_conn_set_read_deadline(r->exchange->connection->conn, 1); // long past
	(void)tuza_join(r->watcher);
	(void)tuza_conn_set_read_deadline(r->exchange->connection->conn, 0);
	r->exchange->connection->until[SIDE_READ] = 0;
	r->watcher = NULL;
}

void request_end(tuza_http_request *r)
{
	request_stop_watching(r);
	if (r->context) {
		tuza_context_free(r->context);
		r->context = NULL;
	}
}
