// SPDX-License-Identifier: MIT
/*
 * Threads without a processor that touch the runtime: plain ones, and goroutines in blocking
 * sections. The end of the runtime waits for machines; these count themselves, so that it waits for
 * them as well, and stay out while it is under way. See visit.c.
 */
#ifndef TUZA_SCHED_VISIT_H
#define TUZA_SCHED_VISIT_H

#include "sched/current.h"

// How a visit is ended.
enum visit {
	VISIT_NONE,    // it needs no end
	VISIT_COUNTED, // the end of the runtime waits for it
};

/*
 * Enters without waiting. False: there is no runtime, or it is ending; else visit_leave follows.
 * Visits nest.
 */
MUST_USE bool visit_try(void);
void visit_leave(void);

/*
 * Enters; starts the runtime if there is none, and waits for an end that is under way. Needs: no
 * lock, nor another visit.
 */
MUST_USE enum visit visit_begin(void);

// The same for a straggler: it has a processor, of a runtime that has ended.
MUST_USE enum visit visit_late(void);

// The same without starting one: an end of the runtime is not under way then.
MUST_USE enum visit visit_between_ends(void);

// For who only looks, from wherever: what is there stays until the visit ends. False: nothing is,
// or it is going.
MUST_USE bool visit_to_look(enum visit *visit);

static ALWAYS_INLINE void visit_end(enum visit v)
{
	if (v == VISIT_COUNTED)
		visit_leave();
}

// ---- after a fork --------------------------------------------------------------------------

// The child has one thread and may only exec. Fatal there, in time, instead of a wait for those who
// are in the parent.
void refuse_after_fork(void);
bool is_child_of_fork(void);

// ---- for start.c --------------------------------------------------------------------------

// Guards starting and ending.
void visit_lock_out(void);
void visit_let_in(void);

// Waits until nobody is inside. Needs: the lock, and rt.ending is set.
void visit_await_all(void);

#endif
