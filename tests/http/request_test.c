// SPDX-License-Identifier: MIT
/*
 * Which requests are understood, and how; and which are refused, with the exact answer. The second
 * table is the corpus of what has smuggled requests past proxies: RFC 9112, section 11.2, and what
 * went wrong in other servers.
 */
#include "http_support.h"

static atomic_int calls;

// Shows how the request was understood.
static void show(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	char body[256];
	size_t length = 0;
	ssize_t n;

	(void)arg;
	atomic_fetch_add(&calls, 1);
	while ((n = tuza_http_body_read(r, body + length, sizeof body - length)) > 0)
		length += (size_t)n;
	CHECK_EQ(tuza_http_set_header(w, "Content-Type", NULL), 0);
	if (n < 0) {
		CHECK_EQ(tuza_http_error(w, 400, tuza_error_name((int)n)), 0);
		return;
	}
	tuza_http_printf(w, "%s|%s|%s|%s|1.%d|%lld|%.*s", tuza_http_method(r), tuza_http_path(r),
		tuza_http_query(r), tuza_http_host(r), tuza_http_minor(r),
		(long long)tuza_http_content_length(r), (int)length, body);
}

#define H "Host: a\r\n"

static const struct accepted {
	const char *request, *shown;
} accepted[] = {
	{"GET / HTTP/1.1\r\n" H "\r\n", "GET|/||a|1.1|0|"},
	{"GET /a/b?x=1&y HTTP/1.1\r\n" H "\r\n", "GET|/a/b|x=1&y|a|1.1|0|"},
	{"GET /?a?b HTTP/1.1\r\n" H "\r\n", "GET|/|a?b|a|1.1|0|"},
	{"GET /a%2Fb HTTP/1.1\r\n" H "\r\n", "GET|/a%2Fb||a|1.1|0|"},
	{"GET / HTTP/1.0\r\n\r\n", "GET|/|||1.0|0|"},
	{"\r\nGET / HTTP/1.1\r\n" H "\r\n", "GET|/||a|1.1|0|"},
	{"GET / HTTP/1.1\r\nhOST:a\r\n\r\n", "GET|/||a|1.1|0|"},
	{"GET / HTTP/1.1\r\nHost: \t a:8080 \t\r\n\r\n", "GET|/||a:8080|1.1|0|"},
	{"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET|/||[::1]:80|1.1|0|"},
	{"GET / HTTP/1.1\r\n" H "Empty:\r\nX: a\tb\r\n\r\n", "GET|/||a|1.1|0|"},
	{"GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"GET|/||a|1.1|0|"},
	{"POST / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: h2c\r\n"
	 "Content-Length: 5\r\n\r\nhello",
		"POST|/||a|1.1|5|hello"},
	{"GET / HTTP/1.1\r\nEmpty: \r\n" H "\r\n", "GET|/||a|1.1|0|"},
	{"GET / HTTP/1.1\r\n" H "X: \xc3\xa9\r\n\r\n", "GET|/||a|1.1|0|"},
	{"GET http://a/p?q HTTP/1.1\r\n" H "\r\n", "GET|/p|q|a|1.1|0|"},
	{"GET http://a HTTP/1.1\r\n" H "\r\n", "GET|/||a|1.1|0|"},
	{"GET http://a?q HTTP/1.1\r\n" H "\r\n", "GET|/|q|a|1.1|0|"},
	{"OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS|*||a|1.1|0|"},
	{"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello", "POST|/||a|1.1|5|hello"},
	{"POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", "POST|/||a|1.1|0|"},
	{"POST / HTTP/1.1\r\n" H "Content-Length: 0005\r\n\r\nhello", "POST|/||a|1.1|5|hello"},
	{"PUT / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"PUT|/||a|1.1|-1|hello"},
	{"PUT / HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n"
	 "2;name=value;other=\"x\"\r\nhe\r\n00003\r\nllo\r\n000\r\nTrailer: x\r\n\r\n",
		"PUT|/||a|1.1|-1|hello"},
	{"PUT / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "PUT|/||a|1.1|-1|"},
};

static void check_accepted(tuza_http_server *server, const char *request, const char *shown,
	size_t step, struct answer *a)
{
	char want[512];
	bool old = strstr(request, "HTTP/1.0") != NULL;

	snprintf(want, sizeof want, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n%s\r\n%s",
		strlen(shown), old ? "Connection: close\r\n" : "", shown);
	if (!CHECK_STR(answer_to(server, request, strlen(request), step, a), want))
		printf("  request: %s\n", request);
}

TEST(well_formed_requests_are_understood)
{
	struct answer *a = malloc(sizeof *a);
	tuza_http_server *server =
		tuza_http_server_new(&(tuza_http_server_options){.handler = show});

	for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++)
		for (size_t step = 1; step < 5000; step = step * 6 + 1)
			check_accepted(server, accepted[i].request, accepted[i].shown, step, a);
	tuza_http_server_free(server);
	free(a);
}

// What a handler can ask about the head.
static void show_head(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	const char *name, *value;

	(void)arg;
	CHECK_EQ(tuza_http_set_header(w, "Content-Type", NULL), 0);
	tuza_http_printf(w, "%s|%s|%s|%s", tuza_http_target(r), tuza_http_header(r, "x-twice"),
		tuza_http_header(r, "EMPTY"), tuza_http_header(r, "None") ? "?" : "none");
	for (size_t i = 0; (name = tuza_http_header_at(r, i, &value)) != NULL; i++)
		tuza_http_printf(w, "|%s=%s", name, value);
	tuza_http_printf(w, "|%s", tuza_http_remote(r)); // "": a tuza_pipe has no address
}

TEST(headers_are_found_by_name_and_by_number)
{
	static const char request[] = "GET /a%2Fb?q HTTP/1.1\r\nHost: a\r\nX-Twice: 1\r\n"
				      "x-twice: \t2 \r\nEmpty:\r\n\r\n";
	struct answer *a = malloc(sizeof *a);
	tuza_http_server *server =
		tuza_http_server_new(&(tuza_http_server_options){.handler = show_head});

	check_accepted(server, request, "/a%2Fb?q|1||none|Host=a|X-Twice=1|x-twice=2|Empty=|",
		sizeof request, a);
	tuza_http_server_free(server);
	free(a);
}

#define S(text) text, sizeof(text) - 1

static const struct refused {
	int status;
	const char *request;
	size_t count;
} refused[] = {
	// the end of a line
	{400, S("GET / HTTP/1.1\nHost: a\r\n\r\n")},
	{400, S("GET / HTTP/1.1\r\nHost: a\n\r\n")},
	{400, S("GET / HTTP/1.1\r\nHost: a\r\n\n")},
	{400, S("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n")},
	{400, S("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n")},
	{400, S("GET /\r HTTP/1.1\r\nHost: a\r\n\r\n")},
	{400, S("\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")},
	{400, S("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")},
	// what is no text
	{400, S("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n")},
	{400, S("GET / HTTP/1.1\r\nHost: a\r\nX: a\x7f\r\n\r\n")},
	{400, S("GET / HTTP/1.1\r\nHost: a\r\nX: \x1b[2J\r\n\r\n")},
	{400, S("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n")},
	{400, S("\x16\x03\x01\x02")}, // a TLS client
	// a line that goes on
	{400, S("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n")},
	{400, S("GET / HTTP/1.1\r\n Host: a\r\n\r\n")},
	{400, S("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n")},
	// names
	{400, S("GET / HTTP/1.1\r\nHost : a\r\n\r\n")},
	{400, S("GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello")},
	{400, S("GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n")},
	{400, S("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n")},
	{400, S("GET / HTTP/1.1\r\nHost: a\r\nX(y): x\r\n\r\n")},
	{400, S("GET / HTTP/1.1\r\nHost: a\r\n\xc3\xa9: x\r\n\r\n")},
	// hosts
	{400, S("GET / HTTP/1.1\r\n\r\n")},
	{400, S("GET / HTTP/1.1\r\nHost:\r\n\r\n")},
	{400, S("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n")},
	{400, S("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n")},
	{400, S("GET / HTTP/1.1\r\nHost: a b\r\n\r\n")},
	{400, S("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n")},
	{400, S("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n")},
	{400, S("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n")},
	{400, S("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n")},
	{400, S("GET http://u@a/x HTTP/1.1\r\nHost: a\r\n\r\n")},
	{400, S("GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n")},
	// the first line
	{400, S("GET  / HTTP/1.1\r\nHost: a\r\n\r\n")},
	{400, S("GET /  HTTP/1.1\r\nHost: a\r\n\r\n")},
	{400, S("GET / HTTP/1.1 \r\nHost: a\r\n\r\n")},
	{400, S(" GET / HTTP/1.1\r\nHost: a\r\n\r\n")},
	{400, S("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n")},
	{400, S("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n")},
	{400, S("GET /#part HTTP/1.1\r\nHost: a\r\n\r\n")},
	{400, S("GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n")},
	{400, S("GET * HTTP/1.1\r\nHost: a\r\n\r\n")},
	{400, S("GET a HTTP/1.1\r\nHost: a\r\n\r\n")},
	{400, S("GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n")},
	{400, S("GET /\r\nHost: a\r\n\r\n")},
	{400, S("GET / http/1.1\r\nHost: a\r\n\r\n")},
	{400, S("GET / HTTP/11\r\nHost: a\r\n\r\n")},
	{400, S("GET / HTTP/1.\r\nHost: a\r\n\r\n")},
	{400, S("(GET) / HTTP/1.1\r\nHost: a\r\n\r\n")},
	{501, S("BREW / HTTP/1.1\r\nHost: a\r\n\r\n")},
	{501, S("get / HTTP/1.1\r\nHost: a\r\n\r\n")},
	{501, S("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n")},
	{505, S("GET / HTTP/1.2\r\nHost: a\r\n\r\n")},
	{505, S("GET / HTTP/2.0\r\nHost: a\r\n\r\n")},
	{505, S("GET / HTTP/0.9\r\nHost: a\r\n\r\n")},
	{505, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
	// lengths
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: "
		"6\r\n\r\nhello")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: "
		"5\r\n\r\nhello")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\nhello")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5.0\r\n\r\nhello")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nhello")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\nx")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\nx")},
	// codings
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: "
		"chunked\r\n\r\n"
		"0\r\n\r\n")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: "
		"5\r\n\r\n"
		"0\r\n\r\n")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
		"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0b"
		"chunked\r\n\r\n")},
	{400, S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n")},
	{400, S("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")},
	{501, S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")},
	{417, S("POST / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\nx")},
};

static const char *refusal(int status, char *want, size_t bytes)
{
	const char *words = tuza_http_status_text(status);
	snprintf(want, bytes,
		"HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
		"X-Content-Type-Options: nosniff\r\nContent-Length: %zu\r\nConnection: "
		"close\r\n\r\n"
		"%s\n",
		status, words, strlen(words) + 1, words);
	return want;
}

static void check_refused(
	tuza_http_server *server, const struct refused *r, size_t step, struct answer *a)
{
	char want[512];

	if (!CHECK_STR(answer_to(server, r->request, r->count, step, a),
		    refusal(r->status, want, sizeof want)))
		printf("  request: %s\n", r->request);
}

// What is refused is answered once, and neither it nor what follows it reaches a handler.
TEST(ambiguous_requests_are_refused_and_the_connection_closed)
{
	struct answer *a = malloc(sizeof *a);
	tuza_http_server *server =
		tuza_http_server_new(&(tuza_http_server_options){.handler = show});

	atomic_store(&calls, 0);
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		check_refused(server, &refused[i], 1, a);
		check_refused(server, &refused[i], 4096, a);
	}
	CHECK_EQ(calls, 0);
	tuza_http_server_free(server);
	free(a);
}

