// SPDX-License-Identifier: MIT
/*
 * A server, its connections, and what a connection needs while a request is under way.
 *
 * A connection that waits for a request is this: a struct connection, its descriptor, and a
 * goroutine parked in a shallow place. When there is something to read it takes a struct input from
 * the server's pool, and when a head is complete a struct exchange, which has all else (the
 * request, the answer). Both go back as soon as they are not needed: a client that does nothing, or
 * sends its head byte by byte, keeps little from the others.
 */
#ifndef TUZA_HTTP_CONNECTION_H
#define TUZA_HTTP_CONNECTION_H

#include "base/list.h"
#include "http/chunked.h"
#include "http/head.h"
#include "http/text.h"
#include <tuza/http_server.h>
#include <tuza/panic.h>
#include <tuza/sync.h>

enum {
	INPUT_BYTES = 2000,     // room for input at first: most heads are smaller
	OUTPUT_BYTES = 4096,    // of an answer's body kept, as tuza_http_write promises
	SMALL_BODY = 1024,      // goes behind the head to be sent in one piece
	DATE_BYTES = 40,        // "Date: Sat, 21 Nov 2026 15:46:46 GMT\r\n" and a NUL
	SKIP_BYTES = 256 << 10, // of a body that the handler left, Go's figure
};

/*
 * What a connection is doing; who wants to end it idle claims it by a CAS.
 *
 *	IDLE ---its goroutine---> ACTIVE ---its goroutine---> IDLE
 *	  \----shutdown----> CLOSING
 *
 * Nothing of a request has come in IDLE. FRESH is an IDLE before the first request, which a
 * shutdown leaves a moment.
 */
enum connection_state { FRESH, IDLE, ACTIVE, CLOSING };

struct exchange;

// What was read: bytes[0 … head_end) is the head, [next … end) was not looked at yet.
struct input {
	size_t room, head_end, next, end;
	char bytes[];
};

struct connection {
	// for each request: together, 64 bytes
	tuza_http_server *server;
	tuza_conn *conn;
	struct input *input;       // owner only; NULL while it waits
	struct exchange *exchange; // owner only; NULL unless a head is complete
	int64_t until[2];          // owner only: as connection_set_deadline set them; 0: not known
	uint64_t requests;         // answered; written by the owner, atomic
	uint32_t state;            // any goroutine, atomic
	bool hijacked;             // owner only: conn is the handler's, and link in no list
	bool has_remote;

	struct link link; // guarded by server->lock
	int64_t accepted;
	uint64_t goroutine; // that serves it
	char remote[TUZA_ADDRESS_TEXT];
};

// Exchanges that found no room in the pool: where many sends are gathered (libtuza's net/gather.c),
// hundreds are in use at a time, and then none.
struct exchange_spares {
	tuza_mutex lock;
	struct exchange *first; // guarded by lock
	size_t count;           // guarded by lock
};

struct tuza_http_server {
	// constant
	tuza_http_server_options options;
	struct head_limits limits;
	tuza_context *context;
	tuza_pool inputs, exchanges;
	struct exchange_spares spares;

	// any goroutine, atomic
	uint32_t draining; // shut down or closed
	int64_t told;      // when memory was short last; 0: never

	tuza_mutex lock;
	// guarded by lock
	struct link connections, listeners;
	uint64_t requests; // answered on connections that are over
	size_t count;      // of connections, those included whose
	size_t hijacked;   // handler has taken them over and goes on
	size_t enders;     // who are in a shutdown or close
	tuza_cond fewer;   // connections, listeners, enders
};

// ---- the request -------------------------------------------------------------------------------

struct body {
	int64_t left;     // of a Content-Length
	int64_t received; // decoded
	int64_t waited;   // ns
	struct chunked chunked;
	bool done;
	int error; // that every read returns
};

struct tuza_http_request {
	struct exchange *exchange;
	struct head head;
	struct arena arena;
	struct body body;
	struct text trailers; // as they came; from the body's end on pairs of strings

	// by the mux
	const char *pattern;
	const char *const *wild_names; // of the pattern
	char **wild_values;
	size_t wilds;

	tuza_context *context;   // NULL: nobody has asked
	tuza_goroutine *watcher; // NULL: none
};

// ---- the answer --------------------------------------------------------------------------------

