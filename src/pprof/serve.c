// SPDX-License-Identifier: MIT
/*
 * The debug server: one request per connection, GET alone, and no more of HTTP than browsers, curl,
 * Prometheus and `go tool pprof` need to be content.
 *
 * It tells everything about the program to whoever asks, so it is for this machine: addresses
 * beyond loopback are refused unless the program insists, and so are requests for another host's
 * name: that is how a web page in this machine's browser would reach it (DNS rebinding). Nor may
 * such a page make the browser ask for something here.
 */
#define _GNU_SOURCE
#include "base/atomic.h"
#include "pprof/pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <tuza/debug.h>
#include <tuza/goroutine.h>
#include <tuza/net.h>
#include <tuza/pprof.h>
#include <tuza/time.h>

enum {
	REQUEST_BYTES = 8 << 10,
	CONNECTIONS_MAX = 100, // at a time, of all debug servers: a guess; each may hold a page
};

static const int64_t READ_LIMIT = 10 * TUZA_SECOND;
static const int64_t WRITE_LIMIT = 60 * TUZA_SECOND;

static uint32_t connections; // any thread, atomic

struct request {
	tuza_conn *conn;
	bool is_local; // only names of this machine are served
	char text[REQUEST_BYTES];
	size_t length;
	char *path, *query; // in text
};

// ---- the request -------------------------------------------------------------------------------

// Reads up to the empty line behind the headers. 0, or the status of the answer.
static int read_request(struct request *r)
{
	r->length = 0;
	while (r->length < sizeof(r->text) - 1) {
		ssize_t n = tuza_conn_read(
			r->conn, r->text + r->length, sizeof(r->text) - 1 - r->length);

		if (n <= 0)
			return n == TUZA_EIOTIMEOUT ? 408 : 400;
		r->length += (size_t)n;
		r->text[r->length] = 0;
		if (strlen(r->text) != r->length)
			return 400; // a zero
		if (strstr(r->text, "\r\n\r\n") || strstr(r->text, "\n\n"))
			return 0;
	}
	return 431;
}

// Whether this name, with or without a port, is one of this machine's loopback.
static bool is_loopback_name(const char *name, size_t n)
{
	if (n >= 5 && memcmp(name, "[::1]", 5) == 0)
		return n == 5 || name[5] == ':';
	for (size_t i = 0; i < n; i++)
		if (name[i] == ':')
			n = i;
	if (n == 9 && strncasecmp(name, "localhost", 9) == 0)
		return true;
	if (n < 5 || memcmp(name, "127.", 4) != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (name[i] != '.' && (name[i] < '0' || name[i] > '9'))
			return false; // a name that only begins so
	return true;
}

// Whether the headers ask for this machine: every Host there is. One from before HTTP/1.1 has none.
static bool host_is_ours(const char *headers)
{
	for (const char *line = headers; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncasecmp(line, "host:", 5) != 0)
			continue;
		const char *name = line + 5 + strspn(line + 5, " \t");

		if (!is_loopback_name(name, strcspn(name, " \t\r\n")))
			return false;
	}
	return true;
}

// The value of the first header of this name, "" if there is none; *n: its length.
static const char *header_value(const char *headers, const char *name, size_t *n)
{
	size_t length = strlen(name);

	*n = 0;
	for (const char *line = headers; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncasecmp(line, name, length) != 0 || line[length] != ':')
			continue;
		line += length + 1;
		line += strspn(line, " \t");
		*n = strcspn(line, " \t\r\n");
		return line;
	}
	return "";
}

/*
 * Whether another site's page asks, as browsers tell: it may lead here, but not ask for profiles
 * and scans behind its reader's back.
 */
static bool is_of_other_site(const char *headers)
{
	size_t site_bytes, mode_bytes;
	const char *site = header_value(headers, "sec-fetch-site", &site_bytes);
	const char *mode = header_value(headers, "sec-fetch-mode", &mode_bytes);
	bool is_ours = (site_bytes == 11 && memcmp(site, "same-origin", 11) == 0) ||
		       (site_bytes == 4 && memcmp(site, "none", 4) == 0);

	return site_bytes > 0 && !is_ours && !(mode_bytes == 8 && memcmp(mode, "navigate", 8) == 0);
}

// Takes the first line apart. 0, or the status of the answer.
static int parse_request(struct request *r)
{
	char *line_end = r->text + strcspn(r->text, "\r\n");
	char *version;

	if ((r->is_local && !host_is_ours(line_end)) || is_of_other_site(line_end))
		return 403;
	*line_end = 0;
	version = strrchr(r->text, ' ');
	if (!version || strncmp(version + 1, "HTTP/1.", 7) != 0)
		return 400;
	*version = 0;
	r->path = strchr(r->text, ' ');
	if (!r->path)
		return 400;
	*r->path++ = 0;
	if (strcmp(r->text, "GET") != 0)
		return 405;
	r->query = r->path + strcspn(r->path, "?");
	if (*r->query)
		*r->query++ = 0;
	return 0;
}