// Bodies that are not what chunks have to be: the handler learns of it, and nothing that follows
// is taken for a request.
static const struct broken {
	const char *body;
	const char *error;
} broken[] = {
	{"5\nhello\r\n0\r\n\r\n", "EBADMSG"},
	{"5\r\nhello\n0\r\n\r\n", "EBADMSG"},
	{"5\r\nhelloX\r\n0\r\n\r\n", "EBADMSG"},
	{"5;a\nhello\r\n0\r\n\r\n", "EBADMSG"},
	{"5;a\rb\r\nhello\r\n0\r\n\r\n", "EBADMSG"},
	{"5 \r\nhello\r\n0\r\n\r\n", "EBADMSG"},
	{" 5\r\nhello\r\n0\r\n\r\n", "EBADMSG"},
	{"0x5\r\nhello\r\n0\r\n\r\n", "EBADMSG"},
	{"+5\r\nhello\r\n0\r\n\r\n", "EBADMSG"},
	{"-5\r\nhello\r\n0\r\n\r\n", "EBADMSG"},
	{"5g\r\nhello\r\n0\r\n\r\n", "EBADMSG"},
	{"\r\nhello\r\n0\r\n\r\n", "EBADMSG"},
	{";a\r\n0\r\n\r\n", "EBADMSG"},
	{"10000000000000005\r\nhello\r\n0\r\n\r\n", "EBADMSG"},
	{"0000000000000005\r\nhello\r\n0\r\n\r\n", "EBADMSG"},
	{"0\r\nno colon\r\n\r\n", "EBADMSG"},
	{"0\r\nX : y\r\n\r\n", "EBADMSG"},
	{"0\r\n X: y\r\n\r\n", "EBADMSG"},
	{"0\r\nX: y\n\r\n", "EBADMSG"},
	{"0\n\n", "EBADMSG"},
	{"0\r\n\n", "EBADMSG"},
	{"5\r\nhel", "ECONNRESET"},
	{"5\r\nhello\r\n", "ECONNRESET"},
	{"0\r\n", "ECONNRESET"},
	{"", "ECONNRESET"},
};

