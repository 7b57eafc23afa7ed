// SPDX-License-Identifier: MIT
/*
 * Processors in and out of service.
 *
 * Wanted in service: gomaxprocs (rt.target) and one spare for each that hogs (rt.lent). Processors
 * are made once and stay until the runtime ends, so thieves and timers may look at any of them at
 * any time; those OFF have an empty queue, their timers are still fired by the others. Nothing
 * stops the world: a processor too many retires when its machine next schedules. rt.lock guards
 * in_service, lent and the idle list.
 */
#include "sched/processor.h"

#include "sched/chaos.h"
#include "sched/config.h"
#include "sched/global_queue.h"
#include "sched/goroutine_list.h"
#include "sched/idle.h"
#include "sched/machine.h"
#include "sched/park.h"
#include "sched/schedule.h"
#include "sched/simulation.h"
#include "sched/stack.h"
#include "sched/start.h"
#include "sched/timekeeper.h"
#include "sched/visit.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Those of earlier runs, linked by next_idle: who stops a timer may be about to lock its heap.
// Guarded by whoever starts, ends or has rt.lock.
static struct processor *unused;

static struct processor *reuse(void)
{
	struct processor *p = unused;
	const size_t before = offsetof(struct processor, timers);
	const size_t after = before + sizeof p->timers;
	unused = p->next_idle;
	memset(p, 0, before);
	memset((char *)p + after, 0, sizeof *p - after);
	return p;
}

int processor_create(uint32_t count)
{
	for (uint32_t i = rt.processor_count; i < count; i++) {
		struct processor *p = unused ? reuse() : sys_pages_alloc(sizeof *p);
		if (!p)
			return -ENOMEM;
		p->index = i;
		p->random = sys_random_seed();
		timer_heap_init(&p->timers);
		chaos_begin(p);
		store_release(&rt.processors[i], p); // (processors) pairs with processor_at
		// (processors) pairs with the loads of the count
		store_release(&rt.processor_count, i + 1);
	}
	return 0;
}

void processor_destroy_all(void)
{
	for (uint32_t i = 0; i < rt.processor_count; i++) {
		struct processor *p = rt.processors[i];
		timer_heap_destroy(&p->timers);
		p->next_idle = unused;
		unused = p;
		rt.processors[i] = NULL;
	}
	rt.processor_count = 0;
}

bool processor_is_surplus(const struct processor *p)
{
	return load_relaxed(&p->retire) ||
	       rt.in_service > load_relaxed(&rt.target) + rt.lent; // under rt.lock
}

void processor_switch_off(struct processor *p)
{
	if (load_relaxed(&p->retire)) { // under rt.lock
		store_relaxed(&p->retire, 0);
		rt.lent--;
	}
	store_relaxed(&p->status, PROCESSOR_OFF);
	store_relaxed(&rt.in_service, rt.in_service - 1); // under rt.lock; read as a hint
}

struct processor *processor_switch_on(void)
{
	struct processor *p = NULL;
	uint32_t i = 0;
	while (i < rt.processor_count && // changed under rt.lock
		load_relaxed(&rt.processors[i]->status) != PROCESSOR_OFF)
		i++;
	if (i == rt.processor_count && (i == PROCESSOR_SLOTS || processor_create(i + 1) != 0))
		return NULL;
	p = rt.processors[i];
	store_relaxed(&p->status, PROCESSOR_RUNNING); // under rt.lock
	store_relaxed(&p->attention, 0);
	chaos_begin(p);
	p->machine = NULL;
	store_relaxed(&rt.in_service, rt.in_service + 1); // under rt.lock
	return p;
}

void processor_flush(struct processor *p)
{
	struct goroutine *g;
	while ((g = schedule_get_local(p)) != NULL)
		global_queue_put(g, g, 1);
	// The cache too: others may need what is in it.
	stack_free_many(goroutine_default_class(), p->stacks, p->stack_count);
	p->stack_count = 0;
}

