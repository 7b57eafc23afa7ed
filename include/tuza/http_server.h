// SPDX-License-Identifier: MIT
/*
 * The HTTP/1.1 server, after Go's net/http: one goroutine a connection, and handlers that may
 * block.
 *
 *	static void hello(tuza_http_writer *w, tuza_http_request *r, void *arg)
 *	{
 *		tuza_http_printf(w, "hello %s\n", tuza_http_path_value(r, "name"));
 *	}
 *
 *	tuza_http_mux *mux = tuza_http_mux_new();
 *	tuza_http_handle(mux, "GET /hello/{name}", hello, NULL);
 *	tuza_http_server *server = tuza_http_server_new(
 *		&(tuza_http_server_options){.handler = tuza_http_mux_serve, .arg = mux});
 *	int error = tuza_http_server_listen(server, "127.0.0.1:8080");   // until it is shut down
 *
 * Safe by default: sizes, times and connections are limited; ambiguous requests (which could
 * smuggle another one past a proxy) are refused and the connection closed. A panic in a handler is
 * contained: it is logged with its stack, the client gets a 500 if nothing was sent, and the
 * connection is closed.
 *
 * A tuza_http_request and a tuza_http_writer belong to the handler, until it returns, and are used
 * by one goroutine at a time. What they return (strings, the context) lives as long.
 */
#ifndef TUZA_HTTP_SERVER_H
#define TUZA_HTTP_SERVER_H

#include <tuza/context.h>
#include <tuza/macros.h>
#include <tuza/net.h>

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tuza_http_server tuza_http_server;
typedef struct tuza_http_mux tuza_http_mux;
typedef struct tuza_http_request tuza_http_request; // what the client has asked
typedef struct tuza_http_writer tuza_http_writer;   // what it is answered

// Answers a request: on its connection's goroutine, with the `arg` it was registered with.
typedef void (*tuza_http_handler)(tuza_http_writer *w, tuza_http_request *r, void *arg);

// The words of a status, "Not Found" for 404; "" for one that has none. Never freed nor changed.
// Go: http.StatusText
const char *tuza_http_status_text(int status);

// ---- the request -------------------------------------------------------------------------------

/*
 * Parts of the request's first line and of its Host.
 *
 *   method  "GET", "POST" …; one of those that are registered, in capitals.
 *   target  as it was sent: "/items/7?full=1", "*" for OPTIONS.
 *   path    of the target, as it was sent, still percent-encoded: "/items/a%2Fb". Without "%00".
 *   query   what follows the first '?', still encoded; "" without one.
 *   host    of the Host header, or of a target that is a whole URL: "example.org:8080"; may be ""
 *           for HTTP/1.0.
 *   minor   of the version: 0 or 1.
 *
 * Go       Request.Method, RequestURI, URL.EscapedPath(), URL.RawQuery, Host, ProtoMinor
 */
const char *tuza_http_method(const tuza_http_request *r);
const char *tuza_http_target(const tuza_http_request *r);
const char *tuza_http_path(const tuza_http_request *r);
const char *tuza_http_query(const tuza_http_request *r);
const char *tuza_http_host(const tuza_http_request *r);
int tuza_http_minor(const tuza_http_request *r);

/*
 * The value of a header, without the blanks around it.
 *
 *   name  in any case.
 *
 * Returns  the first with this name; NULL without one.
 * Go       Header.Get
 */
const char *tuza_http_header(const tuza_http_request *r, const char *name);

/*
 * The headers one by one, as they came.
 *
 *   i      from 0.
 *   value  set to its value; may be NULL.
 *
 * Returns  the name of header `i`; NULL from their number on.
 * Go       range Request.Header
 */
const char *tuza_http_header_at(const tuza_http_request *r, size_t i, const char **value);

/*
 * What a wildcard of the pattern stands for, percent-decoded.
 *
 * Returns  "" if the pattern has no such wildcard.
 * Go       Request.PathValue
 */
