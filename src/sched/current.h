// SPDX-License-Identifier: MIT
/*
 * "Who am I": the machine (OS thread) and goroutine that execute this code.
 *
 * Never keep the result of machine_current across anything that may park: the goroutine may come
 * back on another machine. The read is a volatile assembler load, because compilers take the
 * address of a thread-local for constant within a function and would hand out the old thread's.
 */
#ifndef TUZA_SCHED_CURRENT_H
#define TUZA_SCHED_CURRENT_H

#include "sched/goroutine.h"

struct machine;

// This thread's machine; NULL on a plain thread that never used tuza.
static ALWAYS_INLINE struct machine *machine_current(void) { return arch_tls_machine(); }

// The calling goroutine; on a plain thread its descriptor, made on first use. Never NULL.
struct goroutine *goroutine_current(void);

// The same, but NULL where goroutine_current would have to make one. Safe in signal handlers.
struct goroutine *goroutine_current_or_null(void);

#endif
