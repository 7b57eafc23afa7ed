// SPDX-License-Identifier: MIT
/*
 * Which goroutines count as blocked. (tuza_blocked_write, which shows them, is in blocked.c.)
 */
#ifndef TUZA_DEBUG_BLOCKED_H
#define TUZA_DEBUG_BLOCKED_H

#include "sched/goroutine.h"

// Whether a goroutine that waits for this reason can only be woken by what others do to the object
// that it waits on.
bool blocked_by_others(enum wait_reason reason);

#endif