const char *tuza_http_path_value(const tuza_http_request *r, const char *name);

// The pattern that tuza_http_mux_serve has found; "" without one. Go: Request.Pattern
const char *tuza_http_pattern(const tuza_http_request *r);

// The client's address, "127.0.0.1:40123"; "" for a tuza_pipe. Go: Request.RemoteAddr
const char *tuza_http_remote(tuza_http_request *r);

// The connection that it came over, to look at it as tuza_tls_get_state does, and for no other use.
tuza_conn *tuza_http_conn(const tuza_http_request *r);

// How long the body is, in bytes; 0 without one; -1: not known beforehand, it is chunked.
// Go: Request.ContentLength
int64_t tuza_http_content_length(const tuza_http_request *r);

/*
 * Reads up to `count` bytes of the body. The first call tells a client that has asked for it to go
 * on ("100 Continue"). What a handler leaves unread is skipped, up to 256 KiB; beyond, the
 * connection is closed after the answer.
 *
 * Returns  how many, at least 1; 0 at the end, or for a count of 0.
 * Errors   -EFBIG: longer than max_body_bytes; -EBADMSG: not well-formed; -ECONNRESET: it ended
 *          early; TUZA_EIOTIMEOUT: slower than read_timeout allows; those of tuza_conn_read. The
 *          same from then on; the connection is closed after the answer.
 * Blocks   parks until there is something.
 * Go       Request.Body.Read
 */
TUZA_MUST_USE ssize_t tuza_http_body_read(tuza_http_request *r, void *bytes, size_t count);

/*
 * A trailer: a header behind a chunked body. There are none before the body was read to its end.
 * Those that would say what the message is (Content-Length, Transfer-Encoding, Host, Trailer) are
 * left out.
 *
 * Returns  as tuza_http_header and tuza_http_header_at.
 * Go       Request.Trailer
 */
const char *tuza_http_trailer(const tuza_http_request *r, const char *name);
const char *tuza_http_trailer_at(const tuza_http_request *r, size_t i, const char **value);

/*
 * The request's context. It ends when the client goes away or the answer cannot be sent, when the
 * server is closed, or when the handler returns.
 *
 * That the client goes away is noticed when the body has been read, and unless it has sent
 * something more. Nobody watches until this is called: it costs a goroutine.
 *
 * Returns  a borrowed context; tuza_context_retain it to keep it.
 * Panics   "tuza: out of memory".
 * Go       Request.Context   (N9)
 */
tuza_context *tuza_http_context(tuza_http_request *r);

// ---- the answer --------------------------------------------------------------------------------

/*
 * Sets the status, 200 to 599; 200 from the start. May be changed until something is sent.
 *
 * Returns  0; -EALREADY when the head of the answer was sent; -EINVAL for another number.
 * Go       ResponseWriter.WriteHeader
 */
int tuza_http_set_status(tuza_http_writer *w, int status);

/*
 * Sets a header in place of all with its name (value NULL: removes them), or adds one more.
 *
 * The server writes these by itself: Date; Content-Length, when the answer is short or the length
 * is set here; else Transfer-Encoding; Connection (set it to "close" to have the connection
 * closed).
 *
 *   name   a token. Transfer-Encoding and Date are not to be set.
 *   value  without control characters, so that nobody adds headers by what comes from outside.
 *
 * Returns  0; -EALREADY when the head was sent; -EINVAL for a name or value that may not be;
 *          -ENOMEM.
 * Go       Header.Set, Header.Add
 */
int tuza_http_set_header(tuza_http_writer *w, const char *name, const char *value);
int tuza_http_add_header(tuza_http_writer *w, const char *name, const char *value);

