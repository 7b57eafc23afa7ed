// SPDX-License-Identifier: MIT
/*
 * Static probes: what happens to goroutines, for bpftrace, perf, gdb and SystemTap
 * (docs/PROBES.md). Without such a tool they cost what events.h costs while nobody wants to know.
 * A door: sched/ calls the hooks of events.c's, panic/ its own.
 */
#ifndef TUZA_SCHED_PROBES_H
#define TUZA_SCHED_PROBES_H

#include "sched/events.h"

// Only while events_are_for(EVENTS_FOR_PROBES). `by`: the machine that it happens on; may be NULL.
void probes_created(const struct goroutine *g);
void probes_readied(const struct machine *by, const struct goroutine *g, enum event_cause cause);
void probes_running(const struct goroutine *g, bool first);
void probes_parking(const struct goroutine *g);
void probes_yielding(const struct goroutine *g);
void probes_ended(const struct goroutine *g);
void probes_blocking(const struct goroutine *g, bool begins);
void probes_panicking(const struct goroutine *g, const char *message);

#endif
