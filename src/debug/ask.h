// SPDX-License-Identifier: MIT
/*
 * The stack of a goroutine that runs on another thread: the thread is asked by a signal.
 */
#ifndef TUZA_DEBUG_ASK_H
#define TUZA_DEBUG_ASK_H

#include "debug/backtrace.h"
#include "sched/inspect.h"

enum { ASK_LABELS_BYTES = 256 }; // with the final 0; those that do not fit are left out

// Zeroed at the beginning of a look at goroutines.
struct ask_patience {
	int64_t spent; // ns of waiting in vain, in this look: nobody is asked when it is too much
};

struct asked {
	struct backtrace b;
	char labels[ASK_LABELS_BYTES]; // as dumps have them, or ""
};

/*
 * Asks where a goroutine is that runs, or is in a blocking section. For inspect_each's callback,
 * and that of inspect_each_unlocked: takes no lock that may be held (flags: REPORT_FATAL, or 0),
 * allocates nothing.
 *
 * Nobody is asked who sleeps in a system call that a signal would end early (poll, nanosleep …);
 * under ThreadSanitizer and valgrind, which deliver signals late, nobody at all; nor where the
 * program has a handler of SIGPROF.
 *
 * Returns  false when it does not answer in time, or is there no more; *a is of no use then.
 * Blocks   the thread, for 20 ms at most as a rule.
 */
MUST_USE bool ask_running(
	const struct inspected *i, struct ask_patience *p, struct asked *a, unsigned flags);

#endif