enum framing_kind {
	FRAMING_OPEN,   // nothing was sent
	FRAMING_LENGTH, // by Content-Length
	FRAMING_CHUNKED,
	FRAMING_CLOSE, // by the end of the connection
	FRAMING_NONE,  // no body: 204, 304
};

struct tuza_http_writer {
	struct exchange *exchange;
	int status;
	enum framing_kind framing;
	bool close;           // the connection ends with this answer
	bool continued;       // 100 was sent
	bool begun;           // something of the answer was sent
	bool overfull;        // more was written than has_length allows
	bool has_length;      // the handler has set Content-Length
	int64_t length;       // that
	int64_t written;      // of the body by the handler
	int error;            // that every write returns
	struct text headers;  // lines, each with its CR LF
	struct text trailers; // the same
	struct text head;     // scratch
	size_t kept;          // bytes in output
	char output[OUTPUT_BYTES];
};

// ---- both --------------------------------------------------------------------------------------

struct exchange {
	tuza_http_server *server;
	struct exchange *next; // among the spares
	struct connection *connection;
	int64_t started;     // for the access log, if there is one
	struct input *input; // the connection's
	tuza_http_request request;
	tuza_http_writer writer;
	int64_t date_second;
	char date[DATE_BYTES];
	tuza_panic_info panic; // here rather than on every connection's stack
};

// For the server's pool, `arg` is the server. NULL: no memory.
void *exchange_new(void *arg);
void exchange_drop(void *exchange);
// Before it goes back: what a request made grow is not kept, others do not need it.
void exchange_shrink(struct exchange *x);
// After the pool was freed.
void exchange_spares_free(struct exchange_spares *spares);

// The same for input.
void *input_new(void *arg);
// More room, to `room` bytes. What points into it goes stale.
MUST_USE bool input_grow(struct input **in, size_t room);

// "Date: …\r\n" of now.
const char *exchange_date(struct exchange *x);

// ---- request.c, body.c -------------------------------------------------------------------------

void request_begin(tuza_http_request *r);
// After the handler: ends the context and what watches, gives memory back.
void request_end(tuza_http_request *r);
// The body was read to its end, or failed: from now on the client's leaving can be noticed.
void request_body_over(tuza_http_request *r);
// The answer cannot be sent: nobody waits for it any more.
void request_answer_failed(tuza_http_request *r);

// Nobody watches the connection for it any more.
void request_stop_watching(tuza_http_request *r);

// Reads what the handler left of the body. False: too much, or a failure; what follows cannot be
// understood.
bool body_skip(tuza_http_request *r);

// ---- trailer.c ---------------------------------------------------------------------------------

// The trailers have come, all of them. False: names that are none.
MUST_USE bool trailers_end(tuza_http_request *r);

// ---- headers.c ---------------------------------------------------------------------------------

// "Trailer: …\r\n", which tells of those that the answer will have. False: no memory.
MUST_USE bool trailers_announce(tuza_http_writer *w);

// ---- response.c --------------------------------------------------------------------------------

void writer_begin(tuza_http_writer *w);
// After the handler: the rest of the answer. False: the connection is of no use any more.
bool writer_finish(tuza_http_writer *w);
// "100 Continue", if it is waited for and nothing was sent.
int writer_continue(tuza_http_writer *w);

// ---- connection.c ------------------------------------------------------------------------------

// The life of a connection, which is in the server's list and is closed at the end.
void connection_serve(struct connection *c);
const char *connection_remote(struct connection *c);

// A line for the server's error log.
void server_log(tuza_http_server *server, const char *format, ...) PRINTF(2, 3);

// Says that memory was too short to serve `conn`, and what comes of that; once a minute, whoever
// else it meets. Allocates nothing.
void server_tell_shortage(tuza_http_server *server, const char *what, tuza_conn *conn);

/*
 * Sets the deadline for reading or writing to `timeout` from now (-1: none) or a little later: to
 * let one stand that is late enough by less than that is much cheaper, and so most do. Whoever sets
 * it otherwise says so by a 0 in c->until.
 */
enum connection_side { SIDE_READ, SIDE_WRITE };
MUST_USE int connection_set_deadline(
	struct connection *c, enum connection_side side, int64_t timeout);

#endif
