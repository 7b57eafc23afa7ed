// SPDX-License-Identifier: MIT
/*
 * What the tests of the HTTP client share: a server of a few lines on loopback that does what the
 * path says, right or wrong, and counts.
 */
#ifndef TUZA_CLIENT_SUPPORT_H
#define TUZA_CLIENT_SUPPORT_H

#include "../test.h"

#include <tuza/context.h>
#include <tuza/http_client.h>
#include <tuza/net.h>
#include <tuza/sync.h>

#include <sys/socket.h>

#define MS TUZA_MILLISECOND

struct server {
	tuza_listener *listener;
	char base[TUZA_ADDRESS_TEXT + 8]; // "http://127.0.0.1:40123"
	tuza_waitgroup running;
	atomic_int accepted, requests, gone, closed;
	atomic_int busy, busiest; // requests at a time
	atomic_llong sent;
	atomic_bool gate; // what /gate waits for
};

struct peer {
	struct server *server;
	tuza_conn *conn;
	char buffer[8192];
	size_t start, end;
};

struct request {
	char method[16], path[256];
	char head[4096]; // all of it
	int64_t length;  // of the body; -1: in chunks
};

// ---- reading and writing -----------------------------------------------------------------------

// The next byte, -1 at the end.
TEST_UNUSED_ static int peer_byte(struct peer *p)
{
	if (p->start == p->end) {
		ssize_t n = tuza_conn_read(p->conn, p->buffer, sizeof(p->buffer));
		if (n <= 0)
			return -1;
		p->start = 0;
		p->end = (size_t)n;
	}
	return (unsigned char)p->buffer[p->start++];
}

TEST_UNUSED_ static bool peer_line(struct peer *p, char *line, size_t room)
{
	size_t n = 0;
	int c;
	while ((c = peer_byte(p)) >= 0 && c != '\n')
		if (c != '\r' && n + 1 < room)
			line[n++] = (char)c;
	line[n] = '\0';
	return c >= 0;
}

TEST_UNUSED_ static bool peer_write(struct peer *p, const void *bytes, size_t count)
{
	ssize_t n = tuza_conn_write(p->conn, bytes, count);
	if (n > 0)
		p->server->sent += n;
	return n == (ssize_t)count;
}

TEST_UNUSED_ static bool peer_say(struct peer *p, const char *text)
{
	return peer_write(p, text, strlen(text));
}

TEST_UNUSED_ static bool peer_request(struct peer *p, struct request *r)
{
	char line[1024];
	size_t n = 0;
	r->length = 0;
	r->head[0] = '\0';
	if (!peer_line(p, line, sizeof(line)) ||
		sscanf(line, "%15s %255s", r->method, r->path) != 2)
		return false;
	do {
		n += (size_t)snprintf(r->head + n, sizeof(r->head) - n, "%s\n", line);
		if (!peer_line(p, line, sizeof(line)))
			return false;
		if (strncasecmp(line, "Content-Length:", 15) == 0)
			r->length = atoll(line + 15);
		if (strcasecmp(line, "Transfer-Encoding: chunked") == 0)
			r->length = -1;
	} while (line[0] && n < sizeof(r->head));
	return true;
}

// Reads the body; NULL if it ends too early.
TEST_UNUSED_ static char *peer_body(struct peer *p, const struct request *r, size_t *bytes)
{
	size_t n = 0, room = 1 << 16;
	char *body = malloc(room), line[64];
	int64_t left = r->length;
	bool ok = true;
	do {
		if (r->length < 0) {
			ok = peer_line(p, line, sizeof(line));
			left = strtoll(line, NULL, 16);
		}
		bool last = left == 0;
		for (int c; ok && left > 0; left--) {
			if ((c = peer_byte(p)) < 0)
				ok = false;
			if (n == room)
				body = realloc(body, room *= 2);
			body[n++] = (char)c;
		}
		if (r->length < 0)
			ok = ok && peer_line(p, line, sizeof(line));
		if (last)
			break;
	} while (ok && r->length < 0);
	if (!ok) {
		free(body);
		return NULL;
	}
	*bytes = n;
	return body;
}

// Waits until the client has gone away.
TEST_UNUSED_ static void peer_wait_gone(struct peer *p)
{
	while (peer_byte(p) >= 0)
		continue;
	p->server->gone++;
}

