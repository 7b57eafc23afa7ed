// SPDX-License-Identifier: MIT
/*
 * Bringing the runtime up and down (start.c).
 */
#ifndef TUZA_SCHED_START_H
#define TUZA_SCHED_START_H

#include "sched/runtime.h"

// Starts the runtime unless it runs. Fatal when that is impossible.
void runtime_start(void);

static ALWAYS_INLINE void runtime_ensure_started(void)
{
	// (started) pairs with the store in runtime_start
	if (unlikely(load_acquire(&rt.started) == 0))
		runtime_start();
}

// ---- for run.c: all of these need the lock of visit.c, and are not for goroutines ---------------

// `monitored`: the caller will be the monitor.
void runtime_start_locked(bool monitored);
// In a run, or goroutines live, or a plain thread waits for a timer, perhaps.
bool runtime_is_busy(void);
// Ends the runtime; but if plain threads wait for a timer, perhaps, it is started again for them.
void runtime_stop_locked(void);
// Joins the threads that have left. Needs: not the lock
void runtime_join_ended(void);

// ---- the monitor --------------------------------------------------------------------------------

// monitor.c: a thread of its own, for a runtime that a plain thread started.
MUST_USE int monitor_start(void);
void monitor_stop(void);
// Or the thread in tuza_run, which has nothing else to do: monitors until *until is set and
// monitor_rouse called.
void monitor_run(const uint32_t *until);
void monitor_rouse(void);
// Somebody got a processor: if the monitor sleeps for long it must look again.
void monitor_wake(void);
// A timer is due at `when`, and everybody is busy: if the monitor sleeps longer it must look again.
void monitor_expect_timer(int64_t when);

#endif
