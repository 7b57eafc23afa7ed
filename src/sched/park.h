// SPDX-License-Identifier: MIT
/*
 * How a goroutine stops and starts: the only door for the layers above.
 *
 * Protocol: put yourself where a waker will find you (under the lock that guards that place), call
 * park with a commit function that drops the lock. The commit runs after the goroutine has left its
 * stack, so a waker that gets the lock finds a goroutine that can be resumed at once. Wakers: take
 * the goroutine out of its place, unlock, then ready. After ready the goroutine may already have
 * run and ended.
 */
#ifndef TUZA_SCHED_PARK_H
#define TUZA_SCHED_PARK_H

#include "sched/current.h"

/*
 * Runs off the goroutine's stack (on a plain thread: on it) once the goroutine counts as WAITING.
 * Drops the lock that guards the waiting place. After that drop it must not touch anything on the
 * goroutine's stack.
 *
 * Returns  true to stay parked; false to go on at once (nobody will call ready).
 */
typedef bool park_commit(struct goroutine *g, void *arg);

/*
 * Stops the calling goroutine until ready(g). On a plain thread blocks the thread.
 *
 *   object  what it waits on, for dumps; may be NULL.
 *
 * Panics  inside a blocking section: "tuza: <reason> inside a blocking section" (the lock that
 * commit would drop must not be held then: callers that hold one check with park_check first).
 */
void park(park_commit *commit, void *arg, enum wait_reason reason, const void *object);

/*
 * False: the caller must call park_check, without locks, before it parks. True for goroutines
 * outside blocking sections.
 */
bool park_is_allowed(void);

// Panics if the caller may not park (in a blocking section, after fork). Call before taking a
// runtime lock.
void park_check(enum wait_reason reason);

// park with a commit that releases the struct lock `l`.
struct lock;
void park_unlocking(struct lock *l, enum wait_reason reason, const void *object);

// Parks for good: nobody will wake the caller.
NORETURN void park_for_ever(enum wait_reason reason);

// A random number below n > 0, from the processor's own sequence.
uint32_t park_random_below(uint32_t n);

/*
 * Makes a WAITING goroutine runnable: it runs next on this processor. Call without any runtime
 * lock.
 */
void ready(struct goroutine *g);

// Makes a list of them (linked by next) runnable, in order.
void ready_list(struct goroutine *list);

/*
 * Like ready, then lets g run at once in the caller's place; the caller stays runnable. For direct
 * hand-off of a starving lock.
 */
void ready_and_yield(struct goroutine *g);

// Lets all others go first.
void yield_to_others(void);

/*
 * A scheduling point for operations that a loop may call for ever without parking: lets others go
 * first if the monitor has found that the caller keeps them waiting. Else costs three loads. Needs:
 * no runtime lock.
 */
void preempt_check(void);

// A hint: somebody has been asked to let others go first and has not yet, or the runtime ends. The
// monitor's, as long as there is one.
extern HIDDEN uint32_t preempt_wanted;

// The same for operations so short that the three loads would be felt: one load.
static ALWAYS_INLINE void preempt_point(void)
{
	if (unlikely(load_relaxed(&preempt_wanted)))
		preempt_check();
}

/*
 * True when spinning for a lock may pay: another processor is running and this one has nothing else
 * to run.
 */
bool park_may_spin(void);

// How many goroutines wait to run on the caller's processor, and may be let go first; 0 also where
// the caller has none, must not park, or is tied to its thread.
uint32_t park_others(void);

// With them, the share of one processor of those that wait to run on any.
uint32_t park_all_others(void);

// True when there is one processor: nobody else runs while the caller does.
bool park_is_alone(void);

// True when the runtime has run and ended before: its dropped goroutines may have left traces.
bool park_had_other_runs(void);

// A number of the processor that the caller runs on, below 1280: a hint for spreading load, stale
// at once.
uint32_t processor_index(void);

#endif
