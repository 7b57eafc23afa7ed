// SPDX-License-Identifier: MIT
/*
 * A server: listeners, the list of its connections, and how it ends.
 *
 * `lock` guards both lists; whoever adds to one has looked at `draining` under it. A connection
 * takes it twice in its life. tuza_http_server_free waits until both are empty and nobody is in a
 * shutdown or close: the unlock after removing oneself is the last touch of the server.
 */
#include "http/connection.h"

#include "base/atomic.h"
#include <tuza/error.h>
#include <tuza/goroutine.h>
#include <tuza/time.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FRESH_SECONDS = 5 }; // that a shutdown leaves a connection to make its first request: Go's

// A call of tuza_http_server_serve.
struct listening {
	struct link link; // guarded by the server's lock
	tuza_listener *l;
};

// ---- making ------------------------------------------------------------------------------------

static int64_t or_default(int64_t value, int64_t by_default)
{
	return value == 0 ? by_default : value < 0 ? -1 : value;
}

// One that the clock cannot be added to is none, too.
static tuza_duration time_or_default(tuza_duration time, tuza_duration by_default)
{
	return time > INT64_MAX / 2 ? -1 : or_default(time, by_default);
}

static size_t limit_of(int64_t value) { return value < 0 ? SIZE_MAX / 4 : (size_t)value; }

EXPORT tuza_http_server *tuza_http_server_new(const tuza_http_server_options *options)
{
	tuza_http_server *s = calloc(1, sizeof *s);
	if (!s)
		tuza_panic("tuza: out of memory");
	tuza_http_server_options *o = &s->options;
	if (options)
		*o = *options;
	o->read_header_timeout = time_or_default(o->read_header_timeout, 10 * TUZA_SECOND);
	o->read_timeout = time_or_default(o->read_timeout, 30 * TUZA_SECOND);
	o->write_timeout = time_or_default(o->write_timeout, 30 * TUZA_SECOND);
	o->idle_timeout = time_or_default(o->idle_timeout, 75 * TUZA_SECOND);
	o->max_body_bytes = or_default(o->max_body_bytes, 32 << 20);
	o->max_connections = or_default(o->max_connections, 65536);
	s->limits.line = limit_of(or_default(o->max_request_line, 8 << 10));
	s->limits.bytes = limit_of(or_default(o->max_header_bytes, 64 << 10));
	s->limits.fields = limit_of(or_default(o->max_headers, 100));
	s->inputs = (tuza_pool){.make = input_new};
	s->exchanges = (tuza_pool){.make = exchange_new, .arg = s, .drop = exchange_drop};
	list_init(&s->connections);
	list_init(&s->listeners);
	s->context = tuza_context_with_cancel(o->context ? o->context : tuza_context_background());
	return s;
}

// What is longer than `start` needs memory; where there is none, its start must do.
void server_log(tuza_http_server *server, const char *format, ...)
{
	char start[256];
	struct text t = {NULL, 0, 0};
	const char *line = start;
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	int n = vsnprintf(start, sizeof start, format, arguments);
	if (n >= (int)sizeof start && text_vprintf(&t, format, again) && text_append(&t, "", 1))
		line = t.bytes;
	va_end(again);
	va_end(arguments);
	if (server->options.error_log)
		server->options.error_log(line, server->options.error_arg);
	else
		fprintf(stderr, "%s\n", line);
	text_reset(&t, 0);
}

void server_tell_shortage(tuza_http_server *server, const char *what, tuza_conn *conn)
{
	int64_t now = tuza_now(), before = load_relaxed(&server->told);
	char remote[TUZA_ADDRESS_TEXT] = "";
	if ((before && now - before < TUZA_MINUTE) || !cas_relaxed(&server->told, &before, now))
		return;
	(void)tuza_conn_remote_address(conn, remote, sizeof remote);
	server_log(server, "http: no memory to serve %s; %s", remote, what);
}

