// SPDX-License-Identifier: MIT
/*
 * Which processors are in service (processor.c).
 */
#ifndef TUZA_SCHED_PROCESSOR_H
#define TUZA_SCHED_PROCESSOR_H

#include "sched/runtime.h"

// Makes processors up to `count` exist. 0 or -ENOMEM. Needs: rt.lock, except at start.
MUST_USE int processor_create(uint32_t count);
void processor_destroy_all(void);

// More processors are in service than wanted, or this one was told to go. Needs: rt.lock
bool processor_is_surplus(const struct processor *p);

// Takes a processor that is nobody's out of service. Needs: rt.lock; its queue is empty.
void processor_switch_off(struct processor *p);

// A processor put into service, status RUNNING and nobody's; NULL if none can be had. Needs:
// rt.lock
struct processor *processor_switch_on(void);

// Changes how many are wanted; returns how many were.
uint32_t processor_set_target(uint32_t n);

// The owner's slow look when p->attention is set: retires p if it should (then m has no processor).
void processor_attend(struct machine *m, struct processor *p);

// Moves the whole queue of a processor that its owner gives up to the global queue.
void processor_flush(struct processor *p);

// Gives p, which the caller owns with its queue, to whoever can use it; idle if there is no work.
void processor_hand_off(struct processor *p);

#endif
