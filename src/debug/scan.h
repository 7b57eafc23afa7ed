// SPDX-License-Identifier: MIT
/*
 * Which goroutines can never be woken, by whoever still knows what they wait for.
 */
#ifndef TUZA_DEBUG_SCAN_H
#define TUZA_DEBUG_SCAN_H

#include "debug/scan_memory.h"

struct scan_leaked {
	struct scan_array ids; // uint64_t, sorted: goroutines that are leaked
	size_t candidates;     // goroutines that were looked at: blocked
	int64_t stopped_ns;    // for how long all threads stood still
};

/*
 * Looks at all memory with all other threads stopped. Goroutines that wait for something that
 * nobody can reach who may still run are leaked.
 *
 * Returns  0; -ENOMEM; -EBUSY: the program handles the signal that stops threads; -EAGAIN: the
 *          runtime's lists were in the midst of a change, again and again.
 * Needs: a plain thread or a blocking section, a stack of 64 KiB; `caller` as own_stack_call gives
 *          it. One caller at a time.
 * Owns/frees  scan_leaked_free, also after a failure.
 */
struct arch_saved;
MUST_USE int scan_leaked_take(struct scan_leaked *l, const struct arch_saved *caller);
void scan_leaked_free(struct scan_leaked *l);
bool scan_leaked_has(const struct scan_leaked *l, uint64_t id);

#endif
