// SPDX-License-Identifier: MIT
/*
 * Goroutines that wait for each other in a cycle: for a lock that the next one has, or that the
 * next one waits for and keeps readers out of, or for the next one's end. Others may run on, so
 * nobody else would notice.
 */
#ifndef TUZA_SCHED_DEADLOCK_H
#define TUZA_SCHED_DEADLOCK_H

#include "sched/goroutine.h"

enum {
	DEADLOCK_CIRCLE_MAX = 16, // longer ones are found, and shown so far
};

// A cycle that was found: each waits for the next one, the last for the first.
struct deadlock {
	uint32_t count;
	struct deadlock_member {
		uint64_t id;
		enum wait_reason reason;
		const void *object;
	} members[DEADLOCK_CIRCLE_MAX];
};

/*
 * The monitor's look; reports what has lasted for a second, once. `now`: the clock. Returns when it
 * wants to look again at the latest; INT64_MAX: not before something has happened.
 */
int64_t deadlock_look(int64_t now);

// Whether some have parked since a look that found nothing. For the monitor, before it sleeps for
// long.
bool deadlock_is_missed(void);

// How often goroutines have parked, all together, in this runtime.
uint64_t deadlock_count_parks(void);

// Calls fn for the memory in which a look notes what goroutines wait for: that makes nothing known
// to the program.
void deadlock_each_hidden(void (*fn)(const void *low, size_t bytes, void *arg), void *arg);

// A new runtime begins.
void deadlock_reset(void);

#endif
