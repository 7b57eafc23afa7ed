// SPDX-License-Identifier: MIT
/*
 * The scan for leaked goroutines, for those who show them: tuza_leak_scan, the profile.
 */
#ifndef TUZA_DEBUG_LEAK_SCAN_H
#define TUZA_DEBUG_LEAK_SCAN_H

#include "debug/scan.h"
#include "debug/snapshot.h"

/*
 * Finds them, one scan at a time; `caller` and what it returns are scan_leaked_take's. Needs: a
 * plain thread or a blocking section. Owns/frees  scan_leaked_free, also after a failure.
 */
MUST_USE int leak_scan_take(struct scan_leaked *l, const struct arch_saved *caller);

#endif
