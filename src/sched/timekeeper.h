// SPDX-License-Identifier: MIT
/*
 * The one sleeping machine that wakes for the earliest timer (timekeeper.c).
 */
#ifndef TUZA_SCHED_TIMEKEEPER_H
#define TUZA_SCHED_TIMEKEEPER_H

#include "sched/runtime.h"

/*
 * Becomes the timekeeper if there is none, or none that polls although somebody should. Returns
 * until when to sleep; *polls: in the kernel's poller. While all processors are busy nobody keeps
 * time nor polls: they look themselves, and what a sleeper would wake for would have to wait. The
 * monitor sees to it that somebody does look.
 */
int64_t timekeeper_become(struct machine *m, bool *polls);

// m sleeps no longer, or need not wake by itself: if it was the timekeeper there is none now.
// Needs: rt.lock.
void timekeeper_resigns(const struct machine *m);

// When the earliest timer of all processors is due; INT64_MAX: there is none.
int64_t timekeeper_earliest(void);

// Whether some machine sleeps until the earliest timer. A hint.
bool timekeeper_is_there(void);

// After idle_put_processor by a machine that does not go to sleep itself: sees to it that somebody
// sleeps until the next timer, if there is one. Needs: rt.lock not held.
void timekeeper_find(void);

// Fires due timers of all processors, for a machine or monitor that has none: the goroutines go to
// the global queue.
void timekeeper_fire(int64_t now);

#endif
