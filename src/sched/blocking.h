// SPDX-License-Identifier: MIT
/*
 * Blocking sections: leaving the scheduler around a call that may block the thread.
 * The public names are tuza_blocking_begin and tuza_blocking_end; the layers above use those.
 */
#ifndef TUZA_SCHED_BLOCKING_H
#define TUZA_SCHED_BLOCKING_H

#include "sched/current.h"

// True when the caller is a goroutine inside a blocking section.
bool blocking_is_inside(void);

/*
 * A section for reports and the like, which anybody may ask for: a plain thread does not become
 * known to tuza by it. Neither call returns at the end of tuza_run: what lies between leaves
 * nothing behind.
 *
 * Returns  whether there is one, for the end.
 */
MUST_USE bool blocking_section_begin(void);
void blocking_section_end(bool is_one);

#endif
