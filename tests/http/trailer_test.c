// SPDX-License-Identifier: MIT
/*
 * Trailers, in requests and in answers. Go: net/http, TestTrailersServer…
 */
#include "http_support.h"

// Shows the body and the trailers, those before the end of the body too: there are none.
static void show(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	char body[64];
	const char *name, *value;
	ssize_t n = 0, got;

	(void)arg;
	CHECK(!tuza_http_trailer(r, "A"));
	CHECK(!tuza_http_trailer_at(r, 0, NULL));
	while ((got = tuza_http_body_read(r, body + n, 3)) > 0)
		n += got;
	tuza_http_set_header(w, "Content-Type", NULL);
	if (got < 0) {
		CHECK(!tuza_http_trailer(r, "A"));
		tuza_http_printf(w, "%s", tuza_error_name((int)got));
		return;
	}
	tuza_http_printf(w, "%.*s", (int)n, body);
	for (size_t i = 0; (name = tuza_http_trailer_at(r, i, &value)); i++)
		tuza_http_printf(w, "|%s=%s", name, value);
	CHECK(!tuza_http_trailer(r, "None"));
	value = tuza_http_trailer(r, "SUM");
	tuza_http_printf(w, "|%s", value ? value : "-");
}

static const struct {
	const char *trailers, *shown;
} requests[] = {
	{"", "hello|-"},
	{"Sum: 7\r\n", "hello|Sum=7|7"},
	{"sum:7\r\n", "hello|sum=7|7"},
	{"A: 1\r\nSum: \t x y\t \r\nB:\r\n", "hello|A=1|Sum=x y|B=|x y"},
	{"Sum: 1\r\nSum: 2\r\n", "hello|Sum=1|Sum=2|1"},
	// What would say another message: not shown.
	{"Content-Length: 9\r\nTRANSFER-ENCODING: chunked\r\nHost: b\r\nTrailer: x\r\nA: 1\r\n",
		"hello|A=1|-"},
	{"A(: 1\r\n", "EBADMSG"},
	{"A\xc3\xa9: 1\r\n", "EBADMSG"},
	{": 1\r\n", "EBADMSG"},
	{"A : 1\r\n", "EBADMSG"},
	{"A: 1\r\n b\r\n", "EBADMSG"},
};

TEST(trailers_of_a_request_are_there_when_its_body_was_read)
{
	struct answer *a = malloc(sizeof *a);
	tuza_http_server *server =
		tuza_http_server_new(&(tuza_http_server_options){.handler = show});
	char request[1024], want[256];

	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
		for (size_t step = 1; step < 5000; step = step * 6 + 1) {
			bool bad = requests[i].shown[0] == 'E';
			snprintf(request, sizeof request,
				"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked" END
				"5\r\nhello\r\n0\r\n%s\r\n"
				"GET / HTTP/1.1\r\nHost: a\r\nConnection: close" END,
				requests[i].trailers);
			snprintf(want, sizeof want,
				"HTTP/1.1 200 OK\r\nContent-Length: %zu%s" END "%s%s",
				strlen(requests[i].shown), bad ? "\r\nConnection: close" : "",
				requests[i].shown,
				bad ? ""
				    : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
				      "Connection: close" END "|-");
			if (!CHECK_STR(answer_to(server, request, strlen(request), step, a), want))
				printf("  trailers: %s\n", requests[i].trailers);
		}
	tuza_http_server_free(server);
	free(a);
}

// ---- answers -----------------------------------------------------------------------------------

static const char *answer_of(tuza_http_handler handler, const char *request, struct answer *a)
{
	tuza_http_server *server =
		tuza_http_server_new(&(tuza_http_server_options){.handler = handler});
	answer_to(server, request, strlen(request), 4096, a);
	tuza_http_server_free(server);
	return a->bytes;
}

static void add_up(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)r;
	(void)arg;
	CHECK_EQ(tuza_http_set_trailer(w, "Sum", "?"), 0);
	CHECK_EQ(tuza_http_set_trailer(w, "Gone", "1"), 0);
	CHECK_EQ(tuza_http_set_trailer(w, "State", "begun"), 0);
	CHECK_EQ(tuza_http_set_trailer(w, "gone", NULL), 0);
	CHECK_EQ(tuza_http_write(w, "a", 1), 1);
	CHECK_EQ(tuza_http_flush(w), 0);
	CHECK_EQ(tuza_http_write(w, "b", 1), 1);
	CHECK_EQ(tuza_http_set_trailer(w, "sum", "2"), 0);
	CHECK_EQ(tuza_http_set_trailer(w, "Late", "yes"), 0);
}

static void one_trailer(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)r;
	(void)arg;
	CHECK_EQ(tuza_http_set_header(w, "Content-Length", "1"), 0);
	CHECK_EQ(tuza_http_write(w, "a", 1), 1);
	CHECK_EQ(tuza_http_set_trailer(w, "Sum", "1"), 0);
}

TEST(trailers_of_an_answer_follow_its_chunks)
{
	struct answer *a = malloc(sizeof *a);
	static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close" END;
	static const char head[] = "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close" END;

	CHECK_STR(answer_of(add_up, get, a),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Sum, State\r\n"
		"Connection: close" END "1\r\na\r\n1\r\nb\r\n0\r\n"
		"State: begun\r\nsum: 2\r\nLate: yes" END);
	CHECK_STR(answer_of(one_trailer, get, a),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n"
		"Connection: close" END "1\r\na\r\n0\r\nSum: 1" END);
	CHECK_STR(answer_of(one_trailer, head, a),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n"
		"Connection: close" END);
	free(a);
}

static void cannot_have_any(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	static const char *const wrong[] = {"Content-Length", "content-type", "Transfer-Encoding",
		"Host", "Connection", "If-Match", "Set-Cookie", "", "a b", "a:"};

	(void)arg;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CHECK_EQ(tuza_http_set_trailer(w, wrong[i], "x"), -EINVAL);
	CHECK_EQ(tuza_http_set_trailer(w, "A", "x\r\nB: y"), -EINVAL);
	if (tuza_http_minor(r) == 0) {
		CHECK_EQ(tuza_http_set_trailer(w, "A", "x"), -EOPNOTSUPP);
		return;
	}
	CHECK_EQ(tuza_http_set_header(w, "Content-Length", "1"), 0);
	CHECK_EQ(tuza_http_write(w, "a", 1), 1);
	CHECK_EQ(tuza_http_flush(w), 0);
	CHECK_EQ(tuza_http_set_trailer(w, "A", "x"), -EALREADY);
}

static void change_our_mind(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)r;
	(void)arg;
	CHECK_EQ(tuza_http_set_trailer(w, "A", "x"), 0);
	CHECK_EQ(tuza_http_error(w, 500, "no"), 0);
}

TEST(trailers_that_cannot_be_are_refused)
{
	struct answer *a = malloc(sizeof *a);

	CHECK_STR(
		answer_of(cannot_have_any, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close" END, a),
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close" END "a");
	CHECK_STR(answer_of(cannot_have_any, "GET / HTTP/1.0" END, a),
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close" END);
	answer_of(change_our_mind, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close" END, a);
	CHECK_CONTAINS(a->bytes, "Content-Length: 3");
	CHECK(!strstr(a->bytes, "Trailer"));
	free(a);
}
