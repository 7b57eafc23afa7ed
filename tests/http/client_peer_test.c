// SPDX-License-Identifier: MIT
/*
 * The client and servers that are not well: slow, broken off, reset, without end, and such as speak
 * another protocol. Each request ends with a code that says so, in bounded memory. And nginx, where
 * it is installed: keeping connections, large bodies in both directions.
 */
#include "client_support.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <tuza/process.h>

// ---- peers --------------------------------------------------------------------------------------

enum how_it_ends { CLOSES, RESETS, STAYS, FOR_EVER };

// Answers each connection with `first`, then `again` over and over if it goes on for ever.
struct bad {
	const char *name, *first, *again;
	enum how_it_ends end;
	int code;         // of the request
	int body_code;    // of its body, where the request is none the worse
	const char *body; // what came of it
	int64_t header_timeout;
};

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKED_AND OK_HEAD "Transfer-Encoding: chunked\r\n"
#define CHUNKED CHUNKED_AND "\r\n"

static const struct bad bad[] = {
	{"nothing at all", "", "", CLOSES, TUZA_EOF, 0, NULL, 0},
	{"a reset at once", "", "", RESETS, -ECONNRESET, 0, NULL, 0},
	{"half a status line", "HTTP/1.1 2", "", CLOSES, TUZA_EOF, 0, NULL, 0},
	{"half a head", OK_HEAD "Content-Le", "", CLOSES, TUZA_EHTTP, 0, NULL, 0},
	{"a reset in the head", OK_HEAD "Content-Le", "", RESETS, -ECONNRESET, 0, NULL, 0},
	{"a head that does not come", "", "", STAYS, TUZA_EIOTIMEOUT, 0, NULL, 50 * MS},
	{"a head that does not go on", OK_HEAD "A: b\r\n", "", STAYS, TUZA_EIOTIMEOUT, 0, NULL,
		50 * MS},
	{"another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "", CLOSES, TUZA_EHTTP, 0, NULL, 0},
	{"HTTP/0.9", "hello", "", CLOSES, TUZA_EHTTP, 0, NULL, 0},
	{"a status that is none", "HTTP/1.1 abc\r\n\r\n", "", CLOSES, TUZA_EHTTP, 0, NULL, 0},
	{"a version that is none", "HTTP/7.3 200 OK\r\n\r\n", "", CLOSES, TUZA_EHTTP, 0, NULL, 0},
	{"a length that is none", OK_HEAD "Content-Length: -5\r\n\r\nhello", "", CLOSES, TUZA_EHTTP,
		0, NULL, 0},
	{"a length with a sign", OK_HEAD "Content-Length: +5\r\n\r\nhello", "", CLOSES, TUZA_EHTTP,
		0, NULL, 0},
	{"a length in other digits", OK_HEAD "Content-Length: 0x5\r\n\r\nhello", "", CLOSES,
		TUZA_EHTTP, 0, NULL, 0},
	{"a length that is empty", OK_HEAD "Content-Length:\r\n\r\nhello", "", CLOSES, TUZA_EHTTP,
		0, NULL, 0},
	{"a length beyond all numbers", OK_HEAD "Content-Length: 99999999999999999999\r\n\r\n", "",
		CLOSES, TUZA_EHTTP, 0, NULL, 0},
	{"two lengths", OK_HEAD "Content-Length: 5\r\nContent-Length: 4\r\n\r\nhello", "", CLOSES,
		TUZA_EHTTP, 0, NULL, 0},
	{"two lengths in one", OK_HEAD "Content-Length: 5, 4\r\n\r\nhello", "", CLOSES, TUZA_EHTTP,
		0, NULL, 0},
	{"one length, twice", OK_HEAD "Content-Length: 5, 5\r\nContent-Length: 5\r\n\r\nhello", "",
		CLOSES, 0, 0, "hello", 0},
	{"chunks and a length", CHUNKED_AND "Content-Length: +3\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "",
		CLOSES, 0, 0, "hello", 0},
	{"another protocol, unasked", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "",
		STAYS, TUZA_EHTTP, 0, NULL, 0},
	{"a NUL in the head", OK_HEAD "A: b\r\nB: %00\r\n\r\n", "", CLOSES, TUZA_EHTTP, 0, NULL, 0},
	{"headers without end", OK_HEAD, "Name: some value\r\n", FOR_EVER, TUZA_EHTTP, 0, NULL, 0},
	// libcurl's word for a line that it has no room for.
	{"a header without end", OK_HEAD "Name: ", "some value ", FOR_EVER, -ENOMEM, 0, NULL, 0},
	{"a status line without end", "HTTP/1.1 200 ", "O", FOR_EVER, -ENOMEM, 0, NULL, 0},
	{"interim answers without end", "", "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n", FOR_EVER,
		TUZA_EHTTP, 0, NULL, 0},
	{"a body that breaks off", OK_HEAD "Content-Length: 10\r\n\r\nhello", "", CLOSES, 0,
		TUZA_EUNEXPECTEDEOF, "hello", 0},
	{"more than its length", OK_HEAD "Content-Length: 5\r\n\r\nhello and more", "", CLOSES, 0,
		0, "hello", 0},
	{"chunks that break off", CHUNKED "5\r\nhello\r\n", "", CLOSES, 0, TUZA_EUNEXPECTEDEOF,
		"hello", 0},
	{"a chunk that breaks off", CHUNKED "9\r\nhello", "", CLOSES, 0, TUZA_EUNEXPECTEDEOF,
		"hello", 0},
	{"a chunk size that is none", CHUNKED "5\r\nhello\r\nxyz\r\n", "", CLOSES, 0, TUZA_EHTTP,
		"hello", 0},
	{"a chunk size beyond all numbers", CHUNKED "fffffffffffffffffff\r\nhello", "", CLOSES, 0,
		TUZA_EHTTP, "", 0},
	{"a chunk without its end", CHUNKED "5\r\nhelloworld", "", CLOSES, 0, TUZA_EHTTP, "hello",
		0},
	{"trailers without end", CHUNKED "5\r\nhello\r\n0\r\n", "Name: some value\r\n", FOR_EVER, 0,
		TUZA_EHTTP, "hello", 0},
	{"an end without a length", OK_HEAD "\r\nhello", "", CLOSES, 0, 0, "hello", 0},
};

struct bad_server {
	const struct bad *bad;
	tuza_listener *l;
	atomic_int there;
	atomic_long sent;
};

// "%00" stands for a NUL.
static bool say(tuza_conn *conn, const char *text)
{
	const char *nul = strstr(text, "%00");
	size_t n = nul ? (size_t)(nul - text) : strlen(text);
	if (n > 0 && tuza_conn_write(conn, text, n) != (ssize_t)n)
		return false;
	return !nul || (tuza_conn_write(conn, "", 1) == 1 && say(conn, nul + 3));
}

static void misbehave(struct bad_server *s, tuza_conn *conn)
{
	char bytes[16384];
	size_t n = 0;
	const struct linger now = {1, 0};

	(void)!tuza_conn_read(conn, bytes, sizeof bytes); // the request: small, and so in one piece
	bool goes_on = say(conn, s->bad->first);
	if (s->bad->end == FOR_EVER) {
		while (n + strlen(s->bad->again) < sizeof bytes) {
			memcpy(bytes + n, s->bad->again, strlen(s->bad->again));
			n += strlen(s->bad->again);
		}
		while (goes_on && tuza_conn_write(conn, bytes, n) == (ssize_t)n)
			atomic_fetch_add(&s->sent, (long)n);
	} else if (s->bad->end == STAYS) {
		while (tuza_conn_read(conn, bytes, sizeof bytes) > 0)
			;
	} else if (s->bad->end == RESETS) {
		setsockopt(tuza_conn_fd(conn), SOL_SOCKET, SO_LINGER, &now, sizeof now);
	}
	tuza_conn_close(conn);
	atomic_fetch_sub(&s->there, 1);
}

static void accept_all(struct bad_server *s)
{
	tuza_conn *conn;

	while (tuza_accept(s->l, &conn) == 0) {
		atomic_fetch_add(&s->there, 1);
		TUZA_GO(misbehave, s, conn);
	}
	atomic_fetch_sub(&s->there, 1);
}

static void check_bad(const struct bad *b)
{
	struct bad_server s = {.bad = b, .there = 1};
	char address[TUZA_ADDRESS_TEXT], url[160], body[64] = "";
	tuza_http_response *r;
	size_t have = 0;
	ssize_t n = 0;

	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &s.l), 0);
	CHECK_EQ(tuza_listener_address(s.l, address, sizeof address), 0);
	TUZA_GO(accept_all, &s);
	snprintf(url, sizeof url, "http://%s/", address);
	tuza_http_client *client =
		client_with((tuza_http_client_options){.header_timeout = b->header_timeout});
	tuza_http_call call = {.url = url};
	bool right = CHECK_EQ(tuza_http_do(client, tuza_context_background(), &call, &r), b->code);
	if (b->code == 0 && right) {
		while ((n = tuza_http_response_read(r, body + have, sizeof body - 1 - have)) > 0)
			have += (size_t)n;
		right = CHECK_EQ(n, b->body_code);
		right = CHECK_STR(body, b->body) && right;
	} else {
		right = right && CHECK(tuza_http_response_error(r)[0] != '\0');
	}
	if (!right)
		printf("  %s: %s\n", b->name, tuza_http_response_error(r));
	tuza_http_response_free(r);
	tuza_http_client_free(client);
	CHECK_EQ(tuza_listener_close(s.l), 0);
	WAIT_UNTIL(s.there == 0); // nobody is left waiting for the other
	CHECK(s.sent < 16 << 20);
}

