// SPDX-License-Identifier: MIT
/*
 * The pages of the debug server. What is written to descriptors elsewhere goes to a file in memory
 * first, so that its length is known.
 *
 * Go: src/net/http/pprof/pprof.go; src/expvar/expvar.go
 */
#define _GNU_SOURCE
#include "pprof/pages.h"

#include "debug/symbol.h"
#include "pprof/collect.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <tuza/debug.h>
#include <tuza/goroutine.h>
#include <tuza/pprof.h>
#include <tuza/time.h>
#include <unistd.h>

static const char TEXT[] = "text/plain; charset=utf-8";

void page_error(struct page *p, int status, const char *text)
{
	p->status = status;
	p->type = TEXT;
	p->file = NULL;
	p->body.length = 0;
	bytes_text(&p->body, text);
	bytes_text(&p->body, "\n");
}

// The number in the query for this key; `otherwise` when there is none.
static int64_t query_number(const char *query, const char *key, int64_t otherwise)
{
	size_t n = strlen(key);

	for (const char *at = query; at; at = strchr(at, '&')) {
		at += *at == '&';
		if (strncmp(at, key, n) == 0 && at[n] == '=') {
			char *end;
			long long number = strtoll(at + n + 1, &end, 10);

			return end > at + n + 1 && (*end == 0 || *end == '&') ? number : otherwise;
		}
	}
	return otherwise;
}

// ---- files in memory ---------------------------------------------------------------------------

static void append_file(struct bytes *b, int fd)
{
	char part[4096];
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) > 0)
		bytes_put(b, part, (size_t)n);
}

static int memory_file(struct page *p)
{
	int fd = memfd_create("tuza page", MFD_CLOEXEC);

	if (fd < 0)
		page_error(p, 500, "no memory for the page");
	return fd;
}

// Makes the body of what was written to the file, or an error's; closes it.
static void finish_file(struct page *p, int fd, int error)
{
	if (error) {
		page_error(p, 500, "it could not be written");
	} else {
		lseek(fd, 0, SEEK_SET);
		append_file(&p->body, fd);
	}
	close(fd);
}

// ---- profiles ----------------------------------------------------------------------------------

static void make_profile(struct page *p, const char *name, int debug)
{
	int fd = memory_file(p);

	if (fd < 0)
		return;
	p->type = debug > 0 ? TEXT : "application/octet-stream";
	p->file = debug > 0 ? NULL : name;
	finish_file(p, fd, tuza_pprof_write(fd, name, debug));
}

static void make_cpu_profile(
	struct page *p, int64_t seconds, void (*wait)(int64_t ns, void *arg), void *arg)
{
	int fd = memory_file(p), error;

	if (fd < 0)
		return;
	error = tuza_pprof_cpu_start(fd);
	if (error) {
		close(fd);
		p->is_pprof = true;
		page_error(p, 500,
			error == -EBUSY
				? "Could not enable CPU profiling: cpu profiling already in use"
				: "Could not enable CPU profiling");
		return;
	}
	p->type = "application/octet-stream";
	p->file = "profile";
	wait(seconds * TUZA_SECOND, arg);
	finish_file(p, fd, tuza_pprof_cpu_stop());
}

// ---- small pages -------------------------------------------------------------------------------

static void read_command_line(struct bytes *b)
{
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	append_file(b, fd);
	close(fd);
	if (b->length > 0 && b->data[b->length - 1] == 0)
		b->length--; // zeroes stand between
}

static void make_command_line(struct page *p)
{
	p->type = TEXT;
	read_command_line(&p->body);
}

static void append_json_text(struct bytes *b, const unsigned char *s, size_t n)
{
	static const char hex[] = "0123456789abcdef";

	bytes_text(b, "\"");
	for (; n > 0; n--, s++) {
		if (*s < ' ' || *s == '"' || *s == '\\') {
			const char escaped[] = {'\\', 'u', '0', '0', hex[*s >> 4], hex[*s & 15]};

			bytes_put(b, escaped, sizeof(escaped));
		} else {
			bytes_put(b, s, 1);
		}
	}
	bytes_text(b, "\"");
}

static void make_vars(struct page *p)
{
	struct bytes words = {0}, *b = &p->body;
	tuza_statistics s;
	const struct {
		const char *name;
		const uint64_t *value;
	} numbers[] = {
		{"goroutines", &s.goroutines},
		{"runnable", &s.runnable},
		{"running", &s.running},
		{"waiting", &s.waiting},
		{"blocked", &s.blocked},
		{"threads", &s.threads},
		{"gomaxprocs", &s.gomaxprocs},
		{"processors", &s.processors},
		{"processors_idle", &s.processors_idle},
		{"timers", &s.timers},
		{"stacks_reserved", &s.stacks_reserved},
		{"stacks_used", &s.stacks_used},
		{"created", &s.created},
		{"switches", &s.switches},
		{"stolen", &s.stolen},
	};

	tuza_stats(&s);
	p->type = "application/json; charset=utf-8";
	bytes_text(b, "{\n\"cmdline\": [");
	read_command_line(&words);
	bytes_put(&words, "", 1);
	for (size_t at = 0, n; words.data && at < words.length; at += n + 1) {
		n = strnlen((const char *)words.data + at, words.length - at);
		if (at > 0)
			bytes_text(b, ",");
		append_json_text(b, words.data + at, n);
	}
	bytes_free(&words);
	bytes_text(b, "],\n\"tuza\": {");
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		bytes_text(b, i > 0 ? ",\"" : "\"");
		bytes_text(b, numbers[i].name);
		bytes_text(b, "\":");
		bytes_number(b, *numbers[i].value);
	}
	bytes_text(b, "}\n}\n");
}

