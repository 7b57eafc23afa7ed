// SPDX-License-Identifier: MIT
/*
 * Runnable goroutines that can wait (patient.c).
 */
#ifndef TUZA_SCHED_PATIENT_H
#define TUZA_SCHED_PATIENT_H

#include "sched/runtime.h"

enum { PATIENT_AT_ONCE = 8 }; // let in between two looks: a tenth of a millisecond's work

// Goroutines that were woken together.
struct patient_list {
	struct goroutine *first, *last;
	uint32_t count;
};

void patient_append(struct patient_list *list, struct goroutine *g);

// True if g, which can wait, may go into the owner's ring; else it is appended to *list.
bool patient_may_go(struct processor *p, struct goroutine *g, struct patient_list *list);

// Puts them behind those that wait already; the list is empty then. Wakes a looker.
void patient_put(struct patient_list *list);

// The same with one, on behalf of somebody without a processor.
void patient_submit(struct goroutine *g);

// The owner looks at the kernel: some more may go in behind what it finds.
void patient_look(struct processor *p);
// Behind that, lets in who waits. True if there was anybody.
bool patient_let_in(struct processor *p);

// Lets in up to `most`, but returns the first of them. Needs: rt.lock
struct goroutine *patient_take_locked(struct processor *p, uint32_t most);

#endif
