// SPDX-License-Identifier: MIT
/*
 * Which frames of a stack a profile shows: of the runtime's own only those by which the program
 * called it, as in dumps. Whether a frame is one of the runtime's is told by its address; which
 * function it is, by its symbol. So this is done once per stack, when what was counted is told.
 */
#ifndef TUZA_PPROF_FRAMES_H
#define TUZA_PPROF_FRAMES_H

#include "debug/backtrace.h"

// The stack of whoever called own_stack_call, which gave `caller`; NULL: from the caller of this
// on.
void frames_of_caller(struct backtrace *b, const struct arch_saved *caller);

/*
 * Keeps of each run of the runtime's frames the public function; drops a run at the outer end.
 * Returns how many are left: 0 when the goroutine is one of the library's own. Needs: within
 * pprof_look_up.
 */
uint32_t pprof_programs_frames(
	const struct backtrace_frame *frames, uint32_t count, struct backtrace_frame *kept);

// The same without the innermost function of the runtime: what called it is to blame.
uint32_t pprof_callers_frames(
	const struct backtrace_frame *frames, uint32_t count, struct backtrace_frame *kept);

#endif
