// SPDX-License-Identifier: MIT
/*
 * The scheduler's loop, as the rest of sched/ sees it, and the making of goroutines for time/.
 */
#ifndef TUZA_SCHED_SCHEDULE_H
#define TUZA_SCHED_SCHEDULE_H

#include "sched/events.h"

struct machine;
struct processor;

// ready_list on behalf of somebody else than the caller.
void ready_list_by(struct goroutine *list, enum event_cause cause);

// Ends the calling goroutine: its defers have run. Not for plain threads.
NORETURN void goroutine_finish(void);

/*
 * A new goroutine that will run fn(arg): RUNNABLE, in no queue; pass it to ready() or ready_list().
 * NULL: out of memory.
 */
MUST_USE struct goroutine *goroutine_new(void (*fn)(void *), void *arg, uintptr_t pc);

/*
 * The same for a caller that holds a runtime lock: NULL when no descriptor is at hand. Then
 * goroutine_provide, which timer_heap_run calls without locks, will have mapped new ones in a
 * moment, unless goroutine_none_can_be_had says that memory is short. For timers: nobody counts as
 * the creator.
 */
MUST_USE struct goroutine *goroutine_new_at_hand(void (*fn)(void *), void *arg);
bool goroutine_none_can_be_had(void);

// ---- inside sched/ ------------------------------------------------------------------------

/*
 * Finds what the machine runs next; sleeps until there is something. On the scheduler's stack.
 * Returns the saved context of a goroutine that goes on; one that starts is entered from here, and
 * then there is no return.
 */
void *schedule(struct machine *m);

// Queues a runnable goroutine on the owner's processor: to run next, or at the tail. Wakes others
// if that may help.
void schedule_submit(struct processor *p, struct goroutine *g, bool next);

// Puts a list into the owner's ring, the overflow into the global queue. Wakes nobody.
void schedule_put_list(struct processor *p, struct goroutine *list, enum event_cause cause);

// The next goroutine of the owner's own queue, or NULL.
struct goroutine *schedule_get_local(struct processor *p);

// starve.c: g found no stack and waits for one. False: so does every other goroutine.
MUST_USE bool schedule_starve(struct goroutine *g);

// A goroutine that had to wait for a stack tries again; `own`, the caller's processor, keeps none
// back. NULL: a caller without one.
void schedule_feed_starved(struct processor *own);

// Entries on the scheduler's stack, for arch_park and arch_jump: (machine, goroutine). They return
// the context to continue.
void *schedule_parked(void *machine, void *goroutine);
void *schedule_yielded(void *machine, void *goroutine);
void *schedule_unblocked(void *machine, void *goroutine);
void *schedule_handed_over(void *machine, void *goroutine);
void *schedule_ended(void *machine, void *goroutine);

// Saves the calling goroutine's context and enters one of them; returns when it is resumed.
void schedule_leave(struct machine *m, struct goroutine *g, void *(*entry)(void *, void *));

#endif
