// SPDX-License-Identifier: MIT
/*
 * Runnable goroutines that can wait: what they waited for has ended, or took too long.
 *
 * When ten thousand clients hang up at once, or the time of ten thousand is up, each of them is
 * some 15 us of work that nobody waits for, and in one queue the request that comes next is behind
 * all of it. So of those that are woken by the end of a connection or by a deadline
 * (GOROUTINE_PATIENT), a processor lets no more than a few into its ring from one look at the
 * kernel (look.c) to the next. The others wait here, in their order, and each look lets in as many
 * behind what it has found. So a request, which the look finds, is never behind more than a few of
 * them, and they are sure of their share: a busy processor looks every 61st turn, one that has
 * nothing else to do all the time.
 *
 * With few such wake-ups, which is always but in a rush, nothing comes here at all.
 *
 * It is a part of the global queue for all who look for work: rt.lock guards it, and
 * rt.global_count counts both. A busy processor that looks there takes from the two in turn, so
 * that work which keeps coming from outside does not keep these waiting. Whoever comes rather than
 * goes waits in the kernel (netpoll_give_way).
 */
#include "sched/patient.h"

#include "sched/idle.h"

void patient_append(struct patient_list *list, struct goroutine *g)
{
	g->next = NULL;
	if (list->last)
		list->last->next = g;
	else
		list->first = g;
	list->last = g;
	list->count++;
}

bool patient_may_go(struct processor *p, struct goroutine *g, struct patient_list *list)
{
	if (p->patient_room > 0 && load_relaxed(&rt.patient_count) == 0) { // hint: those are older
		p->patient_room--;
		return true;
	}
	patient_append(list, g);
	return false;
}

void patient_put(struct patient_list *list)
{
	if (list->count == 0)
		return;
	lock_acquire(&rt.lock);
	if (rt.patient_tail)
		rt.patient_tail->next = list->first;
	else
		rt.patient_head = list->first;
	rt.patient_tail = list->last;
	store_relaxed(&rt.patient_count, rt.patient_count + list->count); // guarded by the lock
	// (idle-wake) published here
	store_seq_cst(&rt.global_count, rt.global_count + list->count);
	lock_release(&rt.lock);
	*list = (struct patient_list){NULL, NULL, 0};
	if (load_seq_cst(&rt.idle_processor_count) != 0) // (idle-wake)
		idle_wake();
}

void patient_submit(struct goroutine *g)
{
	struct patient_list one = {NULL, NULL, 0};
	patient_append(&one, g);
	patient_put(&one);
}

struct goroutine *patient_take_locked(struct processor *p, uint32_t most)
{
	struct goroutine *first = rt.patient_head, *g = first;
	uint32_t taken = 0;
	while (g && (taken == 0 || taken < most)) {
		struct goroutine *next = g->next; // read before g is published
		if (taken > 0 && !runq_put(&p->runq, g))
			break;
		g = next;
		taken++;
	}
	rt.patient_head = g;
	if (!g)
		rt.patient_tail = NULL;
	// Guarded by the lock; readers take them as hints.
	store_relaxed(&rt.patient_count, rt.patient_count - taken);
	store_relaxed(&rt.global_count, rt.global_count - taken);
	return first;
}

void patient_look(struct processor *p) { p->patient_room = PATIENT_AT_ONCE; }

bool patient_let_in(struct processor *p)
{
	struct goroutine *g = NULL;
	if (load_relaxed(&rt.patient_count) == 0 || p->patient_room == 0) // hint
		return false;
	lock_acquire(&rt.lock);
	if (runq_length(&p->runq) < RUNQ_SIZE / 2) // so that there is room for them
		g = patient_take_locked(p, p->patient_room);
	if (g)
		check(runq_put(&p->runq, g));
	lock_release(&rt.lock);
	p->patient_room = 0;
	return g != NULL;
}
