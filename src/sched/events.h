// SPDX-License-Identifier: MIT
/*
 * What happens to goroutines, told to whoever wants to know (events.c): the sanitizers, the
 * execution trace, the histogram of scheduling latencies, the block profile, probes.
 *
 * One word says who wants to know. The paths of the scheduler test it once, for all of them, and do
 * no more while it is 0. A hook is called at the moment that its name says, by the machine that it
 * happens on:
 *
 *   spawned          g is complete and about to be put into a queue for the first time
 *   readied          g waited, and is about to be put into a queue again: by whom
 *   entering         the machine is about to run g on its processor, for the first time or again
 *   leaving          g, on its own stack, is about to stop: parked, yielding …
 *   ended            g, on its own stack, is about to end
 *   blocking_began   g's machine is about to leave its processor behind
 *   blocking_ended   g's machine has its processor back, or another one
 *   processor_idles  p is about to go out of use; it is the caller's
 *
 * Hooks take no locks but their own, park never, allocate nothing and do not touch errno. Between
 * two of one goroutine others may be missing: somebody may have become curious in between.
 */
#ifndef TUZA_SCHED_EVENTS_H
#define TUZA_SCHED_EVENTS_H

#include "sched/goroutine.h"

struct machine;
struct processor;

enum events_for {
	EVENTS_FOR_TOOLS = 1,           // sanitizer.c: sanitizers, the C++ runtime, red zones
	EVENTS_FOR_TRACE = 2,           // trace/
	EVENTS_FOR_LATENCY = 4,         // latency.c
	EVENTS_FOR_BLOCK = 8,           // the block profile
	EVENTS_FOR_STRAGGLERS = 16,     // drop.c: some may park yet
	EVENTS_FOR_PROBES = 0x7fff0000, // probes.c: counted up from outside
};

// Who woke a goroutine.
enum event_cause {
	EVENT_BY_GOROUTINE, // the machine's current one, or a plain thread
	EVENT_BY_TIMER,
	EVENT_BY_NETPOLL,
	EVENT_BY_SCHEDULER, // what it did went on by itself: a park that was not to be, a stack
	EVENT_CAUSES
};

// Any thread, atomic: enum events_for. Changes while goroutines run: each hook looks once.
extern HIDDEN uint32_t events_on;

static ALWAYS_INLINE bool events_are_on(void)
{
	return unlikely(load_relaxed(&events_on) != 0); // a request: who misses it is told later
}

static ALWAYS_INLINE bool events_are_for(uint32_t whom)
{
	return unlikely(load_relaxed(&events_on) & whom); // as above
}

// From now on, until events_end, the hooks tell `whom`, too.
void events_begin(enum events_for whom);
void events_end(enum events_for whom);

// ---- hooks: only while events_are_on() ----------------------------------------------------

void events_spawned(struct machine *m, struct goroutine *g);
void events_readied(struct machine *m, struct goroutine *g, enum event_cause cause);
void events_entering(struct machine *m, struct goroutine *g, bool first);
// `entry`: that of schedule.h by which the goroutine leaves.
void events_leaving(struct machine *m, struct goroutine *g, void *(*entry)(void *, void *));
void events_ended(struct machine *m, struct goroutine *g);
void events_blocking_began(struct machine *m, struct goroutine *g);
void events_blocking_ended(struct machine *m, struct goroutine *g);
void events_processor_idles(struct processor *p);

#endif
