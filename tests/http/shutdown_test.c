// SPDX-License-Identifier: MIT
/*
 * How a server ends: gently, with what is under way finished, or at once.
 */
#include "../port.h"
#include "http_support.h"

static const char last_answer[] =
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close" END "hello";

static tuza_chan *gate; // closed: handlers go on
static atomic_int waiting;

static void hello(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)arg;
	if (strcmp(tuza_http_path(r), "/wait") == 0) {
		atomic_fetch_add(&waiting, 1);
		tuza_chan_recv(gate, NULL);
	}
	(void)tuza_http_write(w, "hello", 5);
}

struct shutting {
	tuza_http_server *server;
	tuza_context *ctx;
	int result;
	atomic_int done;
};

static void shut_down_now(struct shutting *s)
{
	s->result = tuza_http_server_shutdown(s->server, s->ctx);
	atomic_store(&s->done, 1);
}

static void open_gated_at(struct site *s, const char *address)
{
	atomic_store(&waiting, 0);
	gate = tuza_chan_new(0, 0);
	site_open_at(s, address, &(tuza_http_server_options){.handler = hello});
}

static void open_gated(struct site *s) { open_gated_at(s, "127.0.0.1:0"); }

static void close_gated(struct site *s)
{
	site_close(s);
	tuza_chan_release(gate);
}

TEST(shutdown_closes_idle_connections_at_once)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;
	tuza_conn *conns[20];

	open_gated(&s);
	for (int i = 0; i < 20; i++) {
		conns[i] = site_dial(&s);
		CHECK(send_text(conns[i], GET("/")));
		CHECK_STR(read_answer(conns[i], a, false), HELLO);
	}
	CHECK_EQ(tuza_http_server_shutdown(s.server, tuza_context_background()), 0);
	CHECK_EQ(tuza_http_server_connections(s.server), 0);
	WAIT_UNTIL(s.done);
	CHECK_EQ(s.result, 0);
	for (int i = 0; i < 20; i++) {
		CHECK_STR(read_to_end(conns[i], a), "");
		CHECK_EQ(tuza_conn_close(conns[i]), 0);
	}
	close_gated(&s);
	free(a);
}

TEST(shutdown_waits_for_requests_under_way)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;
	tuza_conn *refused;
	char address[TUZA_ADDRESS_TEXT];
	int kept = keep_port(address, sizeof address);

	open_gated_at(&s, address);
	tuza_conn *conn = site_dial(&s);
	CHECK(send_text(conn, GET("/wait") GET("/wait")));
	WAIT_UNTIL(waiting == 1);
	struct shutting down = {.server = s.server, .ctx = tuza_context_background()};
	TUZA_GO(shut_down_now, &down);
	WAIT_UNTIL(s.done); // accepts nothing more
	CHECK_EQ(tuza_dial(tuza_context_background(), "tcp", s.address, &refused), -ECONNREFUSED);
	CHECK_EQ(down.done, 0);
	CHECK_EQ(tuza_http_server_connections(s.server), 1);
	tuza_chan_close(gate);
	CHECK_STR(read_to_end(conn, a), last_answer);
	WAIT_UNTIL(down.done);
	CHECK_EQ(down.result, 0);
	CHECK_EQ(waiting, 1); // what came after it was not begun
	CHECK_EQ(tuza_conn_close(conn), 0);
	close_gated(&s);
	close(kept);
	free(a);
}

TEST(shutdown_waits_no_longer_than_its_context)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;

	open_gated(&s);
	tuza_conn *conn = site_dial(&s);
	CHECK(send_text(conn, GET("/wait")));
	WAIT_UNTIL(waiting == 1);
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), 20 * MS);
	CHECK_EQ(tuza_http_server_shutdown(s.server, ctx), -ETIMEDOUT);
	tuza_context_free(ctx);
	CHECK_EQ(tuza_http_server_connections(s.server), 1);
	tuza_chan_close(gate); // the request goes on
	CHECK_STR(read_to_end(conn, a), last_answer);
	CHECK_EQ(tuza_http_server_shutdown(s.server, tuza_context_background()), 0);
	CHECK_EQ(tuza_conn_close(conn), 0);
	close_gated(&s);
	free(a);
}

static void shut_down_without_context(void *server) { tuza_http_server_shutdown(server, NULL); }

TEST(shutdown_needs_a_context_even_if_there_is_nothing_to_wait_for)
{
	tuza_http_server *server = tuza_http_server_new(NULL);
	CHECK_PANICS("nil context", shut_down_without_context, server);
	CHECK_EQ(tuza_http_server_shutdown(server, tuza_context_background()), 0);
	tuza_http_server_free(server);
	tuza_http_server_free(NULL);
}

// One that has not asked anything yet has a moment to do so.
TEST(shutdown_lets_a_fresh_connection_ask_once)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;

	open_gated(&s);
	tuza_conn *conn = site_dial(&s);
	WAIT_UNTIL(tuza_http_server_connections(s.server) == 1);
	tuza_sleep(10 * MS); // most likely it waits by now; else it is closed, which is right too
	struct shutting down = {.server = s.server, .ctx = tuza_context_background()};
	TUZA_GO(shut_down_now, &down);
	WAIT_UNTIL(s.done);
	(void)send_text(conn, GET("/"));
	read_to_end(conn, a);
	CHECK(strcmp(a->bytes, last_answer) == 0 || a->length == 0);
	WAIT_UNTIL(down.done);
	CHECK_EQ(tuza_conn_close(conn), 0);
	close_gated(&s);
	free(a);
}

