// SPDX-License-Identifier: MIT
/*
 * The runtime's timers. Each processor has a 4-ary heap with a lock; any machine may run any
 * processor's due timers.
 *
 * `fire` is called with the heap's lock held (so timer_stop that took the lock knows that it is not
 * running and will not run): it may take a channel's lock, and returns the goroutine to make
 * runnable, or NULL. It must not park, call user code, take memory, or start or stop timers. One
 * that could not do its work sets t->when to a later time and is called again then.
 */
#ifndef TUZA_SCHED_TIMER_H
#define TUZA_SCHED_TIMER_H

#include "sched/park.h"

struct timer_heap;

struct timer {
	// set by the user before timer_start, constant while it runs
	struct goroutine *(*fire)(struct timer *t, int64_t now);
	// 0: fires once. Else it is started again at when + k * period (ns), the first in the
	// future.
	int64_t period;
	// Of an object that outlives the runtime: one that runs when that ends goes on in the next.
	// Others are stopped then.
	bool outlives;
	bool thread_waits; // and outlives simulated time, too: the rest of its time is real
	// timer.c's; guarded by the heap's lock
	uint32_t index;          // its place there + 1; 0: in none, may be read without the lock
	int64_t when;            // absolute, clock_now()
	struct timer_heap *heap; // where it was started last; NULL: never yet
};

// The program's time: absolute, monotonic, in ns. CLOCK_MONOTONIC but in a simulated run. What the
// library measures for itself is real: sys_clock_now().
int64_t clock_now(void);
// The same as of the last tick, some milliseconds ago: half the cost.
int64_t clock_coarse(void);

// now + d, saturated to INT64_MAX; d <= 0 gives now.
int64_t clock_after(int64_t now, int64_t d);

/*
 * Starts the timer to fire at `when`.
 *
 * Returns  0, or -ENOMEM when the heap cannot grow.
 */
MUST_USE int timer_start(struct timer *t, int64_t when);

/*
 * The same for a new timer that fires once and that nobody will stop or start again. Until it has
 * fired nothing may be done to it.
 */
MUST_USE int timer_start_final(struct timer *t, int64_t when);

/*
 * Stops it. After the return `fire` is not running and will not run, so *t may be freed.
 *
 * Returns  true when it was running and had not fired (a periodic one: was running).
 */
bool timer_stop(struct timer *t);

// The runtime ends, and with it what `t` has done when it fired: it fires again in the next one.
// Needs: it runs in no heap, nobody starts it, and nobody but the end adds timers.
void timer_keep(struct timer *t, int64_t when);

/*
 * Stops it and calls `also(t)` with the heap's lock held, at an instant when fire is not running.
 * Returns timer_stop's answer or'ed with also's.
 */
bool timer_stop_and(struct timer *t, bool (*also)(struct timer *t));

// timer_stop_and + timer_start in one critical section. *error is 0 or -ENOMEM.
bool timer_restart(
	struct timer *t, int64_t when, int64_t period, bool (*also)(struct timer *t), int *error);

/*
 * Starts it to fire at `when`, unless it runs and fires before anyway; then calls `also(t)`, which
 * finds in t->when what has become of it, with the heap's lock held, when fire is not running. For
 * one that has no period.
 *
 * Returns  0, or -ENOMEM: `also` was not called.
 */
MUST_USE int timer_start_by(struct timer *t, int64_t when, void (*also)(struct timer *t));

// Whether timers wait for the next runtime, and only for it. Nobody would wake who waits for one of
// them.
bool timer_some_are_kept(void);

#endif