// ---- the answer --------------------------------------------------------------------------------

static const char *status_text(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	case 503:
		return "Service Unavailable";
	default:
		return "Bad Request";
	}
}

static void append_head(struct bytes *b, const struct page *p)
{
	struct page_headers h;

	bytes_text(b, "HTTP/1.0 ");
	bytes_number(b, (uint64_t)p->status);
	bytes_text(b, " ");
	bytes_text(b, status_text(p->status));
	bytes_text(b, "\r\nContent-Length: ");
	bytes_number(b, p->body.length);
	page_headers(p, &h);
	for (uint32_t i = 0; i < h.count; i++) {
		bytes_text(b, "\r\n");
		bytes_text(b, h.list[i].name);
		bytes_text(b, ": ");
		bytes_text(b, h.list[i].value);
	}
	if (p->status == 405)
		bytes_text(b, "\r\nAllow: GET");
	bytes_text(b, "\r\nConnection: close\r\n\r\n");
}

static void answer(tuza_conn *conn, const struct page *p)
{
	struct bytes head = {0};
	struct iovec pieces[2];

	append_head(&head, p);
	pieces[0] = (struct iovec){head.data, head.length};
	pieces[1] = (struct iovec){p->body.data, p->body.length};
	tuza_conn_set_write_deadline(conn, tuza_now() + WRITE_LIMIT);
	if (!head.failed && !p->body.failed) {
		ssize_t n = tuza_conn_writev(conn, pieces, p->body.length > 0 ? 2 : 1);

		(void)n; // whoever asked has gone
	}
	bytes_free(&head);
}

// For page_request: until the time is over, or nobody waits for the page any more.
static void wait_for_page(int64_t ns, void *arg)
{
	struct request *r = arg;
	char ignored[64];
	ssize_t n;

	tuza_conn_set_read_deadline(r->conn, tuza_now() + ns);
	do {
		n = tuza_conn_read(r->conn, ignored, sizeof(ignored));
	} while (n > 0);
}

// A close with bytes unread resets the connection, and the answer may be lost: waits a moment for
// the other side's end.
static void end_connection(tuza_conn *conn)
{
	char ignored[512];
	int left = 128; // reads

	tuza_conn_close_write(conn);
	tuza_conn_set_read_deadline(conn, tuza_now() + TUZA_SECOND);
	while (left-- > 0 && tuza_conn_read(conn, ignored, sizeof(ignored)) > 0)
		;
	tuza_conn_close(conn);
}

static void serve_connection(tuza_conn *conn, bool is_local)
{
	struct request *r = malloc(sizeof(*r));
	struct page page = {0};
	int status = 500;

	tuza_set_name("tuza debug connection");
	if (add_relaxed(&connections, 1) >= CONNECTIONS_MAX) { // a count, nothing else
		status = 503;
	} else if (r) {
		r->conn = conn;
		r->is_local = is_local;
		tuza_conn_set_read_deadline(conn, tuza_now() + READ_LIMIT);
		status = read_request(r);
		if (status == 0)
			status = parse_request(r);
	}
	if (status == 0)
		page_make(&page, &(struct page_request){r->path, r->query, wait_for_page, r});
	else
		page_error(&page, status, status_text(status));
	answer(conn, &page);
	bytes_free(&page.body);
	free(r);
	sub_relaxed(&connections, 1); // as above
	end_connection(conn);
}

// ---- the server --------------------------------------------------------------------------------

static void serve(tuza_listener *l, bool is_local)
{
	tuza_conn *conn;

	tuza_set_name("tuza debug server");
	while (tuza_accept(l, &conn) == 0)
		TUZA_GO(serve_connection, conn, is_local);
}

static bool is_unix(const char *address) { return address[0] == '@' || strchr(address, '/'); }

EXPORT int tuza_debug_serve_with(
	const char *address, const tuza_debug_options *options, tuza_listener **listener)
{
	static const tuza_debug_options none;
	bool unix_socket = is_unix(address);
	char bound[TUZA_ADDRESS_TEXT];
	tuza_listener *l;
	int error;

	if (listener)
		*listener = NULL;
	if (!options)
		options = &none;
	error = tuza_listen(unix_socket ? "unix" : "tcp", address, &l);
	if (error)
		return error;
	error = tuza_listener_address(l, bound, sizeof(bound));
	if (!error && !unix_socket && !options->anywhere && !is_loopback_name(bound, strlen(bound)))
		error = -EACCES;
	if (error) {
		tuza_listener_close(l);
		return error;
	}
	if (listener)
		*listener = l;
	tuza_stats_measure();
	TUZA_GO(serve, l, !unix_socket && !options->anywhere);
	return 0;
}

EXPORT int tuza_debug_serve(const char *address)
{
	return tuza_debug_serve_with(address, NULL, NULL);
}
