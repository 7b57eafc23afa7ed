// SPDX-License-Identifier: MIT
/*
 * The signal by which threads are asked where they are: SIGPROF. Whoever asks sends a value with
 * it, the address of a struct profile_signal, and that says what the handler does.
 *
 * The handler stays installed for good: a signal may arrive late, and would end the process by
 * default.
 */
#ifndef TUZA_DEBUG_PROFILE_SIGNAL_H
#define TUZA_DEBUG_PROFILE_SIGNAL_H

#ifndef _GNU_SOURCE
#error "ucontext.h needs _GNU_SOURCE"
#endif

#include "base/compiler.h"

#include <signal.h>
#include <ucontext.h>

struct profile_signal {
	// In the handler, with all signals blocked but those of faults; errno is saved.
	void (*handle)(const siginfo_t *info, const ucontext_t *context);
	struct profile_signal *next; // constant after profile_signal_use
	uint32_t is_listed;          // any thread, atomic: somebody made it known, or is about to
};

/*
 * Makes the signal known, once for each, and installs the handler unless it is there. Static
 * memory only. From any thread, and in signal handlers.
 *
 * Returns  0; -EBUSY: the program has a handler of SIGPROF.
 */
MUST_USE int profile_signal_use(struct profile_signal *s);

#endif
