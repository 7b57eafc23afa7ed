// SPDX-License-Identifier: MIT
/*
 * Hands the scheduler's events on to those who want to know of them. See events.h.
 *
 * Order within a hook: the sanitizers come last when a stack is left or entered, since what
 * follows them must not be code that they watch.
 */
#include "sched/events.h"

#include "sched/contention.h"
#include "sched/latency.h"
#include "sched/machine.h"
#include "sched/probes.h"
#include "sched/sanitizer.h"
#include "sched/schedule.h"
#include "sched/upcalls.h"

void events_begin(enum events_for whom) { or_relaxed(&events_on, whom); }           // a request
void events_end(enum events_for whom) { and_relaxed(&events_on, ~(uint32_t)whom); } // the same

NOINLINE void events_spawned(struct machine *m, struct goroutine *g)
{
	if (events_are_for(EVENTS_FOR_TOOLS))
		sanitizer_goroutine_created(g);
	if (events_are_for(EVENTS_FOR_TRACE))
		trace_spawned(m, g, true);
	if (events_are_for(EVENTS_FOR_LATENCY))
		latency_begin(m->processor, g);
	if (events_are_for(EVENTS_FOR_PROBES))
		probes_created(g);
}

NOINLINE void events_readied(struct machine *m, struct goroutine *g, enum event_cause cause)
{
	if (events_are_for(EVENTS_FOR_PROBES))
		probes_readied(m, g, cause);
	if (events_are_for(EVENTS_FOR_BLOCK))
		contention_readied(g);
	if (events_are_for(EVENTS_FOR_TRACE) && m) {
		if (g->flags & GOROUTINE_STARTED)
			trace_readied(m, g, cause);
		else
			trace_spawned(m, g, cause == EVENT_BY_GOROUTINE);
	}
	if (events_are_for(EVENTS_FOR_LATENCY))
		latency_begin(m ? m->processor : NULL, g);
}

NOINLINE void events_entering(struct machine *m, struct goroutine *g, bool first)
{
	if (events_are_for(EVENTS_FOR_TRACE))
		trace_entering(m, g, first);
	if (events_are_for(EVENTS_FOR_LATENCY))
		latency_end(m->processor, g);
	if (events_are_for(EVENTS_FOR_PROBES))
		probes_running(g, first);
	if (events_are_for(EVENTS_FOR_TOOLS))
		sanitizer_enter(m, g, first);
}

static void trace_leaving(struct machine *m, struct goroutine *g, void *(*entry)(void *, void *))
{
	if (entry == schedule_parked)
		trace_parking(m, g);
	else if (entry == schedule_unblocked)
		trace_blocking_ended(m, g);
	else
		trace_yielding(m, g);
}

NOINLINE void events_leaving(struct machine *m, struct goroutine *g, void *(*entry)(void *, void *))
{
	if (events_are_for(EVENTS_FOR_TRACE))
		trace_leaving(m, g, entry);
	if (events_are_for(EVENTS_FOR_PROBES)) {
		if (entry == schedule_parked)
			probes_parking(g);
		else if (entry == schedule_unblocked)
			probes_blocking(g, false);
		else
			probes_yielding(g);
	}
	if (events_are_for(EVENTS_FOR_LATENCY) && entry == schedule_parked)
		latency_parks(m->processor, g);
	if (events_are_for(EVENTS_FOR_TOOLS))
		sanitizer_leave(m, g, false);
}

NOINLINE void events_ended(struct machine *m, struct goroutine *g)
{
	if (events_are_for(EVENTS_FOR_TRACE))
		trace_ended(m, g);
	if (events_are_for(EVENTS_FOR_PROBES))
		probes_ended(g);
	if (events_are_for(EVENTS_FOR_TOOLS))
		sanitizer_leave(m, g, true);
}

NOINLINE void events_blocking_began(struct machine *m, struct goroutine *g)
{
	if (events_are_for(EVENTS_FOR_TRACE))
		trace_blocking_began(m, g);
	if (events_are_for(EVENTS_FOR_PROBES))
		probes_blocking(g, true);
}

NOINLINE void events_blocking_ended(struct machine *m, struct goroutine *g)
{
	if (events_are_for(EVENTS_FOR_TRACE))
		trace_blocking_ended(m, g);
	if (events_are_for(EVENTS_FOR_PROBES))
		probes_blocking(g, false);
}

NOINLINE void events_processor_idles(struct processor *p)
{
	if (events_are_for(EVENTS_FOR_TRACE))
		trace_processor_idles(p);
}
