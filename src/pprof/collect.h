// SPDX-License-Identifier: MIT
/*
 * Where profiles come from.
 */
#ifndef TUZA_PPROF_COLLECT_H
#define TUZA_PPROF_COLLECT_H

#include "pprof/profile.h"

/*
 * One that can be taken at any moment.
 *
 * collect adds all that there is to an empty profile; `caller` is the calling stack, as
 * own_stack_call gives it. Needs: a stack with 20 KiB to spare; not for signal handlers.
 */
struct profile_source {
	const struct profile_kind *kind;
	void (*collect)(struct profile *p, const struct arch_saved *caller);
};

extern const struct profile_source pprof_goroutine, pprof_threadcreate, pprof_heap, pprof_allocs,
	pprof_block, pprof_mutex, pprof_goroutineleak;

// The source of this name, NULL if there is none.
const struct profile_source *profile_source_of(const char *name);

/*
 * Fills an uninitialised profile from its source; `is_raw`: for text. profile_write appends one to
 * `out` for pprof. Both need a plain thread or a blocking section, for they wait for other reports.
 */
void profile_take(struct profile *p, const struct profile_source *source, bool is_raw);
void profile_write(const struct profile *p, struct bytes *out);

/*
 * Calls fn(caller, arg) as own_stack_call does, with the report lock of debug/ held: symbols are
 * looked up by one thread at a time. Needs: a plain thread or a blocking section.
 */
void pprof_look_up(void (*fn)(const struct arch_saved *caller, void *arg), void *arg);

#endif
