// SPDX-License-Identifier: MIT
/*
 * Simulated runs: tuza_sim_run's clock and schedule (simulation.c).
 */
#ifndef TUZA_SCHED_SIMULATION_H
#define TUZA_SCHED_SIMULATION_H

#include "base/atomic.h"

struct goroutine;
struct processor;

// What clock_now() says in a simulated run; 0: the run is real. Any thread, atomic.
extern HIDDEN int64_t simulated_now;

static ALWAYS_INLINE bool simulation_is_on(void)
{
	return unlikely(load_relaxed(&simulated_now) != 0); // changes between runs only
}

// The next run is simulated. Before there are processors.
void simulation_begin(uint64_t seed);
void simulation_end(void);
uint64_t simulation_seed(void);

// ---- the schedule: by the owner of the one processor -------------------------------------------

// Puts first in its queue whoever is to run next.
void simulation_choose(struct processor *p);
// Whether g, which runs, is to give way where it may.
bool simulation_preempts(const struct goroutine *g);
// g gives way of its own accord.
void simulation_gave_way(const struct goroutine *g);
// How many of the timers that are due fire before those whom they wake may run. Any thread.
uint32_t simulation_fires(void);

// ---- the clock: by the machine that sleeps because nobody can run -------------------------------

// When a wait for `until` ends really. `outside`: somebody waits for what is not simulated.
int64_t simulation_sleeps_until(int64_t until, bool outside);
// That wait is over. `woken`: before its time.
void simulation_slept(int64_t until, bool outside, bool woken);

#endif
