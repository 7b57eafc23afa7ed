// SPDX-License-Identifier: MIT
/*
 * server echo|http PORT PROCESSORS IDLE_SECONDS: one of 127.0.0.1, for connections that rest; twin
 * of go/server.go.
 *
 *   echo  a goroutine for each connection writes back what it reads
 *   http  13 bytes for GET /hello; a connection that has asked nothing for IDLE_SECONDS is closed
 *
 * SIGTERM ends it: http by a graceful shutdown, echo at once.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <tuza/go.h>
#include <tuza/http.h>
#include <tuza/tuza.h>

static const char *kind, *port;
static int idle_seconds;

static void echo_back(tuza_conn *conn)
{
	char bytes[512];
	ssize_t n;
	while ((n = tuza_conn_read(conn, bytes, sizeof bytes)) > 0)
		if (tuza_conn_write(conn, bytes, (size_t)n) != n)
			break;
	tuza_conn_close(conn);
}

static int echo_serve(tuza_listener *l)
{
	tuza_conn *conn;
	int error;
	while ((error = tuza_accept(l, &conn)) == 0)
		go(echo_back, conn);
	return error;
}

static void hello(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)r;
	(void)arg;
	tuza_http_set_header(w, "Content-Type", "text/plain; charset=utf-8");
	tuza_http_write(w, "Hello, World!", 13);
}

static void shut_down(tuza_http_server *server, tuza_chan *ended)
{
	tuza_context *ctx = tuza_context_notify_signal(tuza_context_background(), SIGTERM);
	tuza_recv(tuza_context_done(ctx), NULL);
	tuza_context_free(ctx);
	int error = tuza_http_server_shutdown(server, tuza_context_background());
	tuza_send(ended, error);
}

static int http_serve(tuza_listener *l)
{
	tuza_http_mux *mux = tuza_http_mux_new();
	tuza_chan *ended = tuza_chan_new(sizeof(int), 0);
	tuza_http_handle(mux, "GET /hello", hello, NULL);
	tuza_http_server *server =
		tuza_http_server_new(&(tuza_http_server_options){.handler = tuza_http_mux_serve,
			.arg = mux,
			.idle_timeout = idle_seconds * TUZA_SECOND,
			.max_connections = -1});
	go(shut_down, server, ended);
	int error = tuza_http_server_serve(server, l);
	if (error == 0)
		tuza_recv(ended, &error);
	return error;
}

static int serve(void *arg)
{
	tuza_listener *l;
	char address[64];
	(void)arg;
	snprintf(address, sizeof address, "127.0.0.1:%s", port);
	int error = tuza_listen("tcp", address, &l);
	if (error == 0)
		error = strcmp(kind, "echo") == 0 ? echo_serve(l) : http_serve(l);
	if (error)
		fprintf(stderr, "%s: %s\n", address, tuza_strerror(error));
	return error != 0;
}

int main(int argc, char **argv)
{
	struct rlimit files;
	if (argc != 5)
		return 2;
	kind = argv[1];
	port = argv[2];
	tuza_gomaxprocs(atoi(argv[3]));
	idle_seconds = atoi(argv[4]);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max; // Go does so by itself
	setrlimit(RLIMIT_NOFILE, &files);
	return tuza_run(serve, NULL);
}
