// SPDX-License-Identifier: MIT
/*
 * When nobody can go on any more: all goroutines are asleep, or those that are not have no stack.
 * All of it is the monitor's.
 */
#ifndef TUZA_SCHED_ASLEEP_H
#define TUZA_SCHED_ASLEEP_H

#include "base/compiler.h"

// A run begins; the monitor has a thread of its own.
void asleep_reset(bool monitor_has_thread);

// Somebody has run.
void asleep_not(void);

// Every processor is idle, and nothing has run: ends the process if that is for good.
void asleep_look(int64_t now);

// The same while goroutines wait for stacks, at any time.
void asleep_look_starved(int64_t now);

// How long until there is something to tell, ns; INT64_MAX: nothing.
int64_t asleep_until_told(void);

#endif
