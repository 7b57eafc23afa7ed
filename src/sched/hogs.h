// SPDX-License-Identifier: MIT
/*
 * Processors whose goroutine does not give them back (hogs.c).
 */
#ifndef TUZA_SCHED_HOGS_H
#define TUZA_SCHED_HOGS_H

#include <stdbool.h>
#include <stdint.h>

// Looks at every processor once, on the monitor's thread. True if something was done or is under
// way, so that the next look should come soon.
bool hogs_look(int64_t now);

#endif
