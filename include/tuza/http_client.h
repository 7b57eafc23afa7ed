// SPDX-License-Identifier: MIT
/*
 * The HTTP client, after Go's net/http: each call waits for the goroutine, never for the thread.
 *
 *	tuza_http_response *r;
 *	int error = tuza_http_get(ctx, "https://example.org/", &r);
 *	TUZA_DEFER(tuza_http_response_free, r);
 *	if (error) {
 *		fprintf(stderr, "%s\n", tuza_http_response_error(r));
 *		return error;
 *	}
 *	while ((n = tuza_http_response_read(r, bytes, sizeof bytes)) > 0)
 *		use(bytes, n);
 *
 * HTTP/1.1, and HTTP/2 where a TLS server has it; kept connections, redirects, proxies of the
 * environment (http_proxy, https_proxy, all_proxy, no_proxy) and compressed bodies, by libcurl.
 * Certificates are verified.
 *
 * A status is no failure, whatever it is: 404 and 500 are responses. Failures are codes:
 *
 *	-ECANCELED, -ETIMEDOUT  the context has ended
 *	TUZA_EIOTIMEOUT         one of the client's own time limits
 *	-ECONNREFUSED …         the kernel's; TUZA_ECONNTIMEOUT: nobody answers there
 *	TUZA_ENOHOST            there is no such name
 *	TUZA_EURL               not an http: or https: URL, also as what a redirect leads to; or a
 *	                        method, header, trailer or user agent that is none
 *	TUZA_ECERTIFICATE       the server is not who it says; TUZA_ETLS: other failures of TLS
 *	TUZA_EREDIRECTS         one redirect after another
 *	TUZA_EOF                the connection ended before a response; perhaps the request was
 *	                        carried out
 *	TUZA_EUNEXPECTEDEOF     … and before the end of its body
 *	TUZA_EHTTP              what came is not HTTP, such as lengths that differ, or a protocol
 *	                        that nobody asked for (101); or more than a MiB of headers
 *	-ENOMEM, -EMFILE …
 *
 * A library of its own, libtuza-http: -ltuza-http (pkg-config tuza-http, CMake tuza::http).
 * Functions may be called from any goroutine or thread, not from a signal handler; one response by
 * one at a time.
 */
#ifndef TUZA_HTTP_CLIENT_H
#define TUZA_HTTP_CLIENT_H

#include <tuza/context.h>
#include <tuza/macros.h>

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

// Connections, and how requests use them.
typedef struct tuza_http_client tuza_http_client;

// What came back, or why nothing did.
typedef struct tuza_http_response tuza_http_response;

// ---- clients -----------------------------------------------------------------------------------

// Options of a client; zeroed means the defaults. Durations are ns.
typedef struct tuza_http_client_options {
	tuza_duration timeout;         // of a request, its body included; 0: none
	tuza_duration connect_timeout; // names, TCP and TLS; 0: 30 s
	tuza_duration header_timeout;  // from the call to the response's headers; 0: none
	tuza_duration idle_timeout;    // of kept connections; 0: 90 s
	int max_connections;           // at a time, others wait; 0: no limit
	int max_connections_per_host;  // the same for one host and port; 0: no limit
	int max_idle_connections;      // kept for later, beside those in use; 0: 100
	int max_redirects;             // 0: 10; < 0: none, a redirect is a response as others
	const char *user_agent;        // NULL: "tuza/" and the version; "": none
	const char *proxy;             // a URL; NULL: as the environment says now; "": none
	const char *ca_file;           // certificates to trust, PEM; NULL: the system's
	bool insecure;                 // takes any certificate: for tests
	bool no_compression;           // does not ask for it; bodies are as they were sent. Else
				       // libcurl unpacks 16 KiB at a time: of a body that is made
				       // to be large, up to 64 MiB lie in memory before they are
				       // read
	bool http1;                    // never HTTP/2
} tuza_http_client_options;

