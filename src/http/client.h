// SPDX-License-Identifier: MIT
/*
 * The HTTP client inside: a client, its drivers, and a transfer, which is the public response.
 *
 * A driver is one of libcurl's multi handles and the goroutine that drives it: nobody else calls
 * libcurl. It waits for one descriptor, an epoll of its own, in which libcurl's sockets are, and an
 * eventfd that callers ring. (A goroutine for each socket was rejected: libcurl drops its interest
 * in a socket without closing it, and a wait has no other end. A channel to ring with would need a
 * second goroutine, since a channel and a descriptor cannot be waited for together.)
 *
 * A client has several drivers, since each is as fast as one processor, and since libcurl looks for
 * a kept connection among all to that host. The first one has everything to do as long as that is
 * little, so connections are found again; the others come in one by one. A client whose
 * connections are limited has one driver: only libcurl can make a transfer wait for another's
 * connection, and only within a multi handle.
 *
 * Callers and driver meet in two places. driver.mutex guards the queue of transfers that have
 * something to tell the driver: a set of bits each, so telling never waits. transfer.mutex guards
 * what is passed on: headers, bytes in both directions, the end. Order: none, never both.
 *
 * libcurl's callbacks run inside libcurl, where the goroutine must not park: it would come back on
 * another thread, under libcurl's feet. So they take no mutex; they work on the driver's fields
 * and leave the transfer in the list of those to be published when libcurl has returned.
 */
#ifndef TUZA_HTTP_CLIENT_INTERNAL_H
#define TUZA_HTTP_CLIENT_INTERNAL_H

#include "base/compiler.h"
#include <tuza/chan.h>
#include <tuza/context.h>
#include <tuza/error.h>
#include <tuza/http_client.h>
#include <tuza/sync.h>
#include <tuza/time.h>

#include <curl/curl.h>
#include <locale.h>

enum {
	CLIENT_BODY_MOST = 256 * 1024,   // a guess: what a response holds before it is read
	CLIENT_CHUNK_MOST = 64 * 1024,   // a guess: how much of a request's body is read ahead
	CLIENT_SWALLOW_MOST = 64 * 1024, // of a redirect's body, to keep its connection
	CLIENT_SPARE_MOST = 16,          // a guess: handles kept for later, of some 6 KiB
	CLIENT_DRIVERS_LEAST = 4,        // with 64 callers 8 wait more often, 2 search more
	CLIENT_DRIVERS_MOST = 16,        // a guess
	CLIENT_FEW = 4                   // a guess: transfers at a time that one driver takes alone
};

// Bytes in a row, taken from the front.
struct bytes {
	char *at;
	size_t start, end, room;
};
MUST_USE bool bytes_append(struct bytes *b, const void *from, size_t count);
size_t bytes_take(struct bytes *b, void *to, size_t count);
void bytes_free(struct bytes *b);
static inline size_t bytes_count(const struct bytes *b) { return b->end - b->start; }
// Moves all of `from` behind what is in `to`; without a copy if that is nothing.
MUST_USE bool bytes_move(struct bytes *to, struct bytes *from);

// The headers of one response: names and values, each with a NUL, in one row of bytes.
struct headers {
	struct bytes text;
	size_t count;
	int status;        // 0: no status line yet
	char protocol[16]; // "HTTP/1.1"
};
void headers_clear(struct headers *h);
void headers_free(struct headers *h);
MUST_USE bool headers_add_line(struct headers *h, const char *line, size_t count);
const char *headers_get(const struct headers *h, const char *name);
bool headers_at(const struct headers *h, size_t i, const char **name, const char **value);
// The one number that all Content-Length headers agree on; -1: there is none, -2: they do not.
int64_t headers_length(const struct headers *h);

// What a transfer tells the driver: bits.
enum { TELL_START = 1, TELL_ABORT = 2, TELL_READ = 4, TELL_BODY = 8 };

struct tuza_http_response {
	// constant after init
	tuza_http_client *client;
	struct driver *driver;
	tuza_context *ctx; // the caller's, retained
	tuza_context *own; // with the time limit, or ctx
	tuza_duration header_timeout;
	tuza_chan *changed; // of 1 element: something in the part under the mutex has changed
	tuza_context_after *after;
	char *body;
	size_t body_bytes;
	ssize_t (*body_read)(void *arg, void *bytes, size_t count);
	void *body_arg;
	const char *const *(*body_trailers)(void *arg);
	int64_t body_length;
	// guarded by driver->mutex
	int references; // the caller's, the driver's, the queue's, that of `after`
	unsigned told;
	bool queued;
	struct tuza_http_response *next;
	// owner: the driver, from TELL_START to the end
	CURL *easy;
	char *method;
	char *url;
	struct curl_slist *request_headers;
	struct headers incoming;
	struct headers trailers; // for the caller once it has `ended`
	struct bytes pending;    // came, not published
	struct bytes sending;    // to be sent
	size_t unread;           // what `received` held when last seen: the most it holds now
	size_t swallowed;
	size_t header_bytes; // of all that came for this URL
	int redirects;
	bool following;                   // this response is a redirect and will be followed
	bool final;                       // the headers are those to be published
	bool receive_paused, send_paused; // as libcurl knows it
	bool sending_ended;
	bool dirty;       // in the driver's list
	bool over;        // has ended: the list alone holds it
	bool no_body;     // a redirect has dropped it
	bool plain;       // a GET without a body: its handle is as good as new
	bool asked;       // libcurl has begun to send it: the next time is a repetition
	int failure;      // of our own, in a callback; 0: none
	int socket_error; // of the last socket that it could not have; 0: it had it
	struct tuza_http_response *next_dirty;
	char words[CURL_ERROR_SIZE];
	// guarded by mutex; constant once `arrived` (headers) and `ended` (the rest)
	tuza_mutex mutex;
	bool arrived;
	struct headers headers;
	struct bytes received;
	bool wants_read; // the driver is to be told when `received` has room again
	struct bytes outgoing;
	bool outgoing_ended;
	struct curl_slist *outgoing_trailers; // the pump's until then, then the driver's
	bool wants_body; // the driver is to be told when `outgoing` has something
	int abort_code;
	const char *abort_words; // static, or NULL
	bool ended;
	int error;
	char *error_text; // NULL: the code's
	// the goroutine that calls body_read
	tuza_waitgroup pump;
	tuza_chan *pump_wake; // of 1 element: room in `outgoing`, or the end
};

