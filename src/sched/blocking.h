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

#endif