// ---- connections -------------------------------------------------------------------------------

// In the list, or closed and NULL.
static struct connection *adopt(tuza_http_server *server, tuza_conn *conn)
{
	struct connection *c = calloc(1, sizeof *c);
	if (!c) {
		server_tell_shortage(server, "its connection is closed", conn);
	} else {
		*c = (struct connection){
			.server = server, .conn = conn, .accepted = tuza_now(), .state = ACTIVE};
		tuza_mutex_lock(&server->lock);
		if (load_relaxed(&server->draining)) { // written under the lock
			tuza_mutex_unlock(&server->lock);
			free(c);
			c = NULL;
		} else {
			list_push_back(&server->connections, &c->link);
			server->count++;
			tuza_mutex_unlock(&server->lock);
		}
	}
	if (!c)
		(void)tuza_conn_close(conn);
	return c;
}

static void serve_connection(void *connection) { connection_serve(connection); }

EXPORT void tuza_http_server_serve_conn(tuza_http_server *server, tuza_conn *conn)
{
	struct connection *c = adopt(server, conn);
	if (c)
		connection_serve(c);
}

static void start(tuza_http_server *server, tuza_conn *conn)
{
	struct connection *c = adopt(server, conn);
	if (c && tuza_go(serve_connection, c) != 0) {
		server_tell_shortage(server, "others wait to be accepted", conn);
		connection_serve(c); // here, then
	}
}

// ---- accepting ---------------------------------------------------------------------------------

// Waits for a place among the connections. False: the server ends.
static bool await_place(tuza_http_server *server)
{
	int64_t most = server->options.max_connections;
	tuza_mutex_lock(&server->lock);
	// (http-drain) under the lock
	while (!load_relaxed(&server->draining) && most >= 0 && (int64_t)server->count >= most)
		tuza_cond_wait(&server->fewer, &server->lock);
	bool goes_on = !load_relaxed(&server->draining); // written under the lock
	tuza_mutex_unlock(&server->lock);
	return goes_on;
}

static bool enter(tuza_http_server *server, struct listening *listening)
{
	tuza_mutex_lock(&server->lock);
	bool goes_on = !load_relaxed(&server->draining); // written under the lock
	if (goes_on)
		list_push_back(&server->listeners, &listening->link);
	tuza_mutex_unlock(&server->lock);
	return goes_on;
}

static void leave(tuza_http_server *server, struct listening *listening)
{
	tuza_mutex_lock(&server->lock);
	list_remove(&listening->link);
	tuza_cond_broadcast(&server->fewer);
	tuza_mutex_unlock(&server->lock);
}

EXPORT int tuza_http_server_serve(tuza_http_server *server, tuza_listener *l)
{
	struct listening listening = {.l = l};
	tuza_conn *conn;
	int error = 0;
	if (!enter(server, &listening)) {
		(void)tuza_listener_close(l);
		return 0;
	}
	while (await_place(server) && (error = tuza_accept(l, &conn)) == 0)
		start(server, conn);
	(void)tuza_listener_close(l);
	if (load_relaxed(&server->draining)) // closed by its end, and so seen by us
		error = 0;
	leave(server, &listening);
	return error;
}

EXPORT int tuza_http_server_listen(tuza_http_server *server, const char *address)
{
	tuza_listener *l;
	int error = tuza_listen("tcp", address, &l);
	return error ? error : tuza_http_server_serve(server, l);
}

// ---- ending ------------------------------------------------------------------------------------

// With the lock: nothing new from here on. Until leave_end the server is not freed.
static void begin_end(tuza_http_server *server)
{
	server->enders++;
	// (http-drain) pairs with await_request
	store_seq_cst(&server->draining, 1);
	for (struct link *l = server->listeners.next; l != &server->listeners; l = l->next)
		(void)tuza_listener_close(CONTAINER_OF(l, struct listening, link)->l);
	tuza_cond_broadcast(&server->fewer);
}

