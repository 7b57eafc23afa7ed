// SPDX-License-Identifier: MIT
/*
 * hello PORT PROCESSORS: answers requests for /hello with the same 13 bytes, for /16k with the same
 * 16 KiB; twin of go/hello.go. PORT is one of 127.0.0.1, or an address.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tuza/http.h>
#include <tuza/tuza.h>

static void hello(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)r;
	(void)arg;
	tuza_http_set_header(w, "Content-Type", "text/plain; charset=utf-8");
	tuza_http_write(w, "Hello, World!", 13);
}

static char body[16384];

static void large(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)r;
	(void)arg;
	tuza_http_set_header(w, "Content-Type", "text/plain; charset=utf-8");
	tuza_http_set_header(w, "Content-Length", "16384");
	tuza_http_write(w, body, sizeof body);
}

static int serve(void *port)
{
	tuza_http_mux *mux = tuza_http_mux_new();
	char address[64];

	snprintf(address, sizeof address, "%s%s",
		strchr(port, ':') ? "" : "127.0.0.1:", (const char *)port);
	memset(body, 'x', sizeof body);
	tuza_http_handle(mux, "GET /hello", hello, NULL);
	tuza_http_handle(mux, "GET /16k", large, NULL);
	tuza_http_server *server = tuza_http_server_new(
		&(tuza_http_server_options){.handler = tuza_http_mux_serve, .arg = mux});
	int error = tuza_http_server_listen(server, address);
	fprintf(stderr, "%s: %s\n", address, tuza_strerror(error));
	return 1;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	tuza_gomaxprocs(atoi(argv[2]));
	return tuza_run(serve, argv[1]);
}
