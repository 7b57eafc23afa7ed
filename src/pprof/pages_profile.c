// SPDX-License-Identifier: MIT
/*
 * Pages that are profiles.
 *
 * With ?seconds=N a profile is what has been added to it in so many seconds: one is taken before,
 * one after, and the difference has the first one's time and how long it took. It may be negative
 * where goroutines, threads or memory in use have become fewer.
 *
 * Go: src/net/http/pprof/pprof.go, handler.serveDeltaProfile, Profile, Symbol
 */
#include "pprof/pages.h"

#include "debug/symbol.h"
#include "pprof/collect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tuza/goroutine.h>
#include <tuza/pprof.h>
#include <tuza/time.h>
#include <unistd.h>

enum { SECONDS_USUAL = 30, SECONDS_MAX = 24 * 3600 };

static void pprof_error(struct page *p, int status, const char *text)
{
	p->is_pprof = true;
	page_error(p, status, text);
}

// ---- of one moment, and of what has been added -------------------------------------------------

static void make_delta(struct page *p, const struct page_request *r, const char *name,
	const struct profile_source *source, int64_t seconds)
{
	struct profile before, after;

	tuza_blocking_begin();
	profile_take(&before, source, false);
	tuza_blocking_end();
	r->wait(seconds * TUZA_SECOND, r->arg);
	tuza_blocking_begin();
	profile_take(&after, source, false);
	profile_subtract(&after, &before);
	profile_write(&after, &p->body);
	profile_destroy(&before);
	profile_destroy(&after);
	tuza_blocking_end();
	p->type = PAGE_BINARY;
	p->file = name;
}

void page_profile(struct page *p, const struct page_request *r)
{
	const char *name = strrchr(r->path, '/') + 1;
	int64_t debug = 0, seconds;
	int fd;

	page_query_number(r, "debug", &debug);
	if (page_query_number(r, "seconds", &seconds)) {
		if (seconds <= 0 || seconds > SECONDS_MAX)
			pprof_error(p, 400,
				"invalid value for \"seconds\" - must be a positive integer");
		else if (debug != 0)
			pprof_error(p, 400, "seconds and debug params are incompatible");
		else
			make_delta(p, r, name, profile_source_of(name), seconds);
		return;
	}
	fd = page_file_open(p);
	if (fd < 0)
		return;
	p->type = debug > 0 ? PAGE_TEXT : PAGE_BINARY;
	p->file = debug > 0 ? NULL : name;
	page_file_close(p, fd, tuza_pprof_write(fd, name, debug <= 0 ? 0 : debug == 1 ? 1 : 2));
}

// ---- CPU time ----------------------------------------------------------------------------------

void page_cpu_profile(struct page *p, const struct page_request *r)
{
	int64_t seconds = 0;
	int fd = page_file_open(p), error;

	if (fd < 0)
		return;
	page_query_number(r, "seconds", &seconds);
	if (seconds <= 0 || seconds > SECONDS_MAX) // as in Go: nonsense means the usual
		seconds = SECONDS_USUAL;
	error = tuza_pprof_cpu_start(fd);
	if (error) {
		close(fd);
		pprof_error(p, 500,
			error == -EBUSY
				? "Could not enable CPU profiling: cpu profiling already in use"
				: "Could not enable CPU profiling");
		return;
	}
	p->type = PAGE_BINARY;
	p->file = "profile";
	r->wait(seconds * TUZA_SECOND, r->arg);
	page_file_close(p, fd, tuza_pprof_cpu_stop());
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
void page_symbols(struct page *p, const struct page_request *r)
{
	struct symbols s = {&p->body, r->query};

	bytes_text(&p->body, "num_symbols: 1\n");
	tuza_blocking_begin();
	pprof_look_up(append_symbols, &s);
	tuza_blocking_end();
}
