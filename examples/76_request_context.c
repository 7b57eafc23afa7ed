// SPDX-License-Identifier: MIT
/*
 * The context of a request: passed down to the query, it ends with the deadline of the query, or
 * when the client goes away. Nobody works on for a client that is gone.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tuza/go.h>
#include <tuza/http.h>
#include <tuza/tuza.h>

static tuza_chan *queries, *outcomes;

// QueryContext(ctx, "SELECT …")
static int query(tuza_context *request, tuza_duration limit)
{
	tuza_context *ctx = tuza_context_with_timeout(request, limit);
	TUZA_DEFER(tuza_context_free, ctx);
	tuza_send(queries, 1);
	return tuza_sleep_ctx(ctx, TUZA_HOUR); // the database is slow today
}

static void handle(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	bool hurry = strcmp(tuza_http_path(r), "/hurry") == 0;
	int code = query(tuza_http_context(r), hurry ? TUZA_MILLISECOND : TUZA_MINUTE);

	(void)arg;
	tuza_send(outcomes, code);
	if (code == -ECANCELED)
		return; // the client has gone: there is nobody to answer
	tuza_http_error(w, 503, tuza_strerror(code));
}

static void serve(tuza_http_server *s, tuza_listener *l) { (void)!tuza_http_server_serve(s, l); }

// Sends the request, and is gone when the query has begun; or waits for the outcome.
static int request(const char *address, const char *text, bool patient)
{
	tuza_conn *conn;
	int outcome = tuza_dial(tuza_context_background(), "tcp", address, &conn);
	if (outcome != 0)
		return outcome;
	TUZA_DEFER(tuza_conn_close, conn);
	if (tuza_conn_write(conn, text, strlen(text)) < 0 || !tuza_recv(queries, NULL))
		return -EPIPE;
	return patient && tuza_recv(outcomes, &outcome) ? outcome : 0;
}

static int program(void *arg)
{
	tuza_http_server *s = tuza_http_server_new(&(tuza_http_server_options){.handler = handle});
	char address[TUZA_ADDRESS_TEXT];
	tuza_listener *l = arg;
	int outcome;

	queries = tuza_chan_new(sizeof(int), 1);
	outcomes = tuza_chan_new(sizeof(int), 1);
	if (tuza_listen("tcp", "127.0.0.1:0", &l) != 0)
		return 1;
	tuza_listener_address(l, address, sizeof address);
	go(serve, s, l);
	outcome = request(address, "GET /hurry HTTP/1.0\r\n\r\n", true);
	printf("the query in a hurry: %s\n", tuza_strerror(outcome));
	if (request(address, "GET /report HTTP/1.0\r\n\r\n", false) == 0)
		tuza_recv(outcomes, &outcome);
	printf("the query whose client has gone: %s\n", tuza_strerror(outcome));
	tuza_http_server_free(s);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
the query in a hurry: context deadline exceeded
the query whose client has gone: context canceled
 */
