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
#include "sched/current.h"
#include "sys/sys.h"

#include <errno.h>
#include <string.h>
#include <tuza/goroutine.h>
#include <tuza/pprof.h>

enum { DEBUG_PROTO, DEBUG_TEXT, DEBUG_DUMP };

struct writing {
	const struct profile_kind *kind;
	int debug;
	struct bytes out;
};

void pprof_look_up(void (*fn)(const struct arch_saved *caller, void *arg), void *arg)
{
	report_lock(0);
	own_stack_call(fn, arg);
	report_unlock();
}

static void make_profile(const struct arch_saved *caller, void *arg)
{
	struct writing *w = arg;
	struct profile p;

	profile_init(&p, w->kind);
	if (w->kind == &pprof_goroutine_kind)
		pprof_collect_goroutines(&p, caller);
	else
		pprof_collect_threads(&p);
	if (w->debug == DEBUG_PROTO)
		profile_to_proto(&p, &w->out);
	else
		profile_to_text(&p, &w->out);
	profile_destroy(&p);
}

static const struct profile_kind *kind_of(const char *name)
{
	static const struct profile_kind *const kinds[] = {
		&pprof_goroutine_kind, &pprof_threadcreate_kind};

	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

EXPORT int tuza_pprof_write(int fd, const char *name, int debug)
{
	struct writing w = {.kind = kind_of(name), .debug = debug};
	struct goroutine *me = goroutine_current_or_null();
	bool is_goroutine = me && !(me->flags & GOROUTINE_THREAD);
	int saved_errno = errno, result;

	if (!w.kind)
		return -ENOENT;
	if (fd < 0)
		return -EBADF;
	if (w.kind == &pprof_goroutine_kind && debug >= DEBUG_DUMP) {
		report_all(fd, 0, 0);
		return 0;
	}
	if (sys_page_bytes == 0)
		sys_init(); // the runtime has not started
	if (is_goroutine)
		tuza_blocking_begin();
	pprof_look_up(make_profile, &w);
	result = bytes_write(&w.out, fd);
	bytes_free(&w.out);
	errno = saved_errno;
	if (is_goroutine)
		tuza_blocking_end();
	return result;
}
