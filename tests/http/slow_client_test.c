// SPDX-License-Identifier: MIT
/*
 * What a server does about clients that are slow: in sending a head or a body, in asking for more,
 * in reading.
 */
#include "http_support.h"

static const char timeout_answer[] =
	"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\n"
	"X-Content-Type-Options: nosniff\r\nContent-Length: 16\r\nConnection: close" END
	"Request Timeout\n";

// However it is spread, a head has its time and no more.
TEST(a_client_that_sends_its_head_slowly_is_turned_away)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;

	site_open(&s,
		&(tuza_http_server_options){.handler = say_hello, .read_header_timeout = 100 * MS});
	tuza_conn *conn;
	int attempts = 0;
	do { // until the machine lets us send something in time
		int64_t before = tuza_now();
		conn = site_dial(&s); // from then on it may be waited for
		(void)send_text(conn, "GET / HTTP/1.1\r\nHost");
		read_to_end(conn, a);
		CHECK(a->length == 0 || tuza_now() - before >= 100 * MS);
		CHECK_EQ(tuza_conn_close(conn), 0);
	} while (a->length == 0 && ++attempts < 50);
	CHECK_STR(a->bytes, timeout_answer);

	// A byte now and then keeps nobody in.
	conn = site_dial(&s);
	CHECK(send_text(conn, "GET / HTTP/1.1\r\nHost: "));
	while (send_text(conn, "a") && tuza_http_server_connections(s.server) > 0)
		tuza_sleep(5 * MS);
	CHECK_EQ(tuza_conn_close(conn), 0);

	// Whoever sends nothing is not answered.
	conn = site_dial(&s);
	CHECK_STR(read_to_end(conn, a), "");
	CHECK_EQ(tuza_conn_close(conn), 0);
	site_close(&s);
	free(a);
}

TEST(an_idle_connection_is_closed_in_the_end)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;

	site_open(&s, &(tuza_http_server_options){.handler = say_hello, .idle_timeout = 50 * MS});
	tuza_conn *conn = site_dial(&s);
	int64_t before = tuza_now();
	CHECK(send_text(conn, GET("/")));
	CHECK_STR(read_answer(conn, a, false), HELLO);
	CHECK_STR(read_to_end(conn, a), "");
	CHECK(tuza_now() - before >= 50 * MS);
	CHECK_EQ(tuza_conn_close(conn), 0);
	site_close(&s);
	free(a);
}

// Its deadline is not set anew for each of them, and is late enough all the same.
TEST(a_connection_that_is_used_outlives_its_idle_time_and_is_closed_soon_after_it)
{
	enum { IDLE_MS = 900, TIMES = 41 };
	struct answer *a = malloc(sizeof *a);
	struct site s;

	site_open(&s,
		&(tuza_http_server_options){.handler = say_hello, .idle_timeout = IDLE_MS * MS});
	tuza_conn *conn = site_dial(&s);
	int64_t last = tuza_now();
	for (int i = 0; i < TIMES; i++) {
		if (i % 4 == 0) // the others come in a row
			tuza_sleep(IDLE_MS * 8 / TIMES * MS);
		last = tuza_now();
		CHECK(send_text(conn, GET("/")));
		CHECK_STR(read_answer(conn, a, false), HELLO);
	}
	CHECK_STR(read_to_end(conn, a), "");
	CHECK(tuza_now() - last >= IDLE_MS * MS);
	CHECK_EQ(tuza_conn_close(conn), 0);
	site_close(&s);
	free(a);
}

static atomic_int body_error;

static void read_body(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	char bytes[64];
	ssize_t n;

	(void)arg;
	while ((n = tuza_http_body_read(r, bytes, sizeof bytes)) > 0)
		;
	CHECK_EQ(tuza_http_body_read(r, bytes, sizeof bytes), n);
	atomic_store(&body_error, (int)n);
	(void)tuza_http_error(w, n ? 408 : 200, NULL);
}

TEST(a_client_that_sends_its_body_slowly_is_turned_away)
{
	struct answer *a = malloc(sizeof *a);
	struct site s;

	tuza_conn *conn;
	int attempts = 0;

	site_open(&s, &(tuza_http_server_options){.handler = read_body, .read_timeout = 50 * MS});
	atomic_store(&body_error, 0);
	do { // until the machine lets us send the head in time
		conn = site_dial(&s);
		(void)send_text(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5" END "he");
		read_to_end(conn, a);
		CHECK_EQ(tuza_conn_close(conn), 0);
	} while (body_error == 0 && ++attempts < 50);
	CHECK_STR(a->bytes, timeout_answer);
	CHECK_EQ(body_error, TUZA_EIOTIMEOUT);
	site_close(&s);

	// One that goes away in the middle.
	site_open(&s, &(tuza_http_server_options){.handler = read_body});
	conn = site_dial(&s);
	atomic_store(&body_error, 0);
	CHECK(send_text(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5" END "he"));
	CHECK_EQ(tuza_conn_close(conn), 0);
	WAIT_UNTIL(body_error == -ECONNRESET);
	site_close(&s);
	free(a);
}

static void count_body(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	char bytes[16];
	ssize_t n, length = 0;

	(void)arg;
	while ((n = tuza_http_body_read(r, bytes, sizeof bytes)) > 0)
		length += n;
	CHECK_EQ(n, 0);
	tuza_http_printf(w, "%zd", length);
}

TEST(the_longest_times_do_not_end_at_once)
{
	static const char request[] =
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5" END "hello" GET("/");
	struct answer *a = malloc(sizeof *a);
	tuza_http_server *server = tuza_http_server_new(&(tuza_http_server_options){
		.handler = count_body,
		.read_header_timeout = INT64_MAX,
		.read_timeout = INT64_MAX,
		.write_timeout = INT64_MAX,
		.idle_timeout = INT64_MAX,
	});

	CHECK_STR(answer_to(server, request, sizeof request - 1, 1, a),
		"HTTP/1.1 200 OK\r\nContent-Length: 1" END "5"
		"HTTP/1.1 200 OK\r\nContent-Length: 1" END "0");
	tuza_http_server_free(server);
	free(a);
}

static atomic_int write_error;

static void write_without_end(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	static char bytes[1 << 16];
	ssize_t n;

	(void)r;
	(void)arg;
	while ((n = tuza_http_write(w, bytes, sizeof bytes)) == sizeof bytes)
		;
	CHECK_EQ(tuza_http_write(w, bytes, 1), n);
	CHECK_EQ(tuza_http_flush(w), n);
	atomic_store(&write_error, (int)n);
}

TEST(a_client_that_does_not_read_is_given_up)
{
	struct site s;

	site_open(&s, &(tuza_http_server_options){
			      .handler = write_without_end, .write_timeout = 50 * MS});
	tuza_conn *conn = site_dial(&s);
	atomic_store(&write_error, 0);
	CHECK(send_text(conn, GET("/")));
	WAIT_UNTIL(write_error == TUZA_EIOTIMEOUT);
	WAIT_UNTIL(tuza_http_server_connections(s.server) == 0);
	CHECK_EQ(tuza_conn_close(conn), 0);
	site_close(&s);
}
