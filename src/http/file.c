// SPDX-License-Identifier: MIT
/*
 * Files as answers. The system calls are made in blocking sections (tuza/io.h): a slow disk stops
 * the one request.
 */
#include "http/connection.h"
#include "http/path.h"

#include <tuza/error.h>
#include <tuza/goroutine.h>
#include <tuza/io.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PIECE = 64 << 10 }; // of a file, in memory

static const char *type_of(const char *name)
{
	static const struct {
		const char *ending, *type;
	} types[] = {
		{"html", "text/html; charset=utf-8"},
		{"htm", "text/html; charset=utf-8"},
		{"css", "text/css; charset=utf-8"},
		{"js", "text/javascript; charset=utf-8"},
		{"mjs", "text/javascript; charset=utf-8"},
		{"json", "application/json"},
		{"txt", "text/plain; charset=utf-8"},
		{"md", "text/plain; charset=utf-8"},
		{"xml", "text/xml; charset=utf-8"},
		{"svg", "image/svg+xml"},
		{"png", "image/png"},
		{"jpg", "image/jpeg"},
		{"jpeg", "image/jpeg"},
		{"gif", "image/gif"},
		{"webp", "image/webp"},
		{"ico", "image/x-icon"},
		{"woff2", "font/woff2"},
		{"pdf", "application/pdf"},
		{"wasm", "application/wasm"},
	};
	const char *dot = strrchr(name, '.');
	for (size_t i = 0; dot && i < COUNT_OF(types); i++)
		if (strcasecmp(dot + 1, types[i].ending) == 0)
			return types[i].type;
	return "application/octet-stream";
}

// Names that lead nowhere else: no "..", and nothing hidden.
static bool is_below(const char *name)
{
	for (;;) {
		size_t length = strcspn(name, "/");
		if (name[0] == '.' || (length == 0 && name[0] == '/'))
			return false;
		if (name[length] == '\0')
			return true;
		name += length + 1;
	}
}

static int send_file(tuza_http_writer *w, int fd, int64_t size, char piece[PIECE])
{
	for (int64_t at = 0; at < size;) {
		size_t count = size - at < PIECE ? (size_t)(size - at) : PIECE;
		ssize_t n = tuza_pread(fd, piece, count, at);
		if (n <= 0)
			return n < 0 ? (int)n : -EIO; // it was cut meanwhile
		ssize_t sent = tuza_http_write(w, piece, (size_t)n);
		if (sent < 0)
			return (int)sent;
		at += n;
	}
	return 0;
}

struct opened {
	int fd;
	struct stat stat;
};

static void look_at(void *opened)
{
	struct opened *o = opened;
	if (fstat(o->fd, &o->stat) != 0)
		memset(&o->stat, 0, sizeof o->stat);
}

// Whether tags that the client has, a list or '*', have this one; weak ones as well.
static bool has_tag(const char *list, const char *tag)
{
	for (const char *at = list;; at++) { // behind a comma, or the end of a tag
		at += strspn(at, " \t,");
		if (*at == '*')
			return true;
		at += strncmp(at, "W/", 2) == 0 ? 2 : 0;
		if (strncmp(at, tag, strlen(tag)) == 0) // with both its quotes
			return true;
		if (*at != '"' || !(at = strchr(at + 1, '"')))
			return false;
	}
}

static int refuse(tuza_http_writer *w, int error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
	case -ENAMETOOLONG:
	case -ELOOP:
		return tuza_http_error(w, 404, NULL);
	case -EACCES:
	case -EPERM:
		return tuza_http_error(w, 403, NULL);
	case -ENOMEM:
		return tuza_http_error(w, 503, NULL);
	default:
		return tuza_http_error(w, 500, NULL);
	}
}

static int redirect_to_directory(tuza_http_writer *w, tuza_http_request *r)
{
	struct text to = {NULL, 0, 0};
	int error = -ENOMEM;
	if (text_printf(&to, "%s/", r->head.path) && text_append(&to, "", 1)) {
		const char *location = path_location(&r->arena, to.bytes, r->head.query);
		error = location ? tuza_http_redirect(w, location, 307) : -ENOMEM;
	}
	text_reset(&to, 0);
	return error;
}

// The head; *has_body: there is more to send.
static int describe(tuza_http_writer *w, tuza_http_request *r, const struct opened *o,
	const char *path, bool *has_body)
{
	char tag[48];
	*has_body = false;
	if (S_ISDIR(o->stat.st_mode)) // its name without the final '/'
		return redirect_to_directory(w, r);
	if (!S_ISREG(o->stat.st_mode))
		return -EACCES;
	struct text t = {tag, 0, sizeof tag};
	if (!text_printf(&t, "\"%llx-%llx\"", (unsigned long long)o->stat.st_size,
		    (unsigned long long)o->stat.st_mtim.tv_sec * 1000000000u +
			    (unsigned long long)o->stat.st_mtim.tv_nsec))
		return -EIO;
	const char *known = tuza_http_header(r, "If-None-Match");
	int error = tuza_http_set_header(w, "ETag", tag);
	if (!error && known && has_tag(known, tag))
		return tuza_http_set_status(w, 304);
	if (!error)
		error = tuza_http_set_header(w, "Content-Type", type_of(path));
	if (!error)
		error = tuza_http_set_header(w, "X-Content-Type-Options", "nosniff");
	struct text size = {tag, 0, sizeof tag};
	if (!error && text_printf(&size, "%lld", (long long)o->stat.st_size))
		error = tuza_http_set_header(w, "Content-Length", tag);
	*has_body = !error && !r->head.is_head;
	return error;
}

static int answer_with(
	tuza_http_writer *w, tuza_http_request *r, const struct opened *o, const char *path)
{
	bool has_body;
	int error = describe(w, r, o, path, &has_body);
	char *piece = has_body ? malloc(PIECE) : NULL;
	if (has_body && !piece)
		error = -ENOMEM;
	if (error)
		return refuse(w, error); // rather than with a head of which a part is missing
	if (has_body)
		error = send_file(w, o->fd, o->stat.st_size, piece);
	free(piece);
	return error;
}

EXPORT int tuza_http_serve_file(
	tuza_http_writer *w, tuza_http_request *r, const char *root, const char *name)
{
	size_t length = strlen(name);
	bool is_index = length == 0 || name[length - 1] == '/';
	if (strcmp(r->head.method, "GET") != 0 && !r->head.is_head) {
		int error = tuza_http_set_header(w, "Allow", "GET, HEAD");
		return error ? error : tuza_http_error(w, 405, NULL);
	}
	struct text path = {NULL, 0, 0};
	struct opened o = {.fd = -1};
	int error = 0;
	if (!is_below(name))
		error = -ENOENT;
	else if (!text_printf(&path, "%s/%s%s", root, name, is_index ? "index.html" : "") ||
		 !text_append(&path, "", 1))
		error = -ENOMEM;
	if (!error) {
		// Non-blocking: a FIFO would wait for a writer.
		o.fd = tuza_open(path.bytes, O_RDONLY | O_NONBLOCK, 0);
		error = o.fd < 0 ? o.fd : 0;
	}
	if (!error) {
		tuza_blocking(look_at, &o);
		error = answer_with(w, r, &o, path.bytes);
	} else {
		error = refuse(w, error);
	}
	if (o.fd >= 0)
		(void)tuza_close(o.fd);
	text_reset(&path, 0);
	return error;
}
