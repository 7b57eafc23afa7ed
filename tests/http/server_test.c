// SPDX-License-Identifier: MIT
/*
 * What a server does about handlers that misbehave and clients that leave, and for many at once.
 */
#include "http_support.h"

#include <malloc.h>

#include <tuza/sync.h>

static void ask(const struct site *s, const char *request, const char *want, struct answer *a)
{
	tuza_conn *conn = site_dial(s);
	CHECK(send_text(conn, request));
	CHECK_STR(read_answer(conn, a, false), want);
	CHECK_EQ(tuza_conn_close(conn), 0);
}

// ---- panics ------------------------------------------------------------------------------------

static char logged[8192];
static tuza_mutex log_lock;

static void keep_log(const char *text, void *arg)
{
	(void)arg;
	tuza_mutex_lock(&log_lock);
	snprintf(logged + strlen(logged), sizeof logged - strlen(logged), "%s\n", text);
	tuza_mutex_unlock(&log_lock);
}

static void divide_by(const char *what) { tuza_panic("cannot divide by %s", what); }

static void misbehave(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)arg;
	if (strcmp(tuza_http_path(r), "/hello") == 0) {
		say_hello(w, r, arg);
		return;
	}
	CHECK(tuza_http_printf(w, "the answer is ") > 0);
	if (strcmp(tuza_http_path(r), "/late") == 0)
		CHECK_EQ(tuza_http_flush(w), 0);
	if (strcmp(tuza_http_path(r), "/exit") == 0)
		tuza_goexit();
	divide_by("zero");
}

static void free_own_server(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	const struct site *s = arg;
	(void)w, (void)r;
	tuza_http_server_free(s->server);
}

TEST(a_handler_that_frees_its_server_is_told_rather_than_left_waiting)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;
	logged[0] = '\0';
	site_open(&s, &(tuza_http_server_options){
			      .handler = free_own_server, .arg = &s, .error_log = keep_log});
	tuza_conn *conn = site_dial(&s);
	CHECK(send_text(conn, GET("/")));
	CHECK(strncmp(read_to_end(conn, a), "HTTP/1.1 500 ", 13) == 0);
	CHECK_CONTAINS(logged, ": http: tuza_http_server_free in a handler of the server\n");
	CHECK_EQ(tuza_conn_close(conn), 0);
	site_close(&s);
	free(a);
}

TEST(a_panic_in_a_handler_is_contained_and_logged)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;

	logged[0] = '\0';
	site_open(&s, &(tuza_http_server_options){.handler = misbehave, .error_log = keep_log});
	tuza_conn *other = site_dial(&s);
	CHECK(send_text(other, GET("/hello")));
	CHECK_STR(read_answer(other, a, false), HELLO);

	tuza_conn *conn = site_dial(&s);
	CHECK(send_text(conn, GET("/early") GET("/hello")));
	CHECK_STR(read_to_end(conn, a),
		"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\n"
		"X-Content-Type-Options: nosniff\r\nContent-Length: 22\r\n"
		"Connection: close" END "Internal Server Error\n");
	CHECK_EQ(tuza_conn_close(conn), 0);
	CHECK(strncmp(logged, "http: panic serving 127.0.0.1:", 30) == 0);
	CHECK_CONTAINS(logged, ": cannot divide by zero\n");
	CHECK_CONTAINS(logged, "divide_by");

	// Once a part was sent the client must notice that the rest is missing.
	conn = site_dial(&s);
	CHECK(send_text(conn, GET("/late")));
	CHECK_STR(read_to_end(conn, a),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked" END "e\r\nthe answer is \r\n");
	CHECK_EQ(tuza_conn_close(conn), 0);

	// The others do not notice anything.
	CHECK(send_text(other, GET("/hello")));
	CHECK_STR(read_answer(other, a, false), HELLO);
	CHECK_EQ(tuza_conn_close(other), 0);
	site_close(&s);
	free(a);
}

TEST(a_handler_that_ends_its_goroutine_ends_the_connection)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;

	site_open(&s, &(tuza_http_server_options){.handler = misbehave});
	tuza_conn *conn = site_dial(&s);
	CHECK(send_text(conn, GET("/exit")));
	CHECK_STR(read_to_end(conn, a), "");
	CHECK_EQ(tuza_conn_close(conn), 0);
	WAIT_UNTIL(tuza_http_server_connections(s.server) == 0);
	ask(&s, GET("/hello"), HELLO, a);
	site_close(&s);
	free(a);
}

TEST(without_a_handler_it_is_404)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;

	site_open(&s, NULL);
	ask(&s, GET("/"),
		"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
		"X-Content-Type-Options: nosniff\r\nContent-Length: 10" END "Not Found\n",
		a);
	site_close(&s);
	free(a);
}

