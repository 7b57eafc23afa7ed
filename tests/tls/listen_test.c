// SPDX-License-Identifier: MIT
/*
 * Dialling and listening.
 */
#include "../port.h"
#include "tls_support.h"

enum { CLIENTS = 200 };

struct crowd {
	tuza_tls_config *config;
	char address[TUZA_ADDRESS_TEXT];
	tuza_listener *l;
	atomic_int served, right, ended;
};

static void serve_one(struct crowd *c, tuza_conn *conn)
{
	uint64_t n;
	while (read_all(conn, (char *)&n, sizeof n) == sizeof n) {
		n *= 3;
		CHECK_EQ(tuza_conn_write(conn, &n, sizeof n), sizeof n);
	}
	CHECK_EQ(tuza_conn_close(conn), 0);
	atomic_fetch_add(&c->served, 1);
}

static void serve_all(struct crowd *c)
{
	tuza_conn *conn;
	while (tuza_accept(c->l, &conn) == 0)
		TUZA_GO(serve_one, c, conn);
	atomic_store(&c->ended, 1);
}

static void ask(struct crowd *c, uint64_t i)
{
	tuza_conn *conn;
	tuza_tls_error why;
	uint64_t n = i;
	int error =
		tuza_tls_dial(tuza_context_background(), "tcp", c->address, c->config, &conn, &why);
	if (!CHECK_EQ(error, 0)) {
		printf("  %s\n", why.text);
		return;
	}
	CHECK_EQ(tuza_conn_write(conn, &n, sizeof n), sizeof n);
	if (read_all(conn, (char *)&n, sizeof n) == sizeof n && n == 3 * i)
		atomic_fetch_add(&c->right, 1);
	CHECK_EQ(tuza_conn_close(conn), 0);
}

TEST(two_hundred_shake_hands_at_once)
{
	struct world w =
		make_world((tuza_tls_options){0}, (tuza_tls_options){.server_name = "localhost"});
	struct crowd c = {.config = w.at_client};
	CHECK_EQ(tuza_tls_listen("tcp", "127.0.0.1:0", w.at_server, &c.l), 0);
	CHECK_EQ(tuza_listener_address(c.l, c.address, sizeof c.address), 0);
	TUZA_GO(serve_all, &c);
	for (uint64_t i = 0; i < CLIENTS; i++)
		TUZA_GO(ask, &c, i);
	int64_t end = tuza_now() + test_seconds * TUZA_SECOND / 2;
	while ((c.right < CLIENTS || c.served < CLIENTS) && tuza_now() < end)
		tuza_sleep(MS);
	CHECK_EQ(c.right, CLIENTS);
	CHECK_EQ(c.served, CLIENTS);
	CHECK_EQ(tuza_listener_close(c.l), 0);
	WAIT_UNTIL(c.ended);
	free_world(&w);
}

// The host that is dialled is who the server must be.
TEST(dialling_expects_the_host_that_is_dialled)
{
	struct identity ca = make_authority("CA");
	struct identity server = issue(&ca, "here", "IP:127.0.0.1");
	tuza_tls_config *at_server =
		config_of(&(tuza_tls_options){.cert_pem = server.cert, .key_pem = server.key});
	struct crowd c = {.config = config_of(&(tuza_tls_options){.ca_pem = ca.cert})};
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), 20 * TUZA_SECOND);
	tuza_tls_error why;
	tuza_conn *conn;
	char address[TUZA_ADDRESS_TEXT];
	int kept = keep_port(c.address, sizeof c.address);
	CHECK_EQ(tuza_tls_listen("tcp", c.address, at_server, &c.l), 0);
	TUZA_GO(serve_all, &c);
	ask(&c, 7);
	CHECK_EQ(c.right, 1);
	snprintf(address, sizeof address, "localhost:%s", strrchr(c.address, ':') + 1);
	CHECK_EQ(tuza_tls_dial(ctx, "tcp", address, c.config, &conn, &why), TUZA_ECERTIFICATE);
	CHECK_STR(why.text, "tls: certificate is not valid for name localhost, but for 127.0.0.1");
	CHECK(conn == NULL);
	CHECK_EQ(tuza_listener_close(c.l), 0);
	CHECK_EQ(tuza_tls_dial(ctx, "tcp", c.address, c.config, &conn, &why), -ECONNREFUSED);
	CHECK_STR(why.text, "Connection refused");
	CHECK_EQ(tuza_tls_dial(ctx, "tcp", ":1", c.config, &conn, &why), -EINVAL);
	CHECK_CONTAINS(why.text, "who should the server be?");
	close(kept);
	WAIT_UNTIL(c.ended && c.served == 2);
	tuza_context_free(ctx);
	tuza_tls_config_free(c.config);
	tuza_tls_config_free(at_server);
	free_identity(&server);
	free_identity(&ca);
}

static void dial_without_context(void *arg)
{
	tuza_conn *conn;
	(void)arg;
	(void)!tuza_tls_dial(NULL, "tcp", "no address", NULL, &conn, NULL);
}