TEST(broken_chunks_fail_the_body_and_end_the_connection)
{
	struct answer *a = malloc(sizeof *a);
	tuza_http_server *server =
		tuza_http_server_new(&(tuza_http_server_options){.handler = show});
	char request[512], want[256];

	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		bool reset = strcmp(broken[i].error, "ECONNRESET") == 0;
		snprintf(request, sizeof request,
			"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%s%s",
			broken[i].body, reset ? "" : "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
		snprintf(want, sizeof want,
			"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
			"X-Content-Type-Options: nosniff\r\nContent-Length: %zu\r\n"
			"Connection: close\r\n\r\n%s\n",
			strlen(broken[i].error) + 1, broken[i].error);
		for (size_t step = 1; step < 5000; step += 4095)
			if (!CHECK_STR(answer_to(server, request, strlen(request), step, a), want))
				printf("  body: %s\n", broken[i].body);
	}
	tuza_http_server_free(server);
	free(a);
}

// ---- limits ------------------------------------------------------------------------------------

static char *repeated(char *to, const char *begin, char c, size_t count, const char *end)
{
	size_t length = strlen(begin);
	memcpy(to, begin, length);
	memset(to + length, c, count);
	memcpy(to + length + count, end, strlen(end) + 1);
	return to;
}

TEST(heads_have_a_largest_size)
{
	struct answer *a = malloc(sizeof *a);
	char *request = malloc(1 << 20), want[512];
	tuza_http_server *server =
		tuza_http_server_new(&(tuza_http_server_options){.handler = show});

	// 8 KiB of a request line: "GET /" and " HTTP/1.1" are 14.
	repeated(request, "GET /", 'a', 8192 - 14, " HTTP/1.1\r\nHost: a\r\n\r\n");
	answer_to(server, request, strlen(request), 1000, a);
	CHECK(strncmp(a->bytes, "HTTP/1.1 200 OK\r\n", 17) == 0);
	repeated(request, "GET /", 'a', 8192 - 13, " HTTP/1.1\r\nHost: a\r\n\r\n");
	CHECK_STR(answer_to(server, request, strlen(request), 1000, a),
		refusal(414, want, sizeof want));
	repeated(request, "GET /", 'a', 100000, "");
	CHECK_STR(answer_to(server, request, strlen(request), 1000, a),
		refusal(414, want, sizeof want));

	// 64 KiB of headers, their ends included: "Host: a\r\n", "X: " and 4 more.
	repeated(request, "GET / HTTP/1.1\r\nHost: a\r\nX: ", 'a', 65536 - 9 - 3 - 4, "\r\n\r\n");
	CHECK_CONTAINS(answer_to(server, request, strlen(request), 5000, a), "200 OK");
	repeated(request, "GET / HTTP/1.1\r\nHost: a\r\nX: ", 'a', 65536 - 9 - 3, "\r\n\r\n");
	CHECK_STR(answer_to(server, request, strlen(request), 5000, a),
		refusal(431, want, sizeof want));

	// 100 headers.
	for (int count = 100; count <= 101; count++) {
		size_t length = (size_t)sprintf(request, "GET / HTTP/1.1\r\nHost: a\r\n");
		for (int i = 1; i < count; i++)
			length += (size_t)sprintf(request + length, "X%d: y\r\n", i);
		sprintf(request + length, "\r\n");
		answer_to(server, request, strlen(request), 5000, a);
		if (count == 100)
			CHECK_CONTAINS(a->bytes, "200 OK");
		else
			CHECK_STR(a->bytes, refusal(431, want, sizeof want));
	}
	tuza_http_server_free(server);
	free(request);
	free(a);
}

