// SPDX-License-Identifier: MIT
/*
 * Which machines sleep, and whom to wake (idle.c).
 */
#ifndef TUZA_SCHED_IDLE_H
#define TUZA_SCHED_IDLE_H

#include "sched/runtime.h"

/*
 * Finds something to run for the machine, which holds a processor and has nothing local. Sleeps
 * until there is. Returns with a processor, perhaps another one; NULL when the scheduler must look
 * anew (a processor was handed over).
 */
struct goroutine *idle_find(struct machine *m);

// Sleeps without a processor until one is handed over. Needs: m->processor == NULL.
void idle_sleep(struct machine *m);

// After work was published that a sleeping machine should share: starts one looker, unless one
// looks already.
void idle_wake(void);

/*
 * Hands an idle processor, if there is one, to a machine that does not count as looking: one that
 * does and finds work starts the next, and a program of some microseconds needs no second thread.
 * Needs: the work is in the global queue
 */
void idle_start_first(void);

/*
 * After p's owner queued a goroutine while there are idle processors. `soft`: it is the only one
 * queued, and the owner will probably run it itself soon.
 */
void idle_submitted(struct processor *p, bool soft);

// Stops counting the machine as a looker because it found work; wakes the next looker if it was the
// last.
void idle_stop_spinning(struct machine *m);

// A processor from the idle ones for the machine, or false. Needs: rt.lock, no processor.
bool idle_take_processor(struct machine *m);

// Puts p among the idle ones. Needs: rt.lock; p is nobody's. Also retires it if it is surplus.
void idle_put_processor(struct processor *p);

// Gives p (nobody's, status RUNNING) to a sleeping or new machine; idle if there is no thread to be
// had.
void idle_hand_processor(struct processor *p, bool spinning);

// There is no thread to be had for p, which is nobody's: it stays idle, and what was in its queue
// is found by those that run, or else by the monitor, which tries again.
void idle_thread_is_refused(struct processor *p, bool spinning);

// Gives p to the machine that the locked goroutine g is tied to.
void idle_hand_locked(struct processor *p, struct goroutine *g);

// Goroutines that timers or events have woken are in the ring of p, whose owner takes one of them
// at once: wakes somebody for the others if that may help.
void idle_share(struct processor *p);

// Whether m, which has no processor, has goroutines in hand that nobody else finds.
void idle_carries(struct machine *m, bool does);

// Wakes m from its sleep: it looks at what it was handed, at the timers, or leaves. No lock is
// needed.
void idle_wake_machine(struct machine *m);

// Wakes every sleeping machine without a processor: the end of the runtime.
void idle_wake_all(void);

#endif
