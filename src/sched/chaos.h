// SPDX-License-Identifier: MIT
/*
 * Chaos: a schedule made by dice, for finding what depends on the order (chaos.c).
 */
#ifndef TUZA_SCHED_CHAOS_H
#define TUZA_SCHED_CHAOS_H

#include "base/compiler.h"

struct processor;

extern HIDDEN bool chaos_on; // constant while the runtime runs

/*
 * Where a goroutine may yield. Not while it holds a lock, of the runtime's or the program's: it may
 * be dropped here when tuza_run ends.
 */
void chaos_yield(void);
static ALWAYS_INLINE void chaos_point(void)
{
	if (unlikely(chaos_on))
		chaos_yield();
}

/*
 * Where a thread of the runtime may stand still for long, and others change what it looks at: a
 * machine that has just been put among the sleeping ones, the monitor that looks whether all is
 * idle. Now and then it does, in builds with TUZA_DEBUG_CHECKS.
 */
void chaos_stand_still(void);
static ALWAYS_INLINE void chaos_pause(void)
{
	if (TUZA_DEBUG_CHECKS && unlikely(chaos_on))
		chaos_stand_still();
}

// The seed; 0 when it is off, or the run is simulated. Any thread.
uint64_t chaos_seed(void);

// ---- inside sched/ ------------------------------------------------------------------------

// After the environment was read, before there are processors.
void chaos_start(void);
// A processor that is nobody's comes into service.
void chaos_begin(struct processor *p);
// Whether dice alone say when a goroutine's time slice is over, whatever the monitor asks for.
bool chaos_decides(void);
// Called by the owner at each scheduling. Needs: chaos_on
void chaos_shuffle(struct processor *p);

#endif