// ---- the context -------------------------------------------------------------------------------

static atomic_int handler_has_begun, context_error;
static _Atomic(tuza_context *) kept;

static void wait_for_end(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	char bytes[16];
	tuza_context *ctx = NULL;

	if (arg) // asked for before the body is read
		ctx = tuza_http_context(r);
	while (tuza_http_body_read(r, bytes, sizeof bytes) > 0)
		;
	ctx = tuza_http_context(r);
	CHECK(tuza_http_context(r) == ctx);
	CHECK_EQ(tuza_context_err(ctx), 0);
	atomic_store(&handler_has_begun, 1);
	CHECK_EQ(TUZA_SELECT(TUZA_DONE(ctx), TUZA_AFTER(20 * TUZA_SECOND)), 0);
	atomic_store(&context_error, tuza_context_err(ctx));
	(void)tuza_http_write(w, "nobody", 6);
}

static void check_end(void *early, const char *request, bool close_server)
{
	struct site s;

	atomic_store(&handler_has_begun, 0);
	atomic_store(&context_error, 0);
	site_open(&s, &(tuza_http_server_options){.handler = wait_for_end, .arg = early});
	tuza_conn *conn = site_dial(&s);
	CHECK(send_text(conn, request));
	WAIT_UNTIL(handler_has_begun);
	if (close_server)
		tuza_http_server_close(s.server);
	else
		CHECK_EQ(tuza_conn_close(conn), 0);
	WAIT_UNTIL(context_error == -ECANCELED);
	WAIT_UNTIL(tuza_http_server_connections(s.server) == 0);
	if (close_server)
		CHECK_EQ(tuza_conn_close(conn), 0);
	site_close(&s);
}

TEST(the_context_ends_when_the_client_goes_away)
{
	check_end(NULL, GET("/"), false);
	check_end("early", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5" END "hello", false);
	check_end(NULL, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked" END "0" END,
		false);
}

TEST(the_context_ends_when_the_server_is_closed) { check_end(NULL, GET("/"), true); }

static void keep_context(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	tuza_context *ctx = tuza_http_context(r);

	(void)arg;
	if (strcmp(tuza_http_path(r), "/last") != 0) // behind it the client has closed its side
		CHECK_EQ(tuza_context_err(ctx), 0);
	if (strcmp(tuza_http_path(r), "/keep") == 0)
		atomic_store(&kept, tuza_context_retain(ctx));
	CHECK_EQ(tuza_http_write(w, "hello", 5), 5);
}

// … and the watcher leaves the next request alone.
TEST(the_context_ends_when_the_handler_returns)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;
	char twice[256];

	site_open(&s, &(tuza_http_server_options){.handler = keep_context});
	tuza_conn *conn = site_dial(&s);
	for (int i = 0; i < 100; i++) {
		CHECK(send_text(conn, GET("/keep")));
		if (!CHECK_STR(read_answer(conn, a, false), HELLO))
			break;
		tuza_context *ctx = atomic_load(&kept);
		WAIT_UNTIL(tuza_context_err(ctx) == -ECANCELED);
		tuza_context_release(ctx);
	}
	// A request that has come already is no reason to end the one before.
	CHECK(send_text(conn, GET("/") GET("/last")));
	CHECK_EQ(tuza_conn_close_write(conn), 0);
	snprintf(twice, sizeof twice, "%s%s", HELLO, HELLO);
	CHECK_STR(read_to_end(conn, a), twice);
	CHECK_EQ(tuza_conn_close(conn), 0);
	site_close(&s);
	free(a);
}

// ---- many --------------------------------------------------------------------------------------

// E8: what netutil.LimitListener does for net/http, as an option.
TEST(no_more_connections_are_served_than_allowed)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;
	tuza_conn *conns[3];

	site_open(&s, &(tuza_http_server_options){.handler = say_hello, .max_connections = 2});
	for (int i = 0; i < 3; i++) {
		conns[i] = site_dial(&s);
		CHECK(send_text(conns[i], GET("/")));
	}
	for (int i = 0; i < 2; i++)
		CHECK_STR(read_answer(conns[i], a, false), HELLO);
	CHECK_EQ(tuza_http_server_connections(s.server), 2);
	CHECK_EQ(tuza_http_server_requests(s.server) <= 2, 1);
	CHECK_EQ(tuza_conn_close(conns[0]), 0);
	CHECK_STR(read_answer(conns[2], a, false), HELLO);
	for (int i = 1; i < 3; i++)
		CHECK_EQ(tuza_conn_close(conns[i]), 0);
	site_close(&s);
	free(a);
}