/*
 * Makes a client.
 *
 *   options  read now, strings copied; NULL: the defaults.
 *
 * Its goroutines live while requests are under way, and 100 ms longer. One does everything while
 * there is little to do; with more requests at a time, or more processors, there are up to 16, with
 * connections of their own. A client whose connections are limited always has one.
 *
 * Returns  the client; NULL when out of memory.
 * Blocks   never.
 * Owns/frees  tuza_http_client_free.
 * Go       &http.Client{Transport: &http.Transport{…}}   (N12)
 */
TUZA_MUST_USE tuza_http_client *tuza_http_client_new(const tuza_http_client_options *options);

/*
 * Waits until all responses have been freed, closes the connections and frees the client. NULL is
 * allowed.
 *
 * Panics   "tuza: free of the default HTTP client".
 * Blocks   until then. Nobody may be starting requests any more.
 */
void tuza_http_client_free(tuza_http_client *client);

/*
 * The client of tuza_http_get, with the default options; made at first use, never freed. Requests
 * that the end of tuza_run drops leave it unusable to a later run.
 *
 * Returns  never NULL.
 * Panics   "tuza: out of memory".
 * Go       http.DefaultClient
 */
tuza_http_client *tuza_http_client_default(void);

// Closes connections that are kept and in no use; while requests are under way, after the last of
// them. Panics: "nil HTTP client". Go: CloseIdleConnections
void tuza_http_client_close_idle(tuza_http_client *client);

// ---- requests ----------------------------------------------------------------------------------

// One request. Zeroed, with a URL, it is a GET. Everything is copied by the call.
typedef struct tuza_http_call {
	const char *method;         // NULL: POST with a body, else GET
	const char *url;            // UTF-8; hosts beyond ASCII are asked for in punycode
	const char *const *headers; // "Name: value" each, NULL at the end; NULL: none. The value
				    // may be empty
	// The body: bytes …
	const void *body;
	size_t body_bytes;
	/*
	 * … or, if not NULL, what this returns: how many bytes it has stored, at most `count`; 0
	 * at the end; a negative code, with which the request fails. It is called in a goroutine of
	 * its own and may wait; not any more when tuza_http_do has failed or
	 * tuza_http_response_free has returned, which wait for a call under way. More than `count`
	 * panics there: "http: body_read returned 20000 of 16384 bytes".
	 */
	ssize_t (*body_read)(void *arg, void *bytes, size_t count);
	void *body_arg;
	int64_t body_length; // of body_read; 0 or less: unknown, sent in chunks
	/*
	 * Called after body_read has said that it ends: lines "Name: value", NULL at the end, which
	 * are sent behind a body in chunks, and copied now. NULL: none. HTTP/1.1 only; name them in
	 * a header "Trailer" if the server wants to know beforehand. Go: Request.Trailer
	 */
	const char *const *(*body_trailers)(void *body_arg);
	tuza_duration timeout; // of this request; 0: the client's
} tuza_http_call;

/*
 * Sends a request and waits for the headers of its response.
 *
 *   ctx       ends the request, also while the body is read: with its code. Retained.
 *   response  set to the response, also after a failure: then it is what knows the reason in
 *             words. NULL only when out of memory.
 *
 * Redirects are followed as in Go: 301, 302 and 303 by a GET (a HEAD stays one), 307 and 308 by the
 * same request, unless its body came from body_read: then the redirect is the response. Headers
 * "Authorization" and "Cookie" stay with the first host, and do not go from https to http; "Host"
 * stays with redirects that name no server.
 *
 * A kept connection may end as the request is sent: then GET, HEAD, OPTIONS and TRACE, and whatever
 * has a header "Idempotency-Key", are sent once more, by another connection. Others have failed
 * with TUZA_EOF, as has what has a body from body_read: only the caller knows whether twice is as
 * good as once.
 *
 * Returns  0 when there is a response, of whatever status; else a code, see above.
 * Panics   "nil context"; "nil HTTP client".
 * Blocks   parks until the headers are there. When the context ends, it returns at once.
 * Owns/frees  tuza_http_response_free, in each case.
 * Go       (*http.Client).Do   (N12)
 */