/*
 * Sets a trailer, a header behind the body, in place of one with its name; value NULL removes it.
 * May be called until the handler returns; the answer is chunked then. Those that are set before
 * the head is sent are announced in it (Trailer).
 *
 * Returns  0; -EALREADY when the head was sent and the answer is not chunked; -EOPNOTSUPP for a
 *          client of HTTP/1.0; -EINVAL for a name or value that may not be, names besides that say
 *          what the message is (Content-…, Transfer-Encoding, Host, Connection …); -ENOMEM.
 * Go       http.TrailerPrefix
 */
int tuza_http_set_trailer(tuza_http_writer *w, const char *name, const char *value);

/*
 * Writes the next part of the answer's body. Up to 4 KiB are kept until the handler returns, and
 * the answer has a Content-Length; from then on it is sent as it comes, chunked.
 *
 * For HEAD the body is counted, not sent.
 *
 * Returns  `count`.
 * Errors   -EINVAL: a status that has no body (204, 304); -EMSGSIZE: more than the Content-Length
 *          that was set; TUZA_EIOTIMEOUT: the client takes less than write_timeout allows; those of
 *          tuza_conn_write. The same from then on.
 * Blocks   parks until the system has taken it.
 * Go       ResponseWriter.Write
 */
ssize_t tuza_http_write(tuza_http_writer *w, const void *bytes, size_t count);

// The same with text in printf's format. Returns its length or a code, -ENOMEM besides. Blocks as
// tuza_http_write. Go: fmt.Fprintf(w, …)
ssize_t tuza_http_printf(tuza_http_writer *w, const char *format, ...) TUZA_PRINTF_(2, 3);

// Sends what was kept. Returns 0 or a code of tuza_http_write. Blocks as that. Go: Flusher.Flush
int tuza_http_flush(tuza_http_writer *w);

/*
 * Takes over the connection, for another protocol: the server no longer uses, closes, counts or
 * waits for it. Must be called before anything is written. The handler may return while another
 * goroutine keeps using the connection.
 *
 *   conn   set to the connection, without deadlines, for tuza_conn_close; else to NULL.
 *   bytes  set to what had come already, behind the head and what was read of the body; lives until
 *          the handler returns.
 *   count  their number.
 *
 * From then on everything that reads the body or writes to `w` returns -EALREADY. The request's
 * context ends when the handler returns or the server is closed. tuza_http_server_free waits for
 * the handler.
 *
 * Returns  0; -EALREADY when something was written, or the second time.
 * Go       http.Hijacker
 */
TUZA_MUST_USE int tuza_http_hijack(
	tuza_http_writer *w, tuza_conn **conn, const void **bytes, size_t *count);

/*
 * Answers with a status and its words as plain text, `text` (NULL: those of the status) and a
 * newline. Headers that described another body are removed.
 *
 * Returns  0 or a code; -EALREADY when the head was sent.
 * Go       http.Error
 */
int tuza_http_error(tuza_http_writer *w, int status, const char *text);

/*
 * Sends the client elsewhere.
 *
 *   url     what Location says; must be encoded already.
 *   status  301, 302, 303, 307 or 308.
 *
 * Returns  as tuza_http_error.
 * Go       http.Redirect
 */
int tuza_http_redirect(tuza_http_writer *w, const char *url, int status);

/*
 * Answers GET and HEAD with a file, its type by the ending of its name, and an ETag, for which
 * If-None-Match gets a 304. A directory is redirected to its name with '/', which is its
 * index.html.
 *
 *   root  the directory to serve. Links within are followed wherever they lead.
 *   name  below it, decoded: a path value. One with "..", an empty part or a part that begins with
 *         '.' is not found.
 *
 * Returns  0 when it was answered, with a 404 for instance; else a code of tuza_http_write or
 *          tuza_pread, the answer cut short.
 * Blocks   while the file system does, in blocking sections.
 * Go       http.ServeFileFS
 */
int tuza_http_serve_file(
	tuza_http_writer *w, tuza_http_request *r, const char *root, const char *name);

// ---- mux ---------------------------------------------------------------------------------------

