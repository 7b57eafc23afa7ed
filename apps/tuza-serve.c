// SPDX-License-Identifier: MIT
/*
 * tuza-serve [ADDRESS [DIRECTORY]]: serves the files of a directory (".") at an address
 * ("127.0.0.1:8080"), and what it knows of itself as JSON at /api/status. SIGINT and SIGTERM end it
 * gently: requests under way have 10 seconds; a second signal ends it at once.
 */
#include <tuza/go.h>
#include <tuza/http.h>
#include <tuza/tuza.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

struct service {
	const char *address, *directory;
	int64_t started;
	tuza_http_server *server;
	tuza_context *patience; // cancelled by the second signal
	tuza_chan *drained;     // closed when the shutdown is over
	int signals;            // a descriptor
};

// ---- handlers ----------------------------------------------------------------------------------

static void serve_file(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	const struct service *s = arg;
	const char *name = tuza_http_path_value(r, "name");
	int error = tuza_http_serve_file(w, r, s->directory, name);

	if (error)
		fprintf(stderr, "%s: %s\n", name, tuza_strerror(error));
}

static void show_status(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	const struct service *s = arg;

	(void)r;
	tuza_http_set_header(w, "Content-Type", "application/json");
	tuza_http_set_header(w, "Cache-Control", "no-store");
	tuza_http_printf(w,
		"{\"uptime_seconds\": %.3f, \"connections\": %zu, \"requests\": %llu, "
		"\"goroutines\": %zu}\n",
		(double)(tuza_now() - s->started) / TUZA_SECOND,
		tuza_http_server_connections(s->server),
		(unsigned long long)tuza_http_server_requests(s->server), tuza_num_goroutine());
}

static void log_access(const tuza_http_access *a, void *arg)
{
	(void)arg;
	fprintf(stderr, "%s \"%s %s\" %d %lld %.3fms\n", a->remote, a->method, a->target, a->status,
		(long long)a->bytes, (double)a->duration / TUZA_MILLISECOND);
}

// ---- the end -----------------------------------------------------------------------------------

// Waits for the next signal, and takes it. Negative: there will be none.
static int next_signal(const struct service *s)
{
	struct signalfd_siginfo info;
	int error = tuza_wait_fd(s->signals, POLLIN, 0);

	if (error < 0 || tuza_read(s->signals, &info, sizeof info) != sizeof info)
		return -1;
	return (int)info.ssi_signo;
}

static void hurry(struct service *s)
{
	if (next_signal(s) > 0)
		tuza_context_cancel(s->patience);
}

static void end_on_signal(struct service *s)
{
	if (next_signal(s) < 0)
		return;
	fprintf(stderr, "shutting down\n");
	go(hurry, s);
	tuza_context *ctx = tuza_context_with_timeout(s->patience, 10 * TUZA_SECOND);
	if (tuza_http_server_shutdown(s->server, ctx) != 0)
		tuza_http_server_close(s->server);
	tuza_context_free(ctx);
	tuza_chan_close(s->drained);
}

// ---- main --------------------------------------------------------------------------------------

static int serve(void *arg)
{
	struct service *s = arg;
	tuza_http_mux *mux = tuza_http_mux_new();
	tuza_http_server_options options = {
		.handler = tuza_http_mux_serve, .arg = mux, .access_log = log_access};
	char address[TUZA_ADDRESS_TEXT];
	tuza_listener *l;

	int error = tuza_listen("tcp", s->address, &l);
	if (error) {
		fprintf(stderr, "%s: %s\n", s->address, tuza_strerror(error));
		tuza_http_mux_free(mux);
		return 1;
	}
	tuza_http_handle(mux, "GET /api/status", show_status, s);
	tuza_http_handle(mux, "GET /{name...}", serve_file, s);
	s->started = tuza_now();
	s->server = tuza_http_server_new(&options);
	s->patience = tuza_context_with_cancel(tuza_context_background());
	s->drained = tuza_chan_new(0, 0);
	go(end_on_signal, s);

	tuza_listener_address(l, address, sizeof address);
	fprintf(stderr, "serving %s at http://%s/\n", s->directory, address);
	error = tuza_http_server_serve(s->server, l);
	if (error)
		fprintf(stderr, "%s: %s\n", address, tuza_strerror(error));
	else
		tuza_recv(s->drained, NULL); // serving is over at once, requests are not
	tuza_close(s->signals);
	tuza_http_server_free(s->server);
	tuza_http_mux_free(mux);
	return error != 0;
}

int main(int argc, char **argv)
{
	struct service s = {
		.address = argc > 1 ? argv[1] : "127.0.0.1:8080",
		.directory = argc > 2 ? argv[2] : ".",
	};
	sigset_t ends;

	if (argc > 3) {
		fprintf(stderr, "usage: tuza-serve [ADDRESS [DIRECTORY]]\n");
		return 2;
	}
	// Blocked in every thread, so that they are read where goroutines can wait for them.
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	s.signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	return s.signals < 0 ? 1 : tuza_run(serve, &s);
}
