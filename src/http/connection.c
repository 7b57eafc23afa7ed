// SPDX-License-Identifier: MIT
/*
 * The life of a connection: wait, read a head, let the handler answer, and again. One goroutine
 * does all of it, so requests that come in a row (pipelining) are answered in their order.
 *
 * What must not be forgotten, whichever way the goroutine is left (a handler may call tuza_goexit),
 * is in connection_end, which is deferred.
 */
#include "http/connection.h"

#include "base/atomic.h"
#include <tuza/error.h>
#include <tuza/layer.h>
#include <tuza/panic.h>
#include <tuza/time.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	TICK_MS = 10,        // what the kernel's clock by ticks is behind, at most
	LATE_SHARE = 64,     // of a timeout that its deadline may be late; a guess
	LATE_MS = 100,       // but no more than that
	LINGER_MS = 500,     // for the client to read an answer before it is cut off: Go's
	BODY_ROOM = 512,     // behind a head, at least
	MOST_ROOM = 1 << 24, // of input, where heads are unlimited
};

// Of the last tick: some milliseconds ago.
static int64_t coarse_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (int64_t)t.tv_sec * TUZA_SECOND + t.tv_nsec;
}

int connection_set_deadline(struct connection *c, enum connection_side side, int64_t timeout)
{
	const int64_t tick = TICK_MS * TUZA_MILLISECOND, most = LATE_MS * TUZA_MILLISECOND;
	int64_t late = timeout / LATE_SHARE < most ? timeout / LATE_SHARE : most,
		*until = &c->until[side];
	// Stays, if it is late enough even if the last tick is all but a tick ago.
	int64_t least = timeout < 0 ? INT64_MAX : coarse_now() + tick + timeout;
	if (likely(*until >= least && *until - least <= late))
		return 0;
	int64_t deadline = timeout < 0 ? 0 : tuza_now() + timeout + late;
	int error = side == SIDE_READ ? tuza_conn_set_read_deadline(c->conn, deadline)
				      : tuza_conn_set_write_deadline(c->conn, deadline);
	*until = error ? 0 : deadline ? deadline : INT64_MAX;
	return error;
}

const char *connection_remote(struct connection *c)
{
	if (!c->has_remote && tuza_conn_remote_address(c->conn, c->remote, sizeof c->remote) != 0)
		c->remote[0] = '\0';
	c->has_remote = true;
	return c->remote;
}

// False, since the connection ends. Where it does for want of memory, somebody is told.
static bool ends_by(const struct connection *c, int error)
{
	if (error == -ENOMEM)
		server_tell_shortage(c->server, "its connection is closed", c->conn);
	return false;
}

// ---- waiting for a request ---------------------------------------------------------------------

static void give_back_exchange(struct connection *c)
{
	if (!c->exchange)
		return;
	exchange_shrink(c->exchange);
	tuza_pool_put(&c->server->exchanges, c->exchange);
	c->exchange = NULL;
}

static void give_back_input(struct connection *c)
{
	struct input *in = c->input;
	c->input = NULL;
	// One that had to grow is not kept: the next hundred connections do not need it.
	if (in && in->room > INPUT_BYTES)
		free(in);
	else
		tuza_pool_put(&c->server->inputs, in);
}

// When something has come.
static void *take_input(void *connection, size_t *count)
{
	struct connection *c = connection;
	c->input = tuza_pool_get(&c->server->inputs);
	if (!c->input)
		return NULL;
	c->input->next = c->input->end = 0;
	*count = c->input->room;
	return c->input->bytes;
}

/*
 * Waits until something of a request has come, with nothing but the connection. False: it is over.
 *
 * The state is stored, then `draining` is read; a shutdown stores `draining`, then reads states.
 * One of them sees the other. The deadline of a shutdown must be the last, so ours is set first.
 */
static bool await_request(struct connection *c, bool first)
{
	const tuza_http_server_options *options = &c->server->options;
	give_back_input(c);
	int error = connection_set_deadline(
		c, SIDE_READ, first ? options->read_header_timeout : options->idle_timeout);
	if (first && !error) // of which a handshake may be part, which writes as well
		error = connection_set_deadline(c, SIDE_WRITE, options->read_header_timeout);
	if (error)
		return ends_by(c, error);
	uint32_t waiting = first ? FRESH : IDLE;
	// (http-drain) pairs with tuza_http_server_shutdown; tested by http/shutdown_test
	store_seq_cst(&c->state, waiting);
	// (http-drain)
	if (load_seq_cst(&c->server->draining))
		return false;
	// An event may have been for nothing: only bytes make a request, and until they are here a
	// shutdown need not wait.
	ssize_t got = tuza_conn_read_into(c->conn, take_input, c);
	if (got <= 0)
		return ends_by(c, (int)got);
	c->input->next = 0;
	c->input->end = (size_t)got;
	// (http-drain) a shutdown that came first has it closed
	if (!cas_seq_cst(&c->state, &waiting, ACTIVE))
		return false;
	return true;
}