/*
 * Finds the handler of a request by its method, host and path.
 *
 * A pattern is "[METHOD ][HOST]/PATH", as in Go 1.22:
 *
 *	"/index.html"           this path alone
 *	"/static/"              every path that begins so
 *	"GET /items/{id}"       a wildcard matches one segment; GET matches HEAD as well
 *	"/files/{path...}"      … or all the rest, at the end
 *	"/posts/{$}"            "/posts/" alone
 *	"example.org/"          for this host alone
 *
 * Segments are compared percent-decoded. Of two patterns that fit, one with a host wins, then the
 * more specific one; two of which neither is are refused when the second is registered. Without a
 * pattern it is 404, or 405 with Allow if other methods have one. A path with "//", "." or ".."
 * is redirected (307) to the clean one, and "/tree" to "/tree/" if that has a pattern and "/tree"
 * none but those for all that is below something.
 */

// A mux without patterns; never NULL. Panics "tuza: out of memory". Owns/frees tuza_http_mux_free.
// Go: http.NewServeMux
TUZA_MUST_USE tuza_http_mux *tuza_http_mux_new(void);

// Frees a mux that nobody uses any more. NULL is ignored.
void tuza_http_mux_free(tuza_http_mux *mux);

/*
 * Registers the debug server's pages (tuza/pprof.h): "GET /debug/" and "GET /metrics". Not while
 * the mux serves. Whoever may ask for them sees everything: the server should listen on loopback
 * alone, or something in front keep strangers out. What other sites' pages make a browser ask for
 * is refused. A write_timeout has to be longer than the seconds that profiles are asked for.
 *
 * Panics   if one of the patterns is there already.
 * Go       import _ "net/http/pprof"
 */
void tuza_http_handle_debug(tuza_http_mux *mux);

/*
 * Registers a handler. Not while the mux serves.
 *
 * Panics   for a pattern that is wrong, in Go's words, or conflicts with another, in like ones.
 * Go       ServeMux.HandleFunc
 */
void tuza_http_handle(
	tuza_http_mux *mux, const char *pattern, tuza_http_handler handler, void *arg);

// The handler that a mux is: `arg` is the tuza_http_mux. Go: ServeMux.ServeHTTP
void tuza_http_mux_serve(tuza_http_writer *w, tuza_http_request *r, void *arg);

// ---- the server --------------------------------------------------------------------------------

// One answered request, for the access log. The strings live during the call.
typedef struct tuza_http_access {
	const char *remote, *method, *target;
	int status;             // 0: nothing was sent; the connection was lost, or taken over
	int64_t bytes;          // of the body
	int64_t started;        // tuza_now
	tuza_duration duration; // until all was handed to the system
	const char *agent;      // the User-Agent header, or ""
} tuza_http_access;

/*
 * Options of a server; zeroed means the defaults. For limits 0 is the default and -1 none.
 */
typedef struct tuza_http_server_options {
	tuza_http_handler handler; // of every request; NULL: 404
	void *arg;

	// Times. A client that is slower loses its connection (408 if it is sending a head); those
	// for writing and between requests end up to a 64th later, a tenth of a second at most.
	tuza_duration read_header_timeout; // for the whole head, from its first byte on: 10 s
	// Waiting for the body: this plus 1 s for each KiB that came: 30 s.
	tuza_duration read_timeout;
	tuza_duration write_timeout; // until the system has taken a MiB of the answer: 30 s
	tuza_duration idle_timeout;  // between requests: 75 s

	// Sizes. Whoever goes beyond gets 414, 431, 413.
	int64_t max_request_line; // bytes: 8 KiB
	int64_t max_header_bytes; // of all headers together: 64 KiB
	int64_t max_headers;      // their number: 100
	int64_t max_body_bytes;   // 32 MiB
	int64_t max_connections;  // served at a time, others wait to be accepted: 65,536

	// Called after each request, on its goroutine; NULL: no access log. Panics of it, or of
	// the other log, are not contained.
	void (*access_log)(const tuza_http_access *access, void *arg);
	void *access_arg;
	// Called with each line about what went wrong, such as a panic, or, once a minute, that
	// memory was too short to serve a connection; NULL: standard error.
	void (*error_log)(const char *text, void *arg);
	void *error_arg;

	// What requests' contexts are derived from; NULL: the background.
	tuza_context *context;
} tuza_http_server_options;

