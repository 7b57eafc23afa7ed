// SPDX-License-Identifier: MIT
/*
 * How long goroutines wait for each other: for the block and the mutex profile
 * (pprof/contention.c).
 *
 * A wait is measured from when the goroutine leaves its stack to when it is made ready, not to when
 * it runs again: the processor is to blame for the rest. It is told on the goroutine itself, so
 * that its stack is that of the call that waited. What a lock's holder has done to others is told
 * by the unlock that finds them waiting.
 *
 * While nobody wants to know, waiting costs nothing beyond the test of events_on, and locks whose
 * waiters are looked at, a load.
 */
#ifndef TUZA_SCHED_CONTENTION_H
#define TUZA_SCHED_CONTENTION_H

#include "sched/timer.h"
#include "sched/waitqueue.h"

// Called without any runtime lock, by a goroutine or a plain thread; must not park.
typedef void contention_told(int64_t ns);

// Who wants to know; NULL: nobody any more. One caller at a time.
void contention_tell_blocked(contention_told *told);
void contention_tell_mutexes(contention_told *told);

// ---- waits: schedule.c, park.c ------------------------------------------------------------

// Whether who waits for this reason waits for another goroutine that may come: not for time, the
// network, or for ever.
bool contention_is_reason(enum wait_reason reason);
// When this wait begins; 0: it is for another reason.
int64_t contention_begin(const struct goroutine *g);
// events.c: it is being made ready.
void contention_readied(struct goroutine *g);
// It runs again, on its own stack.
void contention_end(const struct goroutine *g, int64_t since);

// ---- locks: sync/ -------------------------------------------------------------------------

// Any thread, atomic: who wants to know of mutexes, or NULL.
extern HIDDEN contention_told *contention_mutexes;

// What a waiter for a lock keeps in queued.charged: when it began to wait, 0 if nobody asks.
static ALWAYS_INLINE int64_t contention_waits(void)
{
	return unlikely(load_relaxed(&contention_mutexes) != NULL) ? clock_now() : 0; // a request
}

int64_t contention_sum(struct queued *first, int64_t now);
void contention_tell(int64_t ns);

/*
 * How long those from `first` on, which may be NULL, have been waiting since the last unlock that
 * this was asked for: together, in ns; 0 if nobody wants to know. Needs: the bucket's lock.
 */
static ALWAYS_INLINE int64_t contention_charge(struct queued *first, int64_t now)
{
	return unlikely(load_relaxed(&contention_mutexes) != NULL) ? contention_sum(first, now) : 0;
}

// Blames the caller for that. Without any runtime lock.
static ALWAYS_INLINE void contention_blame(int64_t ns)
{
	if (unlikely(ns > 0))
		contention_tell(ns);
}

#endif
