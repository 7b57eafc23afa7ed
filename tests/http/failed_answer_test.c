// SPDX-License-Identifier: MIT
/*
 * Answers that cannot be sent: what the handler learns of it, and what the access log says.
 */
#include "http_support.h"

#include <sys/socket.h>

static atomic_int begun, ended, error_of_write, error_of_context;

// Closes it so that the other side has an error at once, whatever was sent.
static void cut(tuza_conn *conn)
{
	struct linger none = {.l_onoff = 1};
	CHECK_EQ(setsockopt(tuza_conn_fd(conn), SOL_SOCKET, SO_LINGER, &none, sizeof none), 0);
	CHECK_EQ(tuza_conn_close(conn), 0);
}

static bool is_gone(int error) { return error == -ECONNRESET || error == -EPIPE; }

// ---- in the middle -----------------------------------------------------------------------------

static void write_until_it_fails(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	enum { MUCH = 4 << 20 }; // more than the system takes at a time
	char *bytes = calloc(1, MUCH);
	ssize_t n;

	tuza_context *ctx = arg ? tuza_http_context(r) : NULL;
	CHECK(!ctx || tuza_context_err(ctx) == 0);
	while ((n = tuza_http_write(w, bytes, MUCH)) == MUCH)
		;
	CHECK_EQ(tuza_http_write(w, bytes, 1), n);
	free(bytes);
	atomic_store(&error_of_write, (int)n);
	atomic_store(&error_of_context, tuza_context_err(tuza_http_context(r)));
	atomic_fetch_add(&ended, 1);
}

// The code is why, even if a part was sent. Behind the request comes another one, so that nobody
// can see the end of the connection but by writing.
static void check_middle(void *early)
{
	struct site s;
	char some[1000];

	site_open(&s, &(tuza_http_server_options){.handler = write_until_it_fails, .arg = early});
	for (int i = 0; i < 20; i++) {
		atomic_store(&ended, 0);
		tuza_conn *conn = site_dial(&s);
		CHECK(send_text(conn, GET("/") GET("/")));
		CHECK(tuza_conn_read(conn, some, sizeof some) > 0);
		if (i % 2)
			tuza_sleep(5 * MS); // now a write waits, most likely
		cut(conn);
		WAIT_UNTIL(ended == 1);
		CHECK(is_gone(error_of_write));
		CHECK_EQ(error_of_context, -ECANCELED);
	}
	site_close(&s);
}

TEST(a_client_that_goes_away_in_the_middle_is_not_taken_for_a_slow_one) { check_middle(NULL); }

TEST(the_context_ends_when_the_answer_cannot_be_sent) { check_middle("early"); }

// ---- before ------------------------------------------------------------------------------------

static char access_text[128];
static atomic_int accesses;

static void keep_access(const tuza_http_access *access, void *arg)
{
	(void)arg;
	snprintf(access_text, sizeof access_text, "%s %d", access->target, access->status);
	atomic_fetch_add(&accesses, 1);
}

static void answer_nobody(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	char byte;

	(void)arg;
	if (tuza_http_content_length(r) > 0)
		CHECK_EQ(tuza_http_body_read(r, &byte, 1), 1); // after a "100 Continue"
	tuza_context *ctx = tuza_http_context(r);
	atomic_fetch_add(&begun, 1);
	CHECK_EQ(TUZA_SELECT(TUZA_DONE(ctx), TUZA_AFTER(20 * TUZA_SECOND)), 0);
	CHECK_EQ(tuza_http_write(w, "nobody", 6), 6);
	CHECK(is_gone(tuza_http_flush(w)));
}

TEST(the_access_log_has_no_status_for_an_answer_of_which_nothing_was_sent)
{
	struct site s;
	char some[100];

	atomic_store(&accesses, 0);
	atomic_store(&begun, 0);
	site_open(&s,
		&(tuza_http_server_options){.handler = answer_nobody, .access_log = keep_access});
	tuza_conn *conn = site_dial(&s);
	CHECK(send_text(conn, GET("/1")));
	WAIT_UNTIL(begun == 1);
	cut(conn);
	WAIT_UNTIL(accesses == 1);
	CHECK_STR(access_text, "/1 0");

	conn = site_dial(&s);
	CHECK(send_text(conn, "PUT /2 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
			      "Content-Length: 1" END));
	CHECK(tuza_conn_read(conn, some, sizeof some) > 0);
	CHECK(send_text(conn, "x"));
	WAIT_UNTIL(begun == 2);
	cut(conn);
	WAIT_UNTIL(accesses == 2);
	CHECK_STR(access_text, "/2 0");
	site_close(&s);
}