/*
 * A server that serves nothing yet.
 *
 *   options  read now; NULL: the defaults.
 *
 * Returns  the server; never NULL.
 * Panics   "tuza: out of memory".
 * Owns/frees  tuza_http_server_free.
 * Go       http.Server
 */
TUZA_MUST_USE tuza_http_server *tuza_http_server_new(const tuza_http_server_options *options);

/*
 * Closes the server and frees it. NULL is ignored. Calls of tuza_http_server_shutdown, _close and
 * _serve that are under way are awaited, others must not begin any more.
 *
 * Panics   in a handler of its own, for which it would wait: "http: tuza_http_server_free in a
 *          handler of the server".
 * Blocks   parks until its connections, and those calls, have ended.
 */
void tuza_http_server_free(tuza_http_server *server);

/*
 * Accepts connections and serves them, until the server is shut down or closed.
 *
 *   l  becomes the server's: it is closed. One of tuza_tls_listen makes it HTTPS: handshakes are
 *      part of read_header_timeout.
 *
 * Returns  0 once tuza_http_server_shutdown or _close was called, at once (connections may go on);
 *          else a code of tuza_accept.
 * Blocks   until then.
 * Callable from  several goroutines, each with a listener.
 * Go       Server.Serve   (N8)
 */
TUZA_MUST_USE int tuza_http_server_serve(tuza_http_server *server, tuza_listener *l);

// Listens at a "tcp" address and serves: blocks and returns as tuza_http_server_serve, or a code of
// tuza_listen. Go: ListenAndServe
TUZA_MUST_USE int tuza_http_server_listen(tuza_http_server *server, const char *address);

/*
 * Serves one connection, wherever it is from, on the calling goroutine, and closes it.
 *
 * Blocks   until it has ended.
 */
void tuza_http_server_serve_conn(tuza_http_server *server, tuza_conn *conn);

/*
 * Ends a server gently: accepts nothing more, closes idle connections, lets requests under way be
 * answered. Their connections are closed afterwards ("Connection: close"). At a signal:
 *
 *	tuza_goroutine *serving = tuza_spawn(serve, server);    // calls tuza_http_server_serve
 *	if (tuza_join_ctx(signalled, serving) == -ECANCELED) {  // tuza_context_notify_signal's
 *		tuza_context *limit = tuza_context_with_timeout(background, 10 * TUZA_SECOND);
 *		if (tuza_http_server_shutdown(server, limit) != 0)
 *			tuza_http_server_close(server);
 *		tuza_context_free(limit);
 *		tuza_join(serving);
 *	}
 *
 *   ctx  how long to wait. When it ends, the rest goes on: tuza_http_server_close.
 *
 * Returns  0 when all connections have ended; the context's code.
 * Panics   "nil context".
 * Blocks   parks until then. In a handler that includes the handler's own connection: it would wait
 *          for itself as long as ctx lasts. Start a goroutine that shuts down, and answer.
 * Go       Server.Shutdown   (N10)
 */
int tuza_http_server_shutdown(tuza_http_server *server, tuza_context *ctx);

// Closes listeners and connections at once and ends the contexts of their requests. Nobody is
// waited for. Go: Server.Close
void tuza_http_server_close(tuza_http_server *server);

// How many connections are open, and how many requests were answered so far: added up from those of
// all connections, under the server's lock. Go has ConnState.
size_t tuza_http_server_connections(tuza_http_server *server);
uint64_t tuza_http_server_requests(tuza_http_server *server);

#ifdef __cplusplus
}
#endif
#endif
