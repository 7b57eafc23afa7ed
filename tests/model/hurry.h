// SPDX-License-Identifier: MIT
/*
 * What the models of locks without locked instructions share: rounds with pauses between all steps,
 * and rounds without any, so that both happen: that a step is still in the CPU's store buffer, and
 * that it is not. To be included before what is modelled.
 */
#ifndef TUZA_MODEL_HURRY_H
#define TUZA_MODEL_HURRY_H

#include "parking.h"

#include <sys/syscall.h>
#include <unistd.h>

#ifdef MODEL_CHECKER
#define TURNS 1
#else
#define TURNS 20
#define HURRIED_TURNS 1000
#endif
static int turns; // constant in a round; HURRIED_TURNS: without a pause

static inline void turn_pause(void)
{
	if (turns == TURNS)
		model_pause();
}

// Others get in between the short steps, too. What explores executions knows of no barrier that one
// thread makes another pass.
#ifdef MODEL_CHECKER
#define TUZA_STEP_() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#else
#define TUZA_STEP_() pause_unless_hurried()
// Of external linkage, since inline functions of the public header call it.
void pause_unless_hurried(void);
void pause_unless_hurried(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	turn_pause();
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}
#endif

static inline void barrier_in_all_threads(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#ifndef MODEL_CHECKER
	if (syscall(SYS_membarrier, 1 << 3, 0, 0) != 0) // PRIVATE_EXPEDITED
		abort();
#endif
}

#endif