static void make_metrics(struct page *p)
{
	int fd = memory_file(p);

	if (fd < 0)
		return;
	p->type = "text/plain; version=0.0.4; charset=utf-8";
	finish_file(p, fd, tuza_metrics_write(fd));
}

// ---- symbols -----------------------------------------------------------------------------------

struct symbols {
	struct bytes *b;
	const char *query;
};

static void take_name(const struct symbol *s, void *name)
{
	*(const char **)name = s->function; // of inlined ones the last: the one that holds them
}

static void append_symbols(const struct arch_saved *caller, void *arg)
{
	const struct symbols *s = arg;
	const char *at = s->query, *name;
	char *end;

	(void)caller;
	for (; *at; at = *end == '+' ? end + 1 : end) {
		uintptr_t pc = strtoull(at, &end, 16);

		if (end == at)
			break;
		name = NULL;
		symbol_each((struct backtrace_frame){pc, false}, take_name, &name);
		if (!name)
			continue;
		bytes_hex(s->b, pc);
		bytes_text(s->b, " ");
		bytes_text(s->b, name);
		bytes_text(s->b, "\n");
	}
}

// "0x401000+0x401010" to lines of address and name. The number before tells pprof to ask.
static void make_symbols(struct page *p, const char *query)
{
	struct symbols s = {&p->body, query};

	p->type = TEXT;
	bytes_text(&p->body, "num_symbols: 1\n");
	tuza_blocking_begin();
	pprof_look_up(append_symbols, &s);
	tuza_blocking_end();
}

// ---- the index ---------------------------------------------------------------------------------

static void make_index(struct page *p)
{
	static const char text[] =
		"<!DOCTYPE html>\n<html><head><title>/debug/pprof/</title></head><body>\n"
		"<h1>Looking inside</h1>\n<ul>\n"
		"<li><a href=\"/debug/pprof/goroutine?debug=1\">goroutine</a>: where goroutines "
		"are; <a href=\"/debug/pprof/goroutine?debug=2\">all of them</a></li>\n"
		"<li><a href=\"/debug/pprof/threadcreate?debug=1\">threadcreate</a>: threads by "
		"name</li>\n"
		"<li><a href=\"/debug/pprof/profile?seconds=5\">profile</a>: where CPU time goes "
		"in the next seconds; for <code>go tool pprof</code></li>\n"
		"<li><a href=\"/debug/pprof/cmdline\">cmdline</a>: the program's command "
		"line</li>\n"
		"<li><a href=\"/debug/vars\">/debug/vars</a>, <a href=\"/metrics\">/metrics</a>: "
		"what the runtime counts</li>\n"
		"</ul>\n</body></html>\n";

	p->type = "text/html; charset=utf-8";
	bytes_text(&p->body, text);
}

void page_make(struct page *p, const char *path, const char *query,
	void (*wait)(int64_t ns, void *arg), void *arg)
{
	static const char prefix[] = "/debug/pprof/";
	enum { SECONDS = 30, SECONDS_MAX = 24 * 3600 };
	int64_t seconds = query_number(query, "seconds", SECONDS);
	int64_t debug = query_number(query, "debug", 0);

	*p = (struct page){.status = 200, .type = TEXT};
	if (strcmp(path, "/debug/") == 0 || strcmp(path, prefix) == 0) {
		make_index(p);
	} else if (strcmp(path, "/metrics") == 0) {
		make_metrics(p);
	} else if (strcmp(path, "/debug/vars") == 0) {
		make_vars(p);
	} else if (strncmp(path, prefix, sizeof(prefix) - 1) != 0) {
		page_error(p, 404, "404 page not found");
	} else {
		const char *name = path + sizeof(prefix) - 1;

		if (strcmp(name, "goroutine") == 0 || strcmp(name, "threadcreate") == 0) {
			make_profile(p, name, debug <= 0 ? 0 : debug == 1 ? 1 : 2);
		} else if (strcmp(name, "profile") == 0) {
			// As in Go: nonsense means the usual.
			make_cpu_profile(p,
				seconds > 0 && seconds <= SECONDS_MAX ? seconds : SECONDS, wait,
				arg);
		} else if (strcmp(name, "cmdline") == 0) {
			make_command_line(p);
		} else if (strcmp(name, "symbol") == 0) {
			make_symbols(p, query);
		} else {
			p->is_pprof = true;
			page_error(p, 404, "Unknown profile");
		}
	}
	if (p->body.failed) {
		p->body.failed = false;
		page_error(p, 500, "no memory for the page");
	}
}