TEST_UNUSED_ static void peer_reset(struct peer *p)
{
	struct linger now = {1, 0};
	setsockopt(tuza_conn_fd(p->conn), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

// ---- what it answers: false ends the connection ------------------------------------------------

TEST_UNUSED_ static char large_byte(size_t i) { return (char)('a' + i * 7 % 23 + (i >> 12) % 3); }

TEST_UNUSED_ static bool answer_large(struct peer *p, size_t bytes)
{
	char piece[4096];
	snprintf(piece, sizeof(piece), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", bytes);
	bool ok = peer_say(p, piece);
	for (size_t at = 0; ok && at < bytes;) {
		size_t n = bytes - at < sizeof(piece) ? bytes - at : sizeof(piece);
		for (size_t i = 0; i < n; i++)
			piece[i] = large_byte(at + i);
		ok = peer_write(p, piece, n);
		at += n;
	}
	return ok;
}

TEST_UNUSED_ static bool answer_redirect(struct peer *p, const struct request *r, const char *path)
{
	char text[512];
	size_t bytes;
	free(peer_body(p, r, &bytes));
	int status = atoi(path);
	snprintf(text, sizeof(text),
		"HTTP/1.1 %d Elsewhere\r\nLocation: %s\r\nContent-Length: 5\r\n\r\nmoved", status,
		path + 4);
	return peer_say(p, text);
}

// The method, the head and the body of the request.
TEST_UNUSED_ static bool answer_echo(struct peer *p, const struct request *r)
{
	char head[256];
	size_t bytes;
	char *body = peer_body(p, r, &bytes);
	if (!body)
		return false;
	snprintf(head, sizeof(head),
		"HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nX-Method: %s\r\n\r\n",
		bytes + strlen(r->head), r->method);
	bool ok = peer_say(p, head) && peer_say(p, r->head) && peer_write(p, body, bytes);
	free(body);
	return ok;
}

TEST_UNUSED_ static bool answer_gzip(struct peer *p)
{
	static const unsigned char hello[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd,
		0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0, 0, 0};
	char head[128];
	snprintf(head, sizeof(head),
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
		sizeof(hello));
	return peer_say(p, head) && peer_write(p, hello, sizeof(hello));
}

TEST_UNUSED_ static bool answer(struct peer *p, const struct request *r)
{
	const char *path = r->path;
	if (strcmp(path, "/hello") == 0)
		return peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-One: 1\r\n"
				   "x-two:   2 2  \r\nX-One: again\r\n\r\nhello");
	if (strcmp(path, "http://nobody.invalid/proxied") == 0)
		return peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nby proxy");
	if (strcmp(path, "http://xn--bcher-kva.invalid/proxied") == 0)
		return peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nin punycode");
	if (strcmp(path, "/missing") == 0)
		return peer_say(p, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
	if (strcmp(path, "/no-content") == 0)
		return peer_say(p, "HTTP/1.1 204 No Content\r\n\r\n");
	if (strcmp(path, "/same") == 0)
		return peer_say(p, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n");
	if (strcmp(path, "/early") == 0)
		return peer_say(p, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
				   "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	if (strcmp(path, "/gate") == 0) {
		WAIT_UNTIL(p->server->gate);
		return peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	}
	if (strcmp(path, "/chunked") == 0)
		return peer_say(p,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			"3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX-Trailer: t\r\n\r\n");
	if (strncmp(path, "/large/", 7) == 0)
		return answer_large(p, (size_t)atoll(path + 7));
	if (strncmp(path, "/go/", 4) == 0)
		return answer_redirect(p, r, path + 4);
	if (strcmp(path, "/echo") == 0)
		return answer_echo(p, r);
	if (strcmp(path, "/gzip") == 0)
		return answer_gzip(p);
	if (strcmp(path, "/bye") == 0)
		peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbye");
	if (strcmp(path, "/garbage") == 0)
		peer_say(p, "what is this?\r\n\r\n");
	if (strcmp(path, "/truncated") == 0 || strcmp(path, "/reset") == 0)
		peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
	if (strcmp(path, "/reset") == 0) {
		WAIT_UNTIL(p->server->gate);
		peer_reset(p);
	}
	if (strcmp(path, "/drip") == 0)
		peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
	if (strcmp(path, "/take") == 0) { // all of it, and says nothing
		size_t bytes;
		free(peer_body(p, r, &bytes));
	}
	if (strcmp(path, "/go-large") == 0)
		peer_say(p, "HTTP/1.1 302 Elsewhere\r\nLocation: /hello\r\n"
			    "Content-Length: 1000000\r\n\r\n");
	if (strcmp(path, "/go-without-end") == 0) {
		bool there = peer_say(p, "HTTP/1.1 302 Elsewhere\r\nLocation: /hello\r\n\r\n");
		while (there)
			there = peer_say(p, "and so on, and so on, and so on");
	}
	if (strcmp(path, "/drip") == 0 || strcmp(path, "/hang") == 0 ||
		strcmp(path, "/go-large") == 0)
		peer_wait_gone(p);
	return false; // and /empty
}

TEST_UNUSED_ static void peer_serve(struct peer *p)
{
	struct server *s = p->server;
	struct request r;
	bool more = true;
	while (more && peer_request(p, &r)) {
		s->requests++;
		int busy = ++s->busy, most = s->busiest;
		while (busy > most && !atomic_compare_exchange_weak(&s->busiest, &most, busy))
			continue;
		more = answer(p, &r);
		s->busy--;
	}
	tuza_conn_close(p->conn);
	free(p);
	s->closed++;
	tuza_waitgroup_done(&s->running);
}

TEST_UNUSED_ static void server_accept(struct server *s)
{
	tuza_conn *conn;
	while (tuza_accept(s->listener, &conn) == 0) {
		struct peer *p = calloc(1, sizeof(*p));
		p->server = s;
		p->conn = conn;
		s->accepted++;
		tuza_waitgroup_add(&s->running, 1);
		TUZA_GO(peer_serve, p);
	}
	tuza_waitgroup_done(&s->running);
}

TEST_UNUSED_ static bool server_start_at(struct server *s, const char *at)
{
	char address[TUZA_ADDRESS_TEXT];
	if (!CHECK_EQ(tuza_listen("tcp", at, &s->listener), 0))
		return false;
	CHECK_EQ(tuza_listener_address(s->listener, address, sizeof(address)), 0);
	snprintf(s->base, sizeof(s->base), "http://%s", address);
	tuza_waitgroup_add(&s->running, 1);
	TUZA_GO(server_accept, s);
	return true;
}

TEST_UNUSED_ static bool server_start(struct server *s)
{
	return server_start_at(s, "127.0.0.1:0");
}

// When the client's connections are closed, which the client's free does.
TEST_UNUSED_ static void server_stop(struct server *s)
{
	tuza_listener_close(s->listener);
	tuza_waitgroup_wait(&s->running);
}

// ---- clients -----------------------------------------------------------------------------------

// A client that no proxy of the environment stands before.
TEST_UNUSED_ static tuza_http_client *client_with(tuza_http_client_options options)
{
	options.proxy = "";
	tuza_http_client *client = tuza_http_client_new(&options);
	CHECK(client != NULL);
	return client;
}

TEST_UNUSED_ static tuza_http_client *client_new(void)
{
	return client_with((tuza_http_client_options){0});
}

// A GET of a path of the server.
TEST_UNUSED_ static int get_from(struct server *s, tuza_http_client *client, tuza_context *ctx,
	const char *path, tuza_http_response **r)
{
	char url[1024];
	snprintf(url, sizeof(url), "%s%s", s->base, path);
	tuza_http_call call = {.url = url};
	return tuza_http_do(client, ctx, &call, r);
}

TEST_UNUSED_ static int get(
	struct server *s, tuza_http_client *client, const char *path, tuza_http_response **r)
{
	return get_from(s, client, tuza_context_background(), path, r);
}

// A whole body, and frees the response.
TEST_UNUSED_ static void check_body(tuza_http_response *r, const char *want)
{
	char *body;
	size_t bytes;
	if (CHECK_EQ(tuza_http_response_read_all(r, 1 << 20, &body, &bytes), 0)) {
		CHECK_STR(body, want);
		CHECK_EQ(bytes, strlen(want));
	}
	free(body);
	tuza_http_response_free(r);
}

// A request for the URL through a proxy, which answers with `body`.
TEST_UNUSED_ static void check_by_proxy(const char *url, const char *body)
{
	struct server s = {0};
	tuza_http_response *r;
	if (!server_start(&s))
		return;
	tuza_http_client *client =
		tuza_http_client_new(&(tuza_http_client_options){.proxy = s.base});
	tuza_http_call call = {.url = url};
	CHECK_EQ(tuza_http_do(client, tuza_context_background(), &call, &r), 0);
	CHECK_EQ(tuza_http_response_status(r), 200);
	check_body(r, body);
	tuza_http_client_free(client);
	server_stop(&s);
}

#endif