// As tuza_dial.
TEST(what_says_nothing_to_dial_is_refused)
{
	static const struct {
		const char *network, *address;
		int code;
	} cases[] = {
		{NULL, "localhost:1", TUZA_ENETWORK},
		{"tcq", "localhost:1", TUZA_ENETWORK},
		{"tcp", NULL, TUZA_EADDRESS},
		{"tcp", "localhost", TUZA_EADDRESS},
		{"unix", NULL, TUZA_EADDRESS},
	};
	tuza_tls_config *named = config_of(&(tuza_tls_options){.server_name = "localhost"});
	tuza_tls_config *any =
		config_of(&(tuza_tls_options){.insecure_accept_any_certificate = true});
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_tls_error why;
	tuza_conn *conn;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int j = 0; j < 2; j++) {
			CHECK_EQ(tuza_tls_dial(ctx, cases[i].network, cases[i].address,
					 j ? named : any, &conn, &why),
				cases[i].code);
			CHECK(conn == NULL);
			CHECK_EQ(why.code, cases[i].code);
			CHECK_STR(why.text, tuza_strerror(cases[i].code));
		}
	CHECK_EQ(tuza_tls_dial(ctx, "unix", NULL, NULL, &conn, &why), -EINVAL);
	CHECK_EQ(tuza_tls_listen(NULL, ":0", NULL, &(tuza_listener *){NULL}), -EINVAL);
	tuza_context_cancel(ctx);
	CHECK_EQ(tuza_tls_dial(ctx, "tcp", "no address", NULL, &conn, &why), -ECANCELED);
	CHECK_STR(why.text, tuza_strerror(-ECANCELED));
	CHECK_PANICS("nil context", dial_without_context, NULL);
	tuza_context_free(ctx);
	tuza_tls_config_free(named);
	tuza_tls_config_free(any);
}

// A plain listener becomes one of TLS, once, and nothing else does.
TEST(a_listener_that_is_there_speaks_tls)
{
	struct world w =
		make_world((tuza_tls_options){0}, (tuza_tls_options){.server_name = "localhost"});
	struct crowd c = {.config = w.at_client};
	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &c.l), 0);
	CHECK_EQ(tuza_listener_address(c.l, c.address, sizeof c.address), 0);
	CHECK_EQ(tuza_tls_listener(c.l, w.at_client), -EINVAL); // has no certificate
	CHECK_EQ(tuza_tls_listener(c.l, w.at_server), 0);
	TUZA_GO(serve_all, &c);
	for (uint64_t i = 0; i < 3; i++)
		ask(&c, i);
	CHECK_EQ(c.right, 3);
	CHECK_EQ(tuza_listener_close(c.l), 0);
	WAIT_UNTIL(c.ended && c.served == 3);
	CHECK_EQ(tuza_tls_listener(c.l, w.at_server), TUZA_ECONNCLOSED);
	free_world(&w);
}

struct last {
	struct crowd *crowd;
	atomic_int turn; // relaxed: it orders nothing for the race detector
	tuza_waitgroup done;
};

static void take_turn(struct last *l, int turn)
{
	while (atomic_load_explicit(&l->turn, memory_order_relaxed) != turn)
		tuza_sleep(100 * TUZA_MICROSECOND);
}

static void give_turn(struct last *l, int turn)
{
	atomic_store_explicit(&l->turn, turn, memory_order_relaxed);
}

// The session that comes with the answer is remembered.
static tuza_conn *dial_and_read(struct last *l)
{
	uint64_t n = 5;
	tuza_conn *conn = NULL;
	CHECK_EQ(tuza_tls_dial(tuza_context_background(), "tcp", l->crowd->address,
			 l->crowd->config, &conn, NULL),
		0);
	CHECK_EQ(tuza_conn_write(conn, &n, sizeof n), sizeof n);
	CHECK_EQ(read_all(conn, (char *)&n, sizeof n), sizeof n);
	return conn;
}

static void close_last(struct last *l)
{
	tuza_conn *conn = dial_and_read(l);
	give_turn(l, 1);
	take_turn(l, 3);
	CHECK_EQ(tuza_conn_close(conn), 0);
	tuza_waitgroup_done(&l->done);
}

static void come_and_go(struct last *l)
{
	take_turn(l, 1);
	CHECK_EQ(tuza_conn_close(dial_and_read(l)), 0);
	give_turn(l, 2);
	tuza_waitgroup_done(&l->done);
}

// It frees what others have remembered; ThreadSanitizer must know that they have done with it.
TEST(configuration_goes_with_its_last_connection)
{
	struct world w =
		make_world((tuza_tls_options){0}, (tuza_tls_options){.server_name = "localhost"});
	struct crowd c = {.config = w.at_client};
	struct last l = {.crowd = &c};
	CHECK_EQ(tuza_tls_listen("tcp", "127.0.0.1:0", w.at_server, &c.l), 0);
	CHECK_EQ(tuza_listener_address(c.l, c.address, sizeof c.address), 0);
	TUZA_GO(serve_all, &c);
	tuza_waitgroup_add(&l.done, 2);
	TUZA_GO(close_last, &l);
	TUZA_GO(come_and_go, &l);
	take_turn(&l, 2);
	free_world(&w);
	give_turn(&l, 3);
	tuza_waitgroup_wait(&l.done);
	CHECK_EQ(tuza_listener_close(c.l), 0);
	WAIT_UNTIL(c.ended && c.served == 2);
}
