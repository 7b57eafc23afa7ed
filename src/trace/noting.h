// SPDX-License-Identifier: MIT
/*
 * Between the record (record.c) and those who note (note.c).
 */
#ifndef TUZA_TRACE_NOTING_H
#define TUZA_TRACE_NOTING_H

#include "arch/arch.h"
#include "sched/timer.h"
#include "sys/clock.h"
#include "trace/record.h"

// What is looked at for each event, without the lock.
extern HIDDEN struct record_now {
	// any thread, atomic; changed under the record's lock
	uint32_t epoch;
	uint32_t is_full; // until the record is thawed nothing is noted
	// constant while anybody notes
	bool by_ticks;
} record_now;

// The clock of the events.
static ALWAYS_INLINE uint64_t record_ticks(void)
{
	return record_now.by_ticks ? arch_ticks() : (uint64_t)sys_clock_now();
}

// Gives the machine what it notes into. NULL: no memory.
NOINLINE struct trace_writer *record_make_writer(struct machine *m);

// Gives the writer a chunk with room. False: there is none.
NOINLINE bool record_turn_page(struct trace_writer *w, uint64_t ticks);

#endif