TEST(peers_that_are_not_well_are_given_up_with_a_code)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		check_bad(&bad[i]);
}

// ---- nginx --------------------------------------------------------------------------------------

static const char settings[] =
	"daemon off; master_process off; pid %s/pid; error_log /dev/null;\n"
	"events { }\n"
	"http {\n"
	"	access_log off; gzip on; gzip_min_length 1; gzip_types *;\n"
	"	client_max_body_size 100m; default_type text/plain;\n"
	"	client_body_temp_path %s/b; proxy_temp_path %s/p; fastcgi_temp_path %s/f;\n"
	"	uwsgi_temp_path %s/u; scgi_temp_path %s/s;\n"
	"	server {\n"
	"		listen 127.0.0.1:%d;\n"
	"		root %s;\n"
	"		location /r { return 302 /hello; }\n"
	"		location /n { return 204; }\n"
	"		location /up { return 200 $request_length; client_body_in_single_buffer "
	"on; }\n"
	"		location /c { return 200 $connection_requests; }\n"
	"	}\n"
	"}\n";

// A port that nobody has, and that the system gives to nobody who leaves the choice to it.
static int free_port(void)
{
	enum { FIRST = 10000, LAST = 30000 };
	char address[TUZA_ADDRESS_TEXT];
	tuza_listener *l;
	int port = FIRST + getpid() * 17 % (LAST - FIRST), tries = 100;

	do {
		port = port < LAST ? port + 1 : FIRST;
		snprintf(address, sizeof address, "127.0.0.1:%d", port);
	} while (tuza_listen("tcp", address, &l) != 0 && CHECK(--tries > 0));
	tuza_listener_close(l);
	return port;
}