// ---- reading a head ----------------------------------------------------------------------------

// More room for a head that has filled what there is. `most` bytes are the limits' sum.
static bool grow(struct input **in, const struct head_limits *limits)
{
	size_t most = limits->line < MOST_ROOM && limits->bytes < MOST_ROOM
			      ? limits->line + limits->bytes + BODY_ROOM
			      : (size_t)MOST_ROOM;
	size_t room = (*in)->room;
	return room < most && input_grow(in, room * 2 < most ? room * 2 : most);
}

/*
 * Reads the head that comes next.
 *
 * Returns  0; the status to refuse it with; negative: the connection is over.
 */
static int read_head(struct connection *c, struct head_scan *scan)
{
	struct input *in = c->input;
	const struct head_limits *limits = &c->server->limits;
	bool timed = false;
	ssize_t n;

	memmove(in->bytes, in->bytes + in->next, in->end - in->next);
	in->end -= in->next;
	in->next = in->head_end = 0;
	while ((n = head_scan(scan, in->bytes, in->end, limits)) == 0) {
		if (in->end == in->room && !grow(&c->input, limits))
			return 431;
		in = c->input;
		if (in->end > 0 && !timed) {
			// The idle time is over, and the one for a head begins.
			timed = true;
			int64_t timeout = c->server->options.read_header_timeout;
			int error = tuza_conn_set_read_deadline(
				c->conn, timeout < 0 ? 0 : tuza_now() + timeout);
			c->until[SIDE_READ] = 0;
			if (error)
				return error;
		}
		ssize_t got = tuza_conn_read(c->conn, in->bytes + in->end, in->room - in->end);
		if (got == TUZA_EIOTIMEOUT && in->end > 0)
			return 408;
		if (got <= 0)
			return got ? (int)got : -1;
		in->end += (size_t)got;
	}
	if (n < 0)
		return (int)-n;
	in->head_end = in->next = (size_t)n;
	if (in->room - in->head_end < BODY_ROOM && !input_grow(&c->input, in->head_end + BODY_ROOM))
		return 503;
	return 0;
}

// What is needed for an answer, whatever it will be.
static bool take_exchange(struct connection *c)
{
	struct exchange *x = tuza_pool_get(&c->server->exchanges);
	if (!x)
		return false;
	c->exchange = x;
	x->connection = c;
	x->input = c->input;
	if (c->server->options.access_log)
		x->started = tuza_now();
	return true;
}

// Takes the head apart. As read_head.
static int understand_head(struct exchange *x, const struct head_scan *scan)
{
	struct head *h = &x->request.head;
	if (scan->fields > h->room) {
		struct field *fields = realloc(h->fields, scan->fields * sizeof *fields);
		if (!fields)
			return 503;
		h->fields = fields;
		h->room = scan->fields;
	}
	return head_parse(h, &x->request.arena, x->input->bytes, x->input->head_end, scan->fields);
}

// ---- answering ---------------------------------------------------------------------------------

static void log_access(struct connection *c, const char *method, const char *target)
{
	const tuza_http_server_options *options = &c->server->options;
	struct exchange *x = c->exchange;
	if (!options->access_log)
		return;
	const char *agent = *method ? tuza_http_header(&x->request, "User-Agent") : NULL;
	tuza_http_access access = {
		.remote = connection_remote(c),
		.method = method,
		.target = target,
		.status = x->writer.begun ? x->writer.status : 0,
		.bytes = x->writer.written,
		.started = x->started,
		.duration = tuza_now() - x->started,
		.agent = agent ? agent : "",
	};
	options->access_log(&access, options->access_arg);
}

// Over TLS a client that sends no more says so in bytes, which the system takes for more than was
// read: they may come until the client has the whole answer.
static bool ends_in_bytes(const struct connection *c)
{
	tuza_layer *l;
	if (tuza_layer_begin(c->conn, NULL, &l) != 0)
		return false;
	tuza_layer_end(l);
	return true;
}

// What the client has sent and nobody reads would have the system throw the answer away: it is
// read for a moment, with nothing but the connection: thousands may be turned away at once.
static void linger(struct connection *c)
{
	char bytes[512];
	give_back_input(c);
	if (tuza_conn_close_write(c->conn) != 0 ||
		tuza_conn_set_read_deadline(c->conn, tuza_now() + LINGER_MS * TUZA_MILLISECOND) !=
			0)
		return;
	for (size_t most = SKIP_BYTES / sizeof bytes; most > 0; most--)
		if (tuza_conn_read(c->conn, bytes, sizeof bytes) <= 0)
			return;
}

// A head that was not understood: nothing of it is used, and nothing that follows it.
static void refuse(struct connection *c, int status)
{
	struct exchange *x = c->exchange;
	struct head *h = &x->request.head;
	h->is_head = h->expects = false;
	h->minor = 1;
	h->length = 0;
	request_begin(&x->request);
	writer_begin(&x->writer);
	x->writer.close = true;
	(void)tuza_http_error(&x->writer, status, NULL);
	(void)writer_finish(&x->writer);
	log_access(c, "", "");
}

