// SPDX-License-Identifier: MIT
/*
 * An HTTP server: patterns with wildcards, bodies as streams, a gentle end.
 */
#include <stdio.h>
#include <string.h>
#include <tuza/http.h>
#include <tuza/tuza.h>

static void hello(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)arg;
	tuza_http_printf(w, "hello, %s", tuza_http_path_value(r, "name"));
}

// A body is a stream: it is sent back as it comes.
static void echo(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	char bytes[512];

	(void)arg;
	for (ssize_t n; (n = tuza_http_body_read(r, bytes, sizeof bytes)) > 0;)
		tuza_http_write(w, bytes, (size_t)n);
}

static void serve(tuza_http_server *server, tuza_listener *l, tuza_chan *done)
{
	tuza_send(done, tuza_http_server_serve(server, l)); // until the shutdown
}

// Sends a request as it is, and prints the status and the body that come back.
static void fetch(const char *address, const char *request)
{
	char answer[4096] = "";
	size_t length = 0;
	tuza_conn *conn;

	if (tuza_dial(tuza_context_background(), "tcp", address, &conn) != 0)
		return;
	for (ssize_t n = tuza_conn_write(conn, request, strlen(request)); n > 0;
		length += (size_t)n)
		n = tuza_conn_read(conn, answer + length, sizeof answer - 1 - length);
	tuza_conn_close(conn);
	printf("%.3s %s\n", answer + strlen("HTTP/1.1 "), strstr(answer, "\r\n\r\n") + 4);
}

static int program(void *arg)
{
	tuza_http_mux *mux = tuza_http_mux_new();
	tuza_chan *done = tuza_chan_new(sizeof(int), 0);
	char address[TUZA_ADDRESS_TEXT];
	tuza_listener *l;
	int error;

	(void)arg;
	tuza_http_handle(mux, "GET /hello/{name}", hello, NULL);
	tuza_http_handle(mux, "POST /echo", echo, NULL);
	tuza_http_server *server = tuza_http_server_new(
		&(tuza_http_server_options){.handler = tuza_http_mux_serve, .arg = mux});
	if (tuza_listen("tcp", "127.0.0.1:0", &l) != 0)
		return 1;
	tuza_listener_address(l, address, sizeof address);
	TUZA_GO(serve, server, l, done);

	fetch(address, "GET /hello/g%C3%B6del HTTP/1.0\r\n\r\n");
	fetch(address, "POST /echo HTTP/1.0\r\nContent-Length: 9\r\n\r\nhey, you!");
	fetch(address, "GET /echo HTTP/1.0\r\n\r\n");

	tuza_http_server_shutdown(server, tuza_context_background());
	tuza_recv(done, &error);
	tuza_chan_release(done);
	tuza_http_server_free(server);
	tuza_http_mux_free(mux);
	return error;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
200 hello, gödel
200 hey, you!
405 Method Not Allowed

 */
