// SPDX-License-Identifier: MIT
/*
 * An HTTP server: patterns with wildcards, bodies as streams, a gentle end.
 */
#include <stdio.h>
#include <string.h>
#include <tuza/http.h>
#include <tuza/tuza.h>

static void greet(tuza_http_writer *w, tuza_http_request *r, void *word)
{
	tuza_http_printf(w, "%s, %s\n", (char *)word, tuza_http_path_value(r, "name"));
}

static void echo(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	char bytes[512];
	ssize_t n;

	while ((n = tuza_http_body_read(r, bytes, sizeof bytes)) > 0)
		tuza_http_write(w, bytes, (size_t)n);
	(void)arg;
}

static void serve(tuza_http_server *server, tuza_listener *l, tuza_chan *ended)
{
	tuza_send(ended, tuza_http_server_serve(server, l)); // until the shutdown
}

// Sends a request as it is, and prints the first and the last line of the answer.
static void fetch(const char *address, const char *request)
{
	char answer[4096] = "";
	tuza_conn *conn;

	if (tuza_dial(tuza_context_background(), "tcp", address, &conn) != 0)
		return;
	TUZA_DEFER(tuza_conn_close, conn);
	if (tuza_conn_write(conn, request, strlen(request)) < 0)
		return;
	for (char *end = answer; tuza_conn_read(conn, end, sizeof answer - strlen(answer) - 1) > 0;)
		end += strlen(end);
	printf("%.*s: %s", (int)strcspn(answer, "\r"), answer, strstr(answer, "\r\n\r\n") + 4);
}

static int program(void *word)
{
	tuza_http_mux *mux = tuza_http_mux_new();
	tuza_http_server *server = tuza_http_server_new(
		&(tuza_http_server_options){.handler = tuza_http_mux_serve, .arg = mux});
	tuza_chan *ended = tuza_chan_new(sizeof(int), 0);
	char address[TUZA_ADDRESS_TEXT];
	tuza_listener *l;

	tuza_http_handle(mux, "GET /hello/{name}", greet, word);
	tuza_http_handle(mux, "POST /echo", echo, NULL);
	if (tuza_listen("tcp", "127.0.0.1:0", &l) != 0)
		return 1;
	tuza_listener_address(l, address, sizeof address);
	TUZA_GO(serve, server, l, ended);

	fetch(address, "GET /hello/g%C3%B6del HTTP/1.0\r\n\r\n");
	fetch(address, "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
		       "Transfer-Encoding: chunked\r\n\r\n5\r\nhey, \r\n5\r\nyou!\n\r\n0\r\n\r\n");
	fetch(address, "GET /echo HTTP/1.0\r\n\r\n");

	int error = tuza_http_server_shutdown(server, tuza_context_background());
	printf("shutdown: %s\n", tuza_strerror(error));
	tuza_recv(ended, NULL);
	tuza_http_server_free(server);
	tuza_http_mux_free(mux);
	tuza_chan_release(ended);
	return 0;
}

int main(void) { return tuza_run(program, "hello"); }

/* Output:
HTTP/1.1 200 OK: hello, gödel
HTTP/1.1 200 OK: hey, you!
HTTP/1.1 405 Method Not Allowed: Method Not Allowed
shutdown: success
 */