TUZA_MUST_USE int tuza_http_do(tuza_http_client *client, tuza_context *ctx,
	const tuza_http_call *call, tuza_http_response **response);

// A GET with the default client. Blocks and everything else as tuza_http_do.
// Go: http.NewRequestWithContext, http.Get
TUZA_MUST_USE int tuza_http_get(tuza_context *ctx, const char *url, tuza_http_response **response);

// ---- responses ---------------------------------------------------------------------------------

/*
 * Frees the response. The rest of the body is discarded and, over HTTP/1.1, the connection closed:
 * read to the end to have it reused. NULL is allowed.
 *
 * Blocks   for a body_read under way, else never.
 * Go       Body.Close
 */
void tuza_http_response_free(tuza_http_response *r);

// The status, such as 200; 0 when there is none, after a failure. Go: StatusCode
int tuza_http_response_status(const tuza_http_response *r);

// The protocol, "HTTP/1.1" or "HTTP/2"; "" after a failure. Go: Proto
const char *tuza_http_response_protocol(const tuza_http_response *r);

// The URL that answered: after redirects not the first one. Valid as long as the response.
// Go: Response.Request.URL
const char *tuza_http_response_url(const tuza_http_response *r);

// The value of the first header of that name, in any case of letters; NULL: none. Valid as long as
// the response. Go: Header.Get
const char *tuza_http_response_header(const tuza_http_response *r, const char *name);

// The headers in the order in which they came, i from 0 on: false beyond the last. Pointers may be
// NULL. Go: range Header
bool tuza_http_response_header_at(
	const tuza_http_response *r, size_t i, const char **name, const char **value);

// What came behind the body, in chunks or by HTTP/2: as the two above. There is nothing before the
// body has been read to its end. Go: Trailer
const char *tuza_http_response_trailer(const tuza_http_response *r, const char *name);
bool tuza_http_response_trailer_at(
	const tuza_http_response *r, size_t i, const char **name, const char **value);

// How long the body will be; -1: not known, or compressed. Go: ContentLength
int64_t tuza_http_response_length(const tuza_http_response *r);

/*
 * Reads up to `count` bytes of the body, waiting until there are some. A body that nobody reads
 * stops coming after some 256 KiB.
 *
 * Returns  how many, at least 1; 0 at the end, or for a count of 0.
 * Errors   as tuza_http_do, after what came before; the context's at once.
 * Panics   "nil HTTP response": it is NULL when tuza_http_do has returned -ENOMEM.
 * Blocks   parks until there is something.
 * Go       Body.Read
 */
TUZA_MUST_USE ssize_t tuza_http_response_read(tuza_http_response *r, void *bytes, size_t count);

/*
 * Reads the body to its end.
 *
 *   limit  bytes, above which it gives up: TUZA_EBODYLIMIT.
 *   body   set to the bytes, with a NUL behind them, for free(); NULL after a failure.
 *   bytes  set to how many; may be NULL.
 *
 * Returns  0 or a code, as tuza_http_response_read; -ENOMEM.
 * Panics   "nil HTTP response".
 * Blocks   parks until the end has come.
 * Go       io.ReadAll(io.LimitReader(…))
 */
TUZA_MUST_USE int tuza_http_response_read_all(
	tuza_http_response *r, size_t limit, char **body, size_t *bytes);

/*
 * Why it failed, in words: "GET http://127.0.0.1:1/: connection refused". Passwords in the URL are
 * left out.
 *
 * Returns  "" when nothing failed, so far; "out of memory" for NULL. Valid as long as the response.
 * Go       (*url.Error).Error
 */
const char *tuza_http_response_error(const tuza_http_response *r);

#ifdef __cplusplus
}
#endif
#endif