// Other limits than the usual ones; without any, a head is as long as it likes.
TEST(limits_of_heads_can_be_chosen)
{
	struct answer *a = malloc(sizeof *a);
	char *request = malloc(1 << 20), want[512];
	tuza_http_server *server = tuza_http_server_new(&(tuza_http_server_options){
		.handler = show, .max_request_line = 20, .max_headers = 2, .max_header_bytes = 30});

	CHECK_CONTAINS(
		answer_to(server, S("GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"), 99, a), "200");
	CHECK_STR(answer_to(server, S("GET /aaaaaaa HTTP/1.1\r\nHost: a\r\n\r\n"), 99, a),
		refusal(414, want, sizeof want));
	CHECK_STR(answer_to(server, S("GET / HTTP/1.1\r\nHost: a\r\nX: \r\nY:\r\n\r\n"), 99, a),
		refusal(431, want, sizeof want));
	CHECK_STR(answer_to(server, S("GET / HTTP/1.1\r\nHost: a\r\nX: 890123456789012\r\n\r\n"),
			  99, a),
		refusal(431, want, sizeof want));
	tuza_http_server_free(server);

	server = tuza_http_server_new(&(tuza_http_server_options){.handler = show,
		.max_request_line = -1,
		.max_headers = -1,
		.max_header_bytes = -1});
	size_t length = (size_t)sprintf(request, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 1000; i++)
		length += (size_t)sprintf(request + length, "X%d: %0200d\r\n", i, i);
	sprintf(request + length, "\r\n");
	CHECK_CONTAINS(answer_to(server, request, strlen(request), 50000, a), "200 OK");
	tuza_http_server_free(server);
	free(request);
	free(a);
}

// max_body_bytes: what is announced to be longer is not waited for, and chunks are counted.
TEST(bodies_have_a_largest_size)
{
	struct answer *a = malloc(sizeof *a);
	tuza_http_server *server = tuza_http_server_new(
		&(tuza_http_server_options){.handler = show, .max_body_bytes = 5});

	CHECK_CONTAINS(
		answer_to(server, S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"),
			99, a),
		"|5|hello");
	CHECK_CONTAINS(
		answer_to(server,
			S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nhello!"), 99, a),
		"Connection: close\r\n\r\nEFBIG\n");
	CHECK_CONTAINS(answer_to(server,
			       S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
				 "4\r\nhell\r\n2\r\no!\r\n0\r\n\r\n"),
			       99, a),
		"Connection: close\r\n\r\nEFBIG\n");
	tuza_http_server_free(server);
	free(a);
}
