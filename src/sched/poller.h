// SPDX-License-Identifier: MIT
/*
 * Who asks the kernel for events, as the scheduler sees it (poller.c).
 *
 * A machine without work looks, without waiting, before it sleeps; a busy one looks now and then.
 * The one that sleeps last keeps the time and waits in the kernel's poller instead of on its futex.
 * When nobody has looked for a while, the monitor sees to it. Before the first descriptor is waited
 * for, all of this is one look at a counter.
 */
#ifndef TUZA_SCHED_POLLER_H
#define TUZA_SCHED_POLLER_H

#include "sched/runtime.h"

enum { POLLER_COUNTS = 64 };

/*
 * How many wait that an event from outside may wake, in parts: one for each processor, where those
 * are counted that began to wait on it, until they are woken, wherever that is. So no part is ever
 * less than nothing, who waits is in one of them all the time, and two processors that serve
 * descriptors share no line for it. Plain threads are in the first one.
 */
struct poller_count {
	CACHE_ALIGNED uint32_t waiters; // any thread, atomic
};

struct poller {
	struct poller_count count[POLLER_COUNTS];
	// any thread, atomic
	CACHE_ALIGNED uint32_t thread_waiters; // of the waiters, plain threads
	uint32_t looked_by;      // a hint: who last looked at the common set: its index
	struct machine *machine; // the one that waits in the kernel, or is about to: set under
				 // rt.lock
};

extern struct poller poller;

// Somebody waits. `from` is a processor's index: its own part of the count is looked at first.
// (poll-idle) Who begins to wait counts itself first, then looks whether somebody polls
// (netpoll.c); who goes to sleep decides under rt.lock whether to poll, and looks here.
static ALWAYS_INLINE bool poller_is_awaited(uint32_t from)
{
	uint32_t count = processor_count();
	if (load_seq_cst(&poller.count[from % POLLER_COUNTS].waiters) != 0) // (poll-idle)
		return true;
	for (uint32_t i = 0; i == 0 || (i < count && i < POLLER_COUNTS); i++)
		if (load_seq_cst(&poller.count[i].waiters) != 0) // (poll-idle)
			return true;
	return false;
}

// The kernel's poller, opened on first use. 0 or a negative code.
MUST_USE int poller_open(void);

// A look without waiting, for p, or NULL: who must be made ready, linked by next. NULL also when
// another one looks, or waits and has a processor to run them.
struct goroutine *poller_look(const struct processor *p);

// The same, for a machine that looks for work: at its own set; if that has nothing at the common
// one, if `common`; then at those of other processors that have not been looked at for a while.
struct goroutine *poller_look_idle(const struct processor *p, int64_t now, bool common);

// The owner of a processor other than `but` looked a moment ago. It will look again when it has run
// what it found, so what comes until then is for it: with one message at a time, two that look are
// slower than one. A hint.
bool poller_is_looked_after(const struct processor *but, int64_t now);

// Waits in the kernel until an event, `until`, or poller_interrupt. For poller.machine, which is m.
// Returns whom that wakes; m carries them (idle_carries).
struct goroutine *poller_wait(struct machine *m, int64_t until);

// Ends that wait.
void poller_interrupt(void);

// Somebody waits, and nobody has looked for `ns`.
bool poller_is_neglected(int64_t now, int64_t ns);

#endif
