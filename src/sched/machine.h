// SPDX-License-Identifier: MIT
/*
 * Machines: OS threads that run goroutines, and the records of plain threads that use tuza
 * (machine.c).
 */
#ifndef TUZA_SCHED_MACHINE_H
#define TUZA_SCHED_MACHINE_H

#include "sched/runtime.h"

// Starts a thread that runs goroutines with processor p (status RUNNING). 0, -EAGAIN or -ENOMEM.
MUST_USE int machine_start(struct processor *p, bool spinning);

// Ends this machine's thread. On the scheduler's stack; it holds no processor unless the runtime
// ends.
NORETURN void machine_leave(struct machine *m);

// From a goroutine whose machine was told to leave: gives the goroutine up.
NORETURN void machine_leave_from_goroutine(struct machine *m);

// Calls fn for the descriptor of each plain thread that has used tuza. fn must be quick; `locked`
// false on the fatal path.
void machine_each_plain(bool locked, void (*fn)(struct goroutine *g, void *arg), void *arg);

// Whether that list is not being changed: for one who has stopped all threads.
bool machine_plain_list_is_steady(void);

// The record of the calling plain thread, made on first use.
struct machine *machine_attach(void);

// The calling thread's machine or record.
static ALWAYS_INLINE struct machine *machine_here(void)
{
	struct machine *m = machine_current();
	return likely(m != NULL) ? m : machine_attach();
}

// Refreshes the coarse clock.
void update_coarse_now(void);

#endif