TEST(close_ends_everything_at_once)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;

	open_gated(&s);
	tuza_conn *conn = site_dial(&s), *idle = site_dial(&s);
	CHECK(send_text(idle, GET("/")));
	CHECK_STR(read_answer(idle, a, false), HELLO);
	CHECK(send_text(conn, GET("/wait")));
	WAIT_UNTIL(waiting == 1);
	tuza_http_server_close(s.server);
	CHECK_STR(read_to_end(conn, a), "");
	CHECK_STR(read_to_end(idle, a), "");
	WAIT_UNTIL(tuza_http_server_connections(s.server) == 1); // its handler has not returned
	tuza_chan_close(gate);
	WAIT_UNTIL(tuza_http_server_connections(s.server) == 0);
	// What comes afterwards is closed.
	tuza_conn *near, *far;
	CHECK_EQ(tuza_pipe(&near, &far), 0);
	tuza_http_server_serve_conn(s.server, far);
	CHECK_STR(read_to_end(near, a), "");
	CHECK_EQ(tuza_conn_close(near), 0);
	tuza_listener *l;
	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &l), 0);
	CHECK_EQ(tuza_http_server_serve(s.server, l), 0);
	CHECK_EQ(tuza_conn_close(conn), 0);
	CHECK_EQ(tuza_conn_close(idle), 0);
	close_gated(&s);
	free(a);
}

static void close_now(struct shutting *s)
{
	tuza_http_server_close(s->server);
	atomic_store(&s->done, 1);
}

struct last_client {
	struct site site;
	struct shutting down;
	tuza_conn *near;
	atomic_int done;
};

// Has the server shut down while it is answered.
static void ask_and_shut_down(struct last_client *c)
{
	struct answer *a = malloc(sizeof *a);

	CHECK(send_text(c->near, GET("/wait")));
	WAIT_UNTIL(waiting == 1);
	TUZA_GO(shut_down_now, &c->down);
	WAIT_UNTIL(c->site.done); // it waits
	tuza_chan_close(gate);
	CHECK_STR(read_to_end(c->near, a), last_answer);
	WAIT_UNTIL(c->down.done);
	CHECK_EQ(c->down.result, 0);
	CHECK_EQ(tuza_conn_close(c->near), 0);
	free(a);
	atomic_store(&c->done, 1);
}

// Nobody else has to know when a shutdown has returned. The last connection ends in the goroutine
// that frees the server, so that the shutdown, woken by that, comes late. AddressSanitizer and
// valgrind see it if it comes too late.
TEST(free_waits_for_a_shutdown_under_way)
{
	for (int round = 0; round < 50; round++) {
		struct last_client c = {.done = 0};
		tuza_conn *far;

		open_gated(&c.site);
		c.down = (struct shutting){c.site.server, tuza_context_background(), -1, 0};
		CHECK_EQ(tuza_pipe(&c.near, &far), 0);
		TUZA_GO(ask_and_shut_down, &c);
		tuza_http_server_serve_conn(c.site.server, far);
		tuza_http_server_free(c.site.server);
		WAIT_UNTIL(c.done);
		tuza_chan_release(gate);
	}
}

TEST(free_waits_for_a_close_under_way)
{
	for (int round = 0; round < 400; round++) {
		struct site s;

		open_gated(&s);
		struct shutting closing = {.server = s.server};
		tuza_yield(); // the server accepts
		TUZA_GO(close_now, &closing);
		WAIT_UNTIL(s.done);
		tuza_http_server_free(s.server);
		WAIT_UNTIL(closing.done);
		tuza_chan_release(gate);
	}
}

struct client {
	const struct site *site;
	atomic_int *left, *broken;
};

// Each answer is whole, or there is none.
static void ask_until_closed(struct client *c)
{
	struct answer *a = malloc(sizeof *a);
	tuza_conn *conn;

	a->length = 0; // if nothing can be sent
	a->bytes[0] = '\0';
	if (tuza_dial(tuza_context_background(), "tcp", c->site->address, &conn) == 0) {
		while (send_text(conn, GET("/"))) {
			read_answer(conn, a, false);
			if (strcmp(a->bytes, HELLO) != 0)
				break;
		}
		if (a->length && strcmp(a->bytes, HELLO) != 0 &&
			strcmp(a->bytes, last_answer) != 0) {
			atomic_fetch_add(c->broken, 1);
			printf("  broken: \"%s\"\n", a->bytes);
		}
		(void)tuza_conn_close(conn);
	}
	free(a);
	atomic_fetch_sub(c->left, 1);
}

// Connections that become idle, and busy, while the server looks for idle ones.
TEST(shutdown_under_load_ends_and_breaks_no_answer)
{
	enum { ROUNDS = 20, CLIENTS = 16 };

	for (int round = 0; round < ROUNDS; round++) {
		atomic_int left = CLIENTS, broken = 0;
		struct site s;

		open_gated(&s);
		struct client c = {&s, &left, &broken};
		for (int i = 0; i < CLIENTS; i++)
			TUZA_GO(ask_until_closed, &c);
		WAIT_UNTIL(tuza_http_server_requests(s.server) >= 10 * CLIENTS);
		CHECK_EQ(tuza_http_server_shutdown(s.server, tuza_context_background()), 0);
		CHECK_EQ(tuza_http_server_connections(s.server), 0);
		WAIT_UNTIL(left == 0);
		CHECK_EQ(broken, 0);
		close_gated(&s);
	}
}
