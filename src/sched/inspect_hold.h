// SPDX-License-Identifier: MIT
/*
 * How a dump holds a parked goroutine without a price for those that run (inspect.c).
 *
 * (scan) A dump sets inspect_active and makes every thread pass a barrier; afterwards each machine
 * has either published the RUNNING state of what it was about to resume, or sees inspect_active and
 * takes the slow way, where goroutine.scan decides who comes first:
 *
 *   machine resumes g                      dump
 *     1. g->state = RUNNING                  1. inspect_active = 1
 *     2. load inspect_active                 2. membarrier
 *        0: resume                           3. lock g->scan
 *        1: lock g->scan, set RUNNING again, 4. load g->state: RUNNING: do not look
 *           unlock                           5. look, unlock
 *   Not both may miss: the barrier orders the machine's store before its load.
 */
#ifndef TUZA_SCHED_INSPECT_HOLD_H
#define TUZA_SCHED_INSPECT_HOLD_H

#include "sched/goroutine.h"

// Dumps under way, plus one for ever where membarrier does not work. Any thread, atomic.
extern HIDDEN uint32_t inspect_active;

void inspect_set_running_slow(struct goroutine *g);

static ALWAYS_INLINE void inspect_set_running(struct goroutine *g)
{
	store_relaxed(&g->state, GOROUTINE_RUNNING); // (scan) ordered by the dump's barrier
	__atomic_signal_fence(__ATOMIC_SEQ_CST);     // the compiler keeps the order, too
	if (unlikely(load_relaxed(&inspect_active))) // (scan)
		inspect_set_running_slow(g);
}

// Holds a goroutine that does not run. False: it runs, or is dead. inspect_release lets it go.
bool inspect_hold(struct goroutine *g);
void inspect_release(struct goroutine *g);

// Around a series of inspect_hold calls, by one thread at a time.
void inspect_begin(void);
void inspect_end(void);

#endif
