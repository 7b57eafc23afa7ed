// SPDX-License-Identifier: MIT
/*
 * The global queue of runnable goroutines (global_queue.c).
 */
#ifndef TUZA_SCHED_GLOBAL_QUEUE_H
#define TUZA_SCHED_GLOBAL_QUEUE_H

#include "sched/runtime.h"

// Appends a list (linked by next, `count` long). Wakes nobody.
void global_queue_put(struct goroutine *first, struct goroutine *last, uint32_t count);

// Appends a runnable goroutine on behalf of somebody without a processor, and wakes a looker.
void global_queue_submit(struct goroutine *g);

// Puts a list of goroutines whose timers were due a while ago before all others: behind a long
// queue they would be as late as the queue is long. Wakes a looker.
void global_queue_submit_overdue(struct goroutine *list);

// p's ring is full: half of it and g go to the global queue in one batch. Needs: p is the caller's.
COLD void global_queue_overflow(struct processor *p, struct goroutine *g);

// Takes a share of the queue into the owner's ring, returns one of them, or NULL.
struct goroutine *global_queue_take(struct processor *p);
struct goroutine *global_queue_take_locked(struct processor *p); // Needs: rt.lock

// For fairness: takes a share, of those that can wait (patient.c) and of the others in turn. Takes
// one if the ring is long.
struct goroutine *global_queue_take_in_turn(struct processor *p);

#endif
