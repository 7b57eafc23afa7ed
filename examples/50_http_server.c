// SPDX-License-Identifier: MIT
/*
 * An HTTP server: patterns with wildcards, bodies as streams, a gentle end.
 */
#include <stdio.h>
#include <string.h>
#include <tuza/go.h>
#include <tuza/http.h>
#include <tuza/tuza.h>

static void hello(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)arg;
	tuza_http_printf(w, "hello, %s\n", tuza_http_path_value(r, "name"));
}

static void shout(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	char bytes[512];
	ssize_t n;

	(void)arg;
	while ((n = tuza_http_body_read(r, bytes, sizeof bytes)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (bytes[i] >= 'a' && bytes[i] <= 'z')
				bytes[i] = (char)(bytes[i] - 'a' + 'A');
		tuza_http_write(w, bytes, (size_t)n);
	}
}

static void serve(tuza_http_server *server, tuza_listener *l, tuza_chan *done)
{
	int error = tuza_http_server_serve(server, l); // until the shutdown

	tuza_chan_send(done, &error);
}

// Sends a request as it is, and prints what comes back, but for the date.
static void fetch(const char *address, const char *request)
{
	char answer[4096] = "", *line;
	size_t length = 0;
	ssize_t n;
	tuza_conn *conn;

	if (tuza_dial(tuza_context_background(), "tcp", address, &conn) != 0)
		return;
	TUZA_DEFER(tuza_conn_close, conn);
	n = tuza_conn_write(conn, request, strlen(request));
	while (n > 0 && length < sizeof answer - 1 &&
		(n = tuza_conn_read(conn, answer + length, sizeof answer - 1 - length)) > 0)
		length += (size_t)n;
	for (line = strtok(answer, "\r\n"); line; line = strtok(NULL, "\r\n"))
		if (strncmp(line, "Date: ", 6) != 0)
			printf("  %s\n", line);
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
	tuza_http_handle(mux, "POST /shout", shout, NULL);
	tuza_http_server *server = tuza_http_server_new(
		&(tuza_http_server_options){.handler = tuza_http_mux_serve, .arg = mux});
	if (tuza_listen("tcp", "127.0.0.1:0", &l) != 0)
		return 1;
	tuza_listener_address(l, address, sizeof address);
	go(serve, server, l, done);

	puts("GET /hello/g%C3%B6del");
	fetch(address, "GET /hello/g%C3%B6del HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	puts("POST /shout");
	fetch(address, "POST /shout HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
		       "Transfer-Encoding: chunked\r\n\r\n5\r\nhey, \r\n4\r\nyou!\r\n0\r\n\r\n");
	puts("GET /shout");
	fetch(address, "GET /shout HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

	error = tuza_http_server_shutdown(server, tuza_context_background());
	printf("shutdown: %s\n", tuza_strerror(error));
	tuza_recv(done, &error);
	printf("serve: %s\n", tuza_strerror(error));
	tuza_http_server_free(server);
	tuza_http_mux_free(mux);
	tuza_chan_release(done);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
GET /hello/g%C3%B6del
  HTTP/1.1 200 OK
  Content-Length: 14
  Connection: close
  hello, gödel
POST /shout
  HTTP/1.1 200 OK
  Content-Length: 9
  Connection: close
  HEY, YOU!
GET /shout
  HTTP/1.1 405 Method Not Allowed
  Allow: POST
  Content-Type: text/plain; charset=utf-8
  X-Content-Type-Options: nosniff
  Content-Length: 19
  Connection: close
  Method Not Allowed
shutdown: success
serve: success
 */
