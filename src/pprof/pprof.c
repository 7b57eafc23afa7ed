// SPDX-License-Identifier: MIT
/*
 * The public functions for profiles of one moment.
 *
 * Everything happens in a blocking section, because whoever reads the other end of the descriptor
 * may be a goroutine, and on a stack of its own, because looking symbols up takes more than a small
 * goroutine has. Neither end of the section returns at the end of tuza_run: what lies between
 * leaves nothing behind.
 */
#include "pprof/collect.h"

#include "debug/dump.h"
#include "debug/own_stack.h"
#include "sched/blocking.h"
#include "sys/sys.h"

#include <errno.h>
#include <string.h>
#include <tuza/goroutine.h>
#include <tuza/pprof.h>
#include <tuza/testing.h>

enum { DEBUG_PROTO, DEBUG_TEXT, DEBUG_DUMP };

static const struct profile_source *const sources[] = {&pprof_goroutine, &pprof_threadcreate,
	&pprof_heap, &pprof_allocs, &pprof_block, &pprof_mutex, &pprof_goroutineleak};

const struct profile_source *profile_source_of(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(sources); i++)
		if (strcmp(sources[i]->kind->name, name) == 0)
			return sources[i];
	return NULL;
}

void pprof_look_up(void (*fn)(const struct arch_saved *caller, void *arg), void *arg)
{
	report_lock(0);
	own_stack_call(fn, arg);
	report_unlock();
}

struct writing {
	const struct profile_source *source;
	struct profile *profile;
	struct bytes *out;
};

static void collect(const struct arch_saved *caller, void *arg)
{
	const struct writing *w = arg;

	w->source->collect(w->profile, caller);
}

void profile_take(struct profile *p, const struct profile_source *source, bool is_raw)
{
	struct writing w = {.source = source, .profile = p};

	profile_init(p, source->kind);
	p->is_raw = is_raw;
	pprof_look_up(collect, &w);
}

static void write_proto(const struct arch_saved *caller, void *arg)
{
	const struct writing *w = arg;

	(void)caller;
	profile_to_proto(w->profile, w->out);
}

void profile_write(const struct profile *p, struct bytes *out)
{
	struct writing w = {.profile = (struct profile *)p, .out = out};

	pprof_look_up(write_proto, &w);
}

static void write_text(const struct arch_saved *caller, void *arg)
{
	const struct writing *w = arg;

	(void)caller;
	profile_to_text(w->profile, w->out);
}

static int write_profile(const struct profile_source *source, bool as_text, int fd)
{
	struct profile p;
	struct bytes out = {0};
	struct writing w = {.profile = &p, .out = &out};
	int result;

	profile_take(&p, source, as_text);
	pprof_look_up(as_text ? write_text : write_proto, &w);
	profile_destroy(&p);
	result = bytes_write(&out, fd);
	bytes_free(&out);
	return result;
}

EXPORT int tuza_pprof_write(int fd, const char *name, int debug)
{
	const struct profile_source *source = profile_source_of(name);
	int saved_errno = errno, result;

	if (!source)
		return -ENOENT;
	if (fd < 0)
		return -EBADF;
	if (source == &pprof_goroutine && debug >= DEBUG_DUMP) {
		report_all(fd, 0, 0);
		return 0;
	}
	if (source == &pprof_goroutineleak && debug >= DEBUG_DUMP) {
		result = tuza_leak_scan(fd);
		return result < 0 ? result : 0;
	}
	if (sys_page_bytes == 0)
		sys_init(); // the runtime has not started
	bool is_section = blocking_section_begin();
	result = write_profile(source, debug != DEBUG_PROTO, fd);
	errno = saved_errno;
	blocking_section_end(is_section);
	return result;
}
