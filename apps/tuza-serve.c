// SPDX-License-Identifier: MIT
/*
 * tuza-serve [--cert FILE --key FILE] [ADDRESS [DIRECTORY]]: serves the files of a directory (".")
 * at an address ("127.0.0.1:8080"), and what it knows of itself as JSON at /api/status; with a
 * certificate and its key, in PEM, over TLS. SIGINT and SIGTERM end it gently: requests under way
 * have 10 seconds; a second signal ends it at once.
 */
#include <tuza/http.h>
#include <tuza/tls.h>
#include <tuza/tuza.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct service {
	const char *address, *directory, *cert, *key;
	int64_t started;
	tuza_http_server *server;
	tuza_listener *listener;
	int error; // what serving came to
};

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

// On a goroutine of its own, until the server is shut down.
static void serve(void *arg)
{
	struct service *s = arg;
	s->error = tuza_http_server_serve(s->server, s->listener);
}

static int open_listener(struct service *s)
{
	tuza_tls_options options = {.cert_file = s->cert, .key_file = s->key};
	tuza_tls_config *config;
	tuza_tls_error why;

	if (!s->cert && !s->key)
		return tuza_listen("tcp", s->address, &s->listener);
	int error = tuza_tls_config_new(&options, &config, &why);
	if (error)
		fprintf(stderr, "%s\n", why.text);
	else
		error = tuza_tls_listen("tcp", s->address, config, &s->listener);
	tuza_tls_config_free(config);
	return error;
}

// Serves until a signal comes; a second one does what signals do.
static void serve_until_signal(struct service *s)
{
	tuza_context *background = tuza_context_background();
	tuza_context *signalled = tuza_context_notify_signal(background, SIGINT, SIGTERM);
	tuza_goroutine *serving = tuza_spawn(serve, s);

	if (tuza_join_ctx(signalled, serving) == -ECANCELED) {
		tuza_context *limit = tuza_context_with_timeout(background, 10 * TUZA_SECOND);

		fprintf(stderr, "shutting down\n");
		if (tuza_http_server_shutdown(s->server, limit) != 0)
			tuza_http_server_close(s->server);
		tuza_join(serving);
		tuza_context_free(limit);
	}
	tuza_context_free(signalled);
}

static int run(void *arg)
{
	struct service *s = arg;
	tuza_http_mux *mux = tuza_http_mux_new();
	char address[TUZA_ADDRESS_TEXT];

	s->started = tuza_now();
	s->server = tuza_http_server_new(&(tuza_http_server_options){
		.handler = tuza_http_mux_serve, .arg = mux, .access_log = log_access});
	tuza_http_handle(mux, "GET /api/status", show_status, s);
	tuza_http_handle(mux, "GET /{name...}", serve_file, s);
	s->error = open_listener(s);
	if (!s->error) {
		tuza_listener_address(s->listener, address, sizeof address);
		fprintf(stderr, "serving %s at http%s://%s/\n", s->directory, s->cert ? "s" : "",
			address);
		serve_until_signal(s);
	}
	if (s->error)
		fprintf(stderr, "%s: %s\n", s->address, tuza_strerror(s->error));
	tuza_http_server_free(s->server);
	tuza_http_mux_free(mux);
	return s->error != 0;
}

int main(int argc, char **argv)
{
	const char *cert = NULL, *key = NULL;

	for (; argc > 2 && argv[1][0] == '-'; argc -= 2, argv += 2) {
		if (strcmp(argv[1], "--cert") == 0)
			cert = argv[2];
		else if (strcmp(argv[1], "--key") == 0)
			key = argv[2];
		else
			break;
	}
	if (argc > 3 || (argc > 1 && argv[1][0] == '-')) {
		bool asked = argc == 2 && strcmp(argv[1], "--help") == 0;
		FILE *to = asked ? stdout : stderr;
		fputs("usage: tuza-serve [--cert FILE --key FILE] [ADDRESS [DIRECTORY]]\n", to);
		return !asked ? 2 : fflush(to) == 0 ? 0 : 1;
	}
	struct service s = {.address = argc > 1 ? argv[1] : "127.0.0.1:8080",
		.directory = argc > 2 ? argv[2] : ".",
		.cert = cert,
		.key = key};
	struct stat st;
	if (stat(s.directory, &st) == 0 && !S_ISDIR(st.st_mode))
		return fprintf(stderr, "%s: not a directory\n", s.directory), 1;
	if (access(s.directory, X_OK) != 0)
		return perror(s.directory), 1;
	return tuza_run(run, &s);
}