static bool is_up(int port)
{
	char address[32];
	tuza_conn *conn;

	snprintf(address, sizeof address, "127.0.0.1:%d", port);
	if (tuza_dial(tuza_context_background(), "tcp", address, &conn) != 0)
		return false;
	tuza_conn_close(conn);
	return true;
}

static void write_file(const char *dir, const char *name, const char *text, size_t count)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "we");
	CHECK_EQ(fwrite(text, 1, count, f), count);
	fclose(f);
}

static char *fetch(tuza_http_client *c, int port, const char *path, int status, size_t *count)
{
	char url[128], *body = NULL;
	tuza_http_response *r;

	snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
	tuza_http_call call = {.url = url};
	if (CHECK_EQ(tuza_http_do(c, tuza_context_background(), &call, &r), 0)) {
		CHECK_EQ(tuza_http_response_status(r), status);
		CHECK_EQ(tuza_http_response_read_all(r, 64 << 20, &body, count), 0);
	}
	tuza_http_response_free(r);
	return body;
}

static void ask_nginx(tuza_http_client *c, int port, const char *large, size_t bytes)
{
	size_t n;
	char *body = fetch(c, port, "/hello", 200, &n);
	CHECK_STR(body, "hello, ");
	free(body);
	free(fetch(c, port, "/missing", 404, &n));
	free(fetch(c, port, "/n", 204, &n));
	CHECK_EQ(n, 0);
	body = fetch(c, port, "/r", 200, &n); // where it leads to
	CHECK_STR(body, "hello, ");
	free(body);
	for (int i = 0; i < 3; i++) {
		body = fetch(c, port, "/large", 200, &n);
		CHECK_EQ(n, bytes);
		CHECK(n == bytes && memcmp(body, large, n) == 0);
		free(body);
	}
	body = fetch(c, port, "/c", 200, &n); // one connection has had them all
	CHECK(atoi(body) >= 8);
	free(body);
}