struct driver {
	// constant after init
	tuza_http_client *client;
	// guarded by mutex
	tuza_mutex mutex;
	tuza_cond idle; // `running` has become false
	struct tuza_http_response *queue, **queue_last;
	bool running; // there is a goroutine, or it is being started
	bool asleep;  // … which waits, and is to be rung
	bool prune;   // connections are to be closed
	int bell;     // the eventfd, while `running`
	// owner: the goroutine, or who knows that there is none
	CURLM *multi;
	CURL *spare[CLIENT_SPARE_MOST]; // handles to be used again
	int spares;
	int poll; // the epoll
	int64_t timer;
	size_t active;
	size_t may_keep; // connections, as libcurl was told
	struct tuza_http_response *dirty;
	unsigned char *watched; // by descriptor, see client_socket.c
	size_t watched_room;
	bool some_refused; // of them the epoll had no room for
	// any goroutine, atomic
	size_t load; // transfers that it was given and that have not ended
	size_t open; // sockets
};

struct tuza_http_client {
	// constant after init
	tuza_http_client_options options; // its strings are ours
	bool is_default;
	size_t count; // of drivers in use
	struct driver drivers[CLIENT_DRIVERS_MOST];
	// any goroutine
	tuza_waitgroup responses; // not freed yet
};

// client.c
extern locale_t client_locale; // for libcurl, which reads names of hosts as text; 0: not to be had
// Hands the driver a message; starts it if need be. An error ends the transfer.
void client_tell(struct tuza_http_response *t, unsigned what);
unsigned client_take_message(struct tuza_http_response *t); // what was told; it may be told more
struct tuza_http_response *client_take_queue(struct driver *d); // needs d->mutex
struct driver *client_choose(tuza_http_client *client);
void client_limit_idle(struct driver *d); // for the driver, each turn
bool client_keeps_too_many(const tuza_http_client *client);

// client_driver.c
MUST_USE int driver_start(struct driver *d); // needs d->mutex
void driver_mark_dirty(struct tuza_http_response *t);
void driver_close_connections(struct driver *d);
void driver_act(struct driver *d, curl_socket_t fd, int events); // libcurl, on what has happened

// client_socket.c: for the driver
void sockets_set_up(struct driver *d); // tells the multi handle
void sockets_set_up_handle(struct driver *d, CURL *easy);
void sockets_ready(struct driver *d, int fd, uint32_t events);
void sockets_try_again(struct driver *d); // when some_refused
void sockets_forget(struct driver *d);    // the epoll is closed

// client_transfer.c: for the driver
void transfer_start(struct tuza_http_response *t);
void transfer_done(struct tuza_http_response *t, CURLcode result);
void transfer_abort(struct tuza_http_response *t);
void transfer_publish(struct tuza_http_response *t);
void transfer_resume_reading(struct tuza_http_response *t);
void transfer_resume_body(struct tuza_http_response *t);
size_t transfer_on_header(char *line, size_t one, size_t count, void *arg);
size_t transfer_on_body(char *from, size_t one, size_t count, void *arg);
size_t transfer_on_read(char *to, size_t one, size_t count, void *arg);
int transfer_on_trailer(struct curl_slist **list, void *arg);
int transfer_on_request(void *arg, char *to, char *from, int to_port, int from_port);

// client_handle.c: for the driver
CURL *handle_take(struct driver *d);               // NULL: out of memory
void handle_restore(struct driver *d, CURL *easy); // as handle_take gave it
void handle_put(struct tuza_http_response *t);

// client_request.c
// Copies the request; 0, TUZA_EURL, with the reason in t->words, or -ENOMEM.
MUST_USE int call_copy(struct tuza_http_response *t, const tuza_http_call *call);
// Appends lines "Name: value". 0, TUZA_EURL, -ENOMEM.
MUST_USE int trailers_copy(struct curl_slist **to, const char *const *lines);
MUST_USE int transfer_set_up(struct tuza_http_response *t); // the easy handle, for the URL of now
MUST_USE bool transfer_may_redirect(const struct tuza_http_response *t, int status);
MUST_USE int transfer_redirect(struct tuza_http_response *t);

// client_error.c
int client_error_code(const struct tuza_http_response *t, CURLcode result);
char *client_error_text(const struct tuza_http_response *t, int code, const char *words);
const char *client_error_words(struct tuza_http_response *t, CURLcode result, int code);

// client_body.c
MUST_USE int pump_start(struct tuza_http_response *t);
void pump_wake(struct tuza_http_response *t);

// client_response.c
void response_wake(struct tuza_http_response *t);
void response_release(struct tuza_http_response *t);
void response_end(struct tuza_http_response *t, int error, char *text); // takes `text`

#endif