void processor_attend(struct machine *m, struct processor *p)
{
	if (load_relaxed(&m->leave) || load_relaxed(&rt.main_done)) // its own, or a hint
		machine_leave(m);
	// Relaxed: what it asks for is looked at below, under the lock.
	uint32_t attention = exchange_relaxed(&p->attention, chaos_on ? ATTENTION_CHAOS : 0);
	if (chaos_on)
		chaos_shuffle(p);
	if (!(attention & ATTENTION_ASKED))
		return;
	lock_acquire(&rt.lock);
	bool surplus = processor_is_surplus(p);
	lock_release(&rt.lock);
	if (surplus) {
		processor_flush(p);
		m->processor = NULL;
		if (m->spinning) {
			m->spinning = false;
			sub_seq_cst(&rt.spinning, 1); // (idle-wake)
		}
		lock_acquire(&rt.lock);
		idle_put_processor(p);
		lock_release(&rt.lock);
		// (idle-wake) what was moved to the global queue must be seen by somebody
		if (load_seq_cst(&rt.global_count) != 0 &&
			load_seq_cst(&rt.idle_processor_count) != 0)
			idle_wake();
		return;
	}
	// Relaxed: written under rt.lock, before attention. Only with something to give: else those
	// who starve would call each other back without end.
	if (unlikely(load_relaxed(&rt.starved_count) != 0 && p->stack_count != 0))
		schedule_feed_starved(p);
	if (unlikely(chaos_decides())) {
		store_relaxed(&p->tick, p->tick + 1); // only writer
		return;
	}
	// The monitor's word that a slice is over: what would inherit it queues behind the others.
	struct goroutine *g = runq_take_next(&p->runq);
	if (g)
		schedule_submit(p, g, false);
	store_relaxed(&p->tick, p->tick + 1); // only writer
	// Whom others left for everybody goes before it as well: when each turn is a whole slice,
	// every 61st would be half a second away.
	if (load_relaxed(&rt.global_count) == 0) // hint
		return;
	g = global_queue_take_in_turn(p);
	if (g)
		schedule_submit(p, g, true);
}

void processor_hand_off(struct processor *p)
{
	if (!runq_is_empty(&p->runq) || load_relaxed(&rt.global_count) != 0 || // hint
		timer_heap_earliest(&p->timers) != INT64_MAX) {
		idle_hand_processor(p, false);
		return;
	}
	// (idle-wake) Nobody looks, and every other processor is busy: this one must look before it
	// is idle.
	uint32_t none = 0;
	if (load_seq_cst(&rt.spinning) == 0 && load_seq_cst(&rt.idle_processor_count) == 0 &&
		cas_seq_cst(&rt.spinning, &none, 1)) { // (idle-wake)
		idle_hand_processor(p, true);
		return;
	}
	lock_acquire(&rt.lock);
	bool work = load_relaxed(&rt.global_count) != 0; // under the lock
	if (!work)
		idle_put_processor(p);
	lock_release(&rt.lock);
	if (work)
		idle_hand_processor(p, false);
	else
		timekeeper_find();
}

uint32_t processor_set_target(uint32_t n)
{
	lock_acquire(&rt.lock);
	uint32_t old = load_relaxed(&rt.target); // under rt.lock
	bool more = false;
	if (n != old) {
		store_relaxed(&rt.target, n); // hint for those without the lock
		while (rt.in_service < n + rt.lent) {
			struct processor *p = processor_switch_on();
			if (!p)
				break; // fewer than asked: memory is short
			idle_put_processor(p);
			more = true;
		}
		// Idle ones go at once, running ones when they look.
		struct processor **at = &rt.idle_processors;
		while (*at && rt.in_service > n + rt.lent) {
			struct processor *p = *at;
			*at = p->next_idle;
			// Under rt.lock.
			store_relaxed(&rt.idle_processor_count, rt.idle_processor_count - 1);
			processor_switch_off(p);
		}
		if (rt.in_service > n + rt.lent)
			for (uint32_t i = 0; i < rt.processor_count; i++)
				// A hint to look under the lock.
				store_relaxed(&rt.processors[i]->attention, ATTENTION_ASKED);
	}
	lock_release(&rt.lock);
	if (more)
		idle_wake(); // perhaps there is work for them
	return old;
}

EXPORT int tuza_gomaxprocs(int n)
{
	enum visit visit = visit_begin();
	uint32_t old = load_relaxed(&rt.target); // a snapshot
	if (n >= 1 && !simulation_is_on()) {
		// Relaxed: the monitor may be about to adjust it once more, as if just before.
		store_relaxed(&rt.target_set, 1);
		old = processor_set_target(n > PROCESSORS_MAX ? PROCESSORS_MAX : (uint32_t)n);
	}
	visit_end(visit);
	return (int)old;
}

EXPORT int tuza_num_cpu(void)
{
	runtime_ensure_started();
	return config.cpu_count;
}