static void upload(tuza_http_client *c, int port, const char *large, size_t bytes)
{
	char url[128];
	tuza_http_response *r;
	tuza_http_call call = {.method = "POST", .url = url, .body = large, .body_bytes = bytes};

	snprintf(url, sizeof url, "http://127.0.0.1:%d/up", port);
	CHECK_EQ(tuza_http_do(c, tuza_context_background(), &call, &r), 0);
	CHECK_EQ(tuza_http_response_status(r), 200);
	tuza_http_response_free(r);
}

TEST(nginx_and_the_client_understand_each_other)
{
	enum { BYTES = 5 << 20 };
	char dir[] = "/tmp/tuza-nginx-XXXXXX", text[2048], file[64], path[64];
	char *large = malloc(BYTES);
	int port = free_port();
	tuza_process *nginx;

	if (tuza_process_look_path("nginx", path, sizeof path) != 0 &&
		tuza_process_look_path("/usr/sbin/nginx", path, sizeof path) != 0) {
		SKIP("nginx is not installed");
		free(large);
		return;
	}
	for (size_t i = 0; i < BYTES; i++)
		large[i] = (char)('a' + i * 7 % 23);
	CHECK(mkdtemp(dir));
	chmod(dir, 0755); // its workers may be somebody else
	int n = snprintf(text, sizeof text, settings, dir, dir, dir, dir, dir, dir, port, dir);
	write_file(dir, "conf", text, (size_t)n);
	write_file(dir, "hello", "hello, ", 7);
	write_file(dir, "large", large, BYTES);
	snprintf(file, sizeof file, "%s/conf", dir);
	tuza_process_options o = {.err = tuza_process_inherit()};
	CHECK_EQ(tuza_process_start(
			 tuza_context_background(), TUZA_ARGV(path, "-c", file), &o, &nginx),
		0);
	WAIT_UNTIL(is_up(port));
	tuza_http_client *c = client_new();
	ask_nginx(c, port, large, BYTES);
	upload(c, port, large, BYTES);
	tuza_http_client_free(c);
	tuza_process_free(nginx);
	CHECK_EQ(tuza_process_run(
			 tuza_context_background(), TUZA_ARGV("rm", "-rf", dir), NULL, NULL),
		0);
	free(large);
}