// With the lock.
static void leave_end(tuza_http_server *server)
{
	server->enders--;
	tuza_cond_broadcast(&server->fewer);
}

static void end_if_idle(struct connection *c)
{
	uint32_t idle = IDLE;
	// (http-drain) pairs with await_request
	if (cas_seq_cst(&c->state, &idle, CLOSING)) {
		(void)tuza_conn_set_read_deadline(c->conn, 1); // long past
	} else if (idle == FRESH) {
		int64_t until = c->accepted + FRESH_SECONDS * TUZA_SECOND;
		(void)tuza_conn_set_read_deadline(c->conn, until);
	}
}

EXPORT int tuza_http_server_shutdown(tuza_http_server *server, tuza_context *ctx)
{
	int error = 0;
	(void)tuza_context_err(ctx); // panics for NULL
	tuza_mutex_lock(&server->lock);
	begin_end(server);
	for (struct link *l = server->connections.next; l != &server->connections; l = l->next)
		end_if_idle(CONTAINER_OF(l, struct connection, link));
	while (server->count > server->hijacked && error == 0)
		error = tuza_cond_wait_ctx(&server->fewer, &server->lock, ctx);
	if (server->count == server->hijacked)
		error = 0;
	leave_end(server);
	tuza_mutex_unlock(&server->lock);
	return error;
}

EXPORT void tuza_http_server_close(tuza_http_server *server)
{
	tuza_mutex_lock(&server->lock);
	begin_end(server);
	for (struct link *l = server->connections.next; l != &server->connections; l = l->next) {
		tuza_conn *conn = CONTAINER_OF(l, struct connection, link)->conn;
		(void)tuza_conn_set_write_deadline(conn, 1); // at once: over TLS without a goodbye
		(void)tuza_conn_close(conn);
	}
	tuza_mutex_unlock(&server->lock);
	tuza_context_cancel(server->context);
	tuza_mutex_lock(&server->lock);
	leave_end(server);
	tuza_mutex_unlock(&server->lock);
}

// It would wait for itself.
static void refuse_own_handler(tuza_http_server *server)
{
	uint64_t self = tuza_id();
	bool is_own = false;
	tuza_mutex_lock(&server->lock);
	for (struct link *l = server->connections.next; l != &server->connections; l = l->next)
		is_own |= load_relaxed(&CONTAINER_OF(l, struct connection, link)->goroutine) ==
			  self; // written by this goroutine, if it is equal
	tuza_mutex_unlock(&server->lock);
	if (is_own)
		tuza_panic("http: tuza_http_server_free in a handler of the server");
}

EXPORT void tuza_http_server_free(tuza_http_server *server)
{
	if (!server)
		return;
	refuse_own_handler(server);
	tuza_http_server_close(server);
	tuza_mutex_lock(&server->lock);
	while (server->count > 0 || server->enders > 0 || !list_is_empty(&server->listeners))
		tuza_cond_wait(&server->fewer, &server->lock);
	tuza_mutex_unlock(&server->lock);
	tuza_pool_free(&server->exchanges);
	exchange_spares_free(&server->spares);
	tuza_pool_free(&server->inputs);
	tuza_context_free(server->context);
	free(server);
}

EXPORT size_t tuza_http_server_connections(tuza_http_server *server)
{
	tuza_mutex_lock(&server->lock);
	size_t count = server->count - server->hijacked;
	tuza_mutex_unlock(&server->lock);
	return count;
}

EXPORT uint64_t tuza_http_server_requests(tuza_http_server *server)
{
	tuza_mutex_lock(&server->lock);
	uint64_t count = server->requests;
	for (struct link *l = server->connections.next; l != &server->connections; l = l->next)
		count += load_relaxed(&CONTAINER_OF(l, struct connection, link)->requests);
	tuza_mutex_unlock(&server->lock);
	return count;
}