struct client {
	const struct site *site;
	atomic_int *left;
	int requests;
};

static void ask_again_and_again(struct client *c)
{
	struct answer *a = malloc(sizeof *a);
	tuza_conn *conn = site_dial(c->site);

	for (int i = 0; i < c->requests; i++)
		if (!CHECK(send_text(conn, GET("/"))) ||
			!CHECK_STR(read_answer(conn, a, false), HELLO))
			break;
	CHECK_EQ(tuza_conn_close(conn), 0);
	free(a);
	atomic_fetch_sub(c->left, 1);
}

TEST(many_clients_are_served_side_by_side)
{
	enum { CLIENTS = 50, REQUESTS = 40 };
	atomic_int left = CLIENTS;
	struct site s;

	site_open(&s, &(tuza_http_server_options){.handler = say_hello});
	struct client c = {&s, &left, REQUESTS};
	for (int i = 0; i < CLIENTS; i++)
		TUZA_GO(ask_again_and_again, &c);
	WAIT_UNTIL(left == 0);
	WAIT_UNTIL(tuza_http_server_requests(s.server) == CLIENTS * REQUESTS);
	site_close(&s);
}

enum { LARGE_ANSWERS = 50, LARGE_HEADERS = 16, LARGE_HEADER = 16000 };

static atomic_int large_begun;
static char large_value[LARGE_HEADER + 1];

// All are under way at a time.
static void answer_with_large_head(tuza_http_writer *w, tuza_http_request *r, void *unused)
{
	(void)r;
	(void)unused;
	for (int i = 0; i < LARGE_HEADERS; i++)
		CHECK_EQ(tuza_http_add_header(w, "X-Large", large_value), 0);
	atomic_fetch_add(&large_begun, 1);
	WAIT_UNTIL(large_begun == LARGE_ANSWERS);
}

static void ask_for_large_head(struct client *c)
{
	struct answer *a = malloc(sizeof *a);
	tuza_conn *conn = site_dial(c->site);

	CHECK(send_text(conn, GET("/")));
	CHECK(strlen(read_answer(conn, a, false)) > LARGE_HEADERS * LARGE_HEADER);
	CHECK_EQ(tuza_conn_close(conn), 0);
	free(a);
	atomic_fetch_sub(c->left, 1);
}

TEST(memory_that_large_answers_needed_is_not_kept)
{
	atomic_int left = LARGE_ANSWERS;
	struct site s;

	atomic_store(&large_begun, 0);
	memset(large_value, 'x', LARGE_HEADER);
	site_open(&s, &(tuza_http_server_options){.handler = answer_with_large_head});
	struct client c = {&s, &left, 1};
	size_t before = mallinfo2().uordblks; // 0 under sanitizers, as below
	for (int i = 0; i < LARGE_ANSWERS; i++)
		TUZA_GO(ask_for_large_head, &c);
	WAIT_UNTIL(left == 0);
	WAIT_UNTIL(tuza_http_server_connections(s.server) == 0);
	size_t after = mallinfo2().uordblks;
	CHECK(after < before + LARGE_ANSWERS * (size_t)40000);
	site_close(&s);
}

// ---- the access log ----------------------------------------------------------------------------

static char access_text[512];
static atomic_int accesses;

static void keep_access(const tuza_http_access *access, void *arg)
{
	CHECK_STR((const char *)arg, "argument");
	CHECK(access->started <= tuza_now() && access->duration >= 0);
	CHECK(strncmp(access->remote, "127.0.0.1:", 10) == 0);
	snprintf(access_text, sizeof access_text, "%s %s %d %lld %s", access->method,
		access->target, access->status, (long long)access->bytes, access->agent);
	atomic_fetch_add(&accesses, 1);
}

TEST(the_access_log_tells_of_each_request)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;

	atomic_store(&accesses, 0);
	site_open(&s,
		&(tuza_http_server_options){
			.handler = say_hello, .access_log = keep_access, .access_arg = "argument"});
	ask(&s, "GET /a?b HTTP/1.1\r\nHost: a\r\nUser-Agent: test/1" END, HELLO, a);
	WAIT_UNTIL(accesses == 1);
	CHECK_STR(access_text, "GET /a?b 200 5 test/1");
	tuza_conn *conn = site_dial(&s);
	CHECK(send_text(conn, "nonsense" END));
	read_to_end(conn, a);
	CHECK_EQ(tuza_conn_close(conn), 0);
	WAIT_UNTIL(accesses == 2);
	CHECK_STR(access_text, "  400 12 ");
	site_close(&s);
	free(a);
}
