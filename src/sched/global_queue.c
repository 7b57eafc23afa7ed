// SPDX-License-Identifier: MIT
/*
 * The global queue: what overflows a ring, yields, or comes from somebody without a processor.
 *
 * Lock: rt.lock; rt.global_count is read without it as a hint.
 */
#include "sched/global_queue.h"

#include "sched/idle.h"
#include "sched/machine.h"
#include "sched/park.h"
#include "sched/patient.h"
#include "sched/schedule.h"

void global_queue_put(struct goroutine *first, struct goroutine *last, uint32_t count)
{
	last->next = NULL;
	lock_acquire(&rt.lock);
	if (rt.global_tail)
		rt.global_tail->next = first;
	else
		rt.global_head = first;
	rt.global_tail = last;
	store_seq_cst(&rt.global_count, rt.global_count + count); // (idle-wake) published here
	lock_release(&rt.lock);
}

void global_queue_submit(struct goroutine *g)
{
	global_queue_put(g, g, 1);
	if (load_seq_cst(&rt.idle_processor_count) != 0) // (idle-wake)
		idle_wake();
}

void global_queue_submit_overdue(struct goroutine *list)
{
	struct goroutine *first = NULL, **end = &first, *last = NULL;
	struct machine *m = machine_here();
	struct patient_list patient = {NULL, NULL, 0};
	uint32_t count = 0;
	while (list) {
		struct goroutine *g = list;
		list = g->next;
		if (unlikely(g->flags & GOROUTINE_APART)) {
			ready(g);
			continue;
		}
		if (events_are_on())
			events_readied(m, g, EVENT_BY_TIMER);
		store_relaxed(&g->state, GOROUTINE_RUNNABLE); // published by the queue
		if (g->flags & GOROUTINE_PATIENT) {
			patient_append(&patient, g);
			continue;
		}
		*end = last = g;
		end = &g->next;
		count++;
	}
	patient_put(&patient);
	if (!first)
		return;
	lock_acquire(&rt.lock);
	*end = rt.global_head;
	rt.global_head = first;
	if (!rt.global_tail)
		rt.global_tail = last;
	store_seq_cst(&rt.global_count, rt.global_count + count); // (idle-wake) published here
	lock_release(&rt.lock);
	if (load_seq_cst(&rt.idle_processor_count) != 0) // (idle-wake)
		idle_wake();
}

// Go: runqputslow
void global_queue_overflow(struct processor *p, struct goroutine *g)
{
	struct goroutine *batch[RUNQ_SIZE / 2 + 1];
	uint32_t n = runq_take(&p->runq, batch, RUNQ_SIZE / 2);
	batch[n++] = g;
	for (uint32_t i = 0; i + 1 < n; i++)
		batch[i]->next = batch[i + 1];
	global_queue_put(batch[0], batch[n - 1], n);
}

// Takes up to `most` from the global queue: returns the first, the others go to p's ring. Needs:
// rt.lock.
static struct goroutine *take_global(struct processor *p, uint32_t most)
{
	uint32_t count = rt.global_count - rt.patient_count;
	uint32_t n = count < most ? count : most;
	struct goroutine *first = rt.global_head;
	if (!first)
		return NULL;
	struct goroutine *rest = first->next;
	uint32_t taken = 1;
	while (taken < n && rest) {
		struct goroutine *g = rest;
		rest = g->next; // read before g is published
		if (!runq_put(&p->runq, g)) {
			rest = g;
			break;
		}
		taken++;
	}
	rt.global_head = rest;
	if (!rest)
		rt.global_tail = NULL;
	// Guarded by the lock; readers take it as a hint.
	store_relaxed(&rt.global_count, rt.global_count - taken);
	return first;
}

// Go: a fair share, and no more than fits half a ring. Needs: rt.lock
static struct goroutine *take_share(struct processor *p)
{
	uint32_t share = rt.global_count / load_relaxed(&rt.target) + 1; // hint
	return take_global(p, share < RUNQ_SIZE / 2 ? share : RUNQ_SIZE / 2);
}

struct goroutine *global_queue_take_locked(struct processor *p)
{
	return rt.global_head ? take_share(p) : patient_take_locked(p, PATIENT_AT_ONCE);
}

struct goroutine *global_queue_take(struct processor *p)
{
	lock_acquire(&rt.lock);
	struct goroutine *g = global_queue_take_locked(p);
	lock_release(&rt.lock);
	return g;
}

struct goroutine *global_queue_take_in_turn(struct processor *p)
{
	bool is_long = runq_length(&p->runq) >= GLOBAL_QUEUE_TICK;
	struct goroutine *g;
	lock_acquire(&rt.lock);
	rt.patient_turn = !rt.patient_turn;
	// Else work that keeps coming from outside would keep them waiting.
	if (rt.patient_head && (rt.patient_turn || !rt.global_head))
		g = patient_take_locked(p, is_long ? 1 : PATIENT_AT_ONCE);
	else
		g = is_long ? take_global(p, 1) : take_share(p);
	lock_release(&rt.lock);
	return g;
}
