// SPDX-License-Identifier: MIT
/*
 * Where profiles come from.
 */
#ifndef TUZA_PPROF_COLLECT_H
#define TUZA_PPROF_COLLECT_H

#include "pprof/profile.h"

extern const struct profile_kind pprof_goroutine_kind, pprof_threadcreate_kind, pprof_cpu_kind;

/*
 * All goroutines that live, by where they are; `caller` is the calling one, as own_stack_call gives
 * it. Needs: a stack with 20 KiB to spare; not for signal handlers.
 */
void pprof_collect_goroutines(struct profile *p, const struct arch_saved *caller);

/*
 * Calls fn(caller, arg) as own_stack_call does, with the report lock of debug/ held: symbols are
 * looked up by one thread at a time. Needs: a plain thread or a blocking section.
 */
void pprof_look_up(void (*fn)(const struct arch_saved *caller, void *arg), void *arg);

// All threads of the process, by name.
void pprof_collect_threads(struct profile *p);

#endif
