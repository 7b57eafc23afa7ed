// SPDX-License-Identifier: MIT
/*
 * Looking for work that is somebody else's (look.c).
 */
#ifndef TUZA_SCHED_LOOK_H
#define TUZA_SCHED_LOOK_H

#include "sched/runtime.h"

// Looks everywhere for a while, for the machine m that holds p and is counted as a looker. NULL:
// there was nothing, or the caller is wanted for something else.
struct goroutine *look_for_work(struct machine *m, struct processor *p);

// Fires the due timers of all `count` processors, beginning with the one at `start`; the goroutines
// that they wake go to p's ring, which the caller owns. True if there were any.
bool look_at_timers(struct processor *p, uint32_t start, uint32_t count, int64_t now);

// Looks, without waiting, for events from outside; the goroutines that they wake go to p's ring,
// which the caller owns. True if there were any.
bool look_outside(struct processor *p);

#endif