static void call_handler(void *exchange)
{
	struct exchange *x = exchange;
	const tuza_http_server_options *options = &x->connection->server->options;
	if (options->handler)
		options->handler(&x->writer, &x->request, options->arg);
	else
		(void)tuza_http_error(&x->writer, 404, NULL);
}

// How a connection goes on.
enum outcome { NEXT, LINGERS, ENDS };

static enum outcome answer(struct connection *c)
{
	struct exchange *x = c->exchange;
	tuza_http_writer *w = &x->writer;
	tuza_http_request *r = &x->request;
	request_begin(r);
	writer_begin(w);
	w->close = r->head.close;

	bool panicked = tuza_try(call_handler, x, &x->panic) != 0;
	request_end(r);
	if (panicked)
		server_log(c->server, "http: panic serving %s: %s\n%s", connection_remote(c),
			x->panic.message, x->panic.stack);
	if (c->hijacked) {
		log_access(c, r->head.method, r->head.target);
		return ENDS;
	}
	if (panicked) {
		w->close = true;
		if (w->framing != FRAMING_OPEN || tuza_http_error(w, 500, NULL) != 0) {
			log_access(c, r->head.method, r->head.target);
			return ENDS; // in the middle: the client must not take it for complete
		}
	}
	// The body before the answer: many clients read only when they have sent all.
	bool skipped = w->framing != FRAMING_OPEN || body_skip(r);
	if (!skipped)
		w->close = true;
	bool goes_on = writer_finish(w);
	if (w->error)
		goes_on = ends_by(c, w->error);
	if (goes_on && !body_skip(r))
		goes_on = false;
	store_relaxed(&c->requests, c->requests + 1); // only writer; a statistic
	log_access(c, r->head.method, r->head.target);
	if (goes_on)
		return NEXT;
	bool more = !r->body.done || x->input->next < x->input->end || ends_in_bytes(c);
	return w->error == 0 && more ? LINGERS : ENDS;
}

static bool serve_one(struct connection *c)
{
	struct head_scan scan = {0};
	int status = read_head(c, &scan);
	enum outcome outcome = LINGERS;
	if (status < 0)
		return ends_by(c, status);
	if (!take_exchange(c))
		return ends_by(c, -ENOMEM);
	if (status == 0)
		status = understand_head(c->exchange, &scan);
	if (status > 0)
		refuse(c, status);
	else
		outcome = answer(c);
	give_back_exchange(c);
	if (outcome == LINGERS)
		linger(c);
	return outcome == NEXT;
}

// ---- handing it over ---------------------------------------------------------------------------

EXPORT int tuza_http_hijack(
	tuza_http_writer *w, tuza_conn **conn, const void **bytes, size_t *count)
{
	struct exchange *x = w->exchange;
	struct connection *c = x->connection;
	tuza_http_server *server = c->server;
	*conn = NULL;
	if (c->hijacked || w->framing != FRAMING_OPEN || w->written > 0)
		return -EALREADY;
	request_stop_watching(&x->request);
	tuza_mutex_lock(&server->lock);
	list_remove(&c->link);
	server->requests += c->requests;
	store_relaxed(&c->requests, 0); // under the lock
	server->hijacked++;
	tuza_cond_broadcast(&server->fewer); // a shutdown waits for it no longer
	tuza_mutex_unlock(&server->lock);
	c->hijacked = true;
	w->error = x->request.body.error = -EALREADY;
	(void)tuza_conn_set_deadline(c->conn, 0);
	*conn = c->conn;
	*bytes = x->input->bytes + x->input->next;
	*count = x->input->end - x->input->next;
	return 0;
}

// ---- all of it ---------------------------------------------------------------------------------

static void connection_end(struct connection *c)
{
	tuza_http_server *server = c->server;
	if (c->exchange)
		request_end(&c->exchange->request);
	give_back_exchange(c);
	give_back_input(c);
	if (!c->hijacked) {
		// The last answer's deadline is not for what a close has to say, over TLS.
		(void)tuza_conn_set_write_deadline(c->conn, 0);
		(void)tuza_conn_close(c->conn);
	}
	tuza_mutex_lock(&server->lock);
	if (c->hijacked)
		server->hijacked--;
	else
		list_remove(&c->link);
	server->requests += c->requests;
	server->count--;
	tuza_cond_broadcast(&server->fewer);
	tuza_mutex_unlock(&server->lock); // the server may be gone from here on
	free(c);
}

void connection_serve(struct connection *c)
{
	TUZA_DEFER(connection_end, c);
	bool first = true;
	store_relaxed(&c->goroutine, tuza_id()); // none but this goroutine will find its own
	do {
		const struct input *in = c->input;
		if ((!in || in->next == in->end) && !await_request(c, first))
			break;
		first = false;
	} while (serve_one(c));
}
