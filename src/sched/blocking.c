// SPDX-License-Identifier: MIT
/*
 * Blocking sections, and goroutines tied to their thread.
 *
 * Entering costs a few stores: the processor is only marked BLOCKED and left behind. If nobody took
 * it meanwhile, leaving swaps the mark back; else the goroutine needs another processor. The
 * monitor hands it to another machine soon (hogs.c); whoever enters does so at once if there is
 * work right now. Go: entersyscall, exitsyscall, retake.
 */
#include "sched/blocking.h"

#include "sched/events.h"
#include "sched/idle.h"
#include "sched/machine.h"
#include "sched/processor.h"
#include "sched/runtime.h"
#include "sched/schedule.h"
#include "sched/simulation.h"
#include "sched/start.h"

bool blocking_is_inside(void)
{
	struct goroutine *g = goroutine_current_or_null();
	return g && g->blocking != 0;
}

EXPORT void tuza_blocking_begin(void)
{
	struct machine *m = machine_here();
	struct goroutine *g = m->current;
	if (g->blocking++ != 0 || !m->processor)
		return; // nested, or a plain thread
	if (unlikely(load_relaxed(&m->leave)))
		machine_leave_from_goroutine(m);
	struct processor *p = m->processor;
	if (events_are_on())
		events_blocking_began(m, g);
	store_relaxed(&g->state, GOROUTINE_BLOCKED); // for dumps
	m->blocked_processor = p;
	m->processor = NULL;
	store_relaxed(&m->in_blocking, 1); // for the monitor
	bool work = !simulation_is_on() && // there what comes next is not for the kernel to say
		    (runq_length(&p->runq) != 0 || timer_heap_earliest(&p->timers) != INT64_MAX ||
			    load_relaxed(&rt.global_count) != 0); // hint
	if (simulation_is_on())
		store_relaxed(&p->tick, p->tick + 1); // only writer: a section of its own (hogs.c)
	// (blocked) pairs with the swap of whoever takes the processor: all that we did with it is
	// seen.
	store_release(&p->status, PROCESSOR_BLOCKED);
	if (work) {
		uint32_t blocked = PROCESSOR_BLOCKED;
		// (blocked) Work is here: hand it on now rather than when the monitor looks.
		if (cas_acq_rel(&p->status, &blocked, PROCESSOR_RUNNING))
			processor_hand_off(p);
	} else {
		monitor_wake();
	}
}

EXPORT void tuza_blocking_end(void)
{
	struct machine *m = machine_here();
	struct goroutine *g = m->current;
	if (unlikely(g->blocking == 0))
		tuza_panic("tuza_blocking_end without tuza_blocking_begin");
	if (--g->blocking != 0 || (g->flags & GOROUTINE_THREAD))
		return;
	if (unlikely(load_relaxed(&m->leave)))
		machine_leave_from_goroutine(m);
	struct processor *p = m->blocked_processor;
	uint32_t blocked = PROCESSOR_BLOCKED;
	// (blocked) pairs with the store in tuza_blocking_begin, ours or another machine's that
	// lost it since.
	if (likely(cas_acq_rel(&p->status, &blocked, PROCESSOR_RUNNING))) {
		p->machine = m;
		m->processor = p;
		store_relaxed(&m->in_blocking, 0); // not before, or the monitor sees nobody at all
		store_relaxed(&g->state, GOROUTINE_RUNNING); // for dumps
		if (events_are_on())
			events_blocking_ended(m, g);
		return;
	}
	lock_acquire(&rt.lock);
	bool got = idle_take_processor(m);
	lock_release(&rt.lock);
	if (got) {
		store_relaxed(&m->in_blocking, 0);           // as above
		store_relaxed(&g->state, GOROUTINE_RUNNING); // for dumps
		if (events_are_on())
			events_blocking_ended(m, g);
		return;
	}
	g->wait_reason = WAIT_PROCESSOR;
	schedule_leave(m, g, schedule_unblocked);
}

bool blocking_section_begin(void)
{
	const struct goroutine *g = goroutine_current_or_null();
	bool is_goroutine = g && !(g->flags & GOROUTINE_THREAD);

	if (is_goroutine)
		tuza_blocking_begin();
	return is_goroutine;
}

void blocking_section_end(bool is_one)
{
	if (is_one)
		tuza_blocking_end();
}

EXPORT void tuza_blocking(void (*fn)(void *), void *arg)
{
	tuza_blocking_begin();
	fn(arg);
	tuza_blocking_end();
}

EXPORT void tuza_lock_os_thread(void)
{
	struct machine *m = machine_here();
	struct goroutine *g = m->current;
	if (g->flags & GOROUTINE_THREAD)
		return; // it is its thread
	g->lock_count++;
	g->flags |= GOROUTINE_LOCKED;
	m->locked = g;
}

EXPORT void tuza_unlock_os_thread(void)
{
	struct machine *m = machine_here();
	struct goroutine *g = m->current;
	if ((g->flags & GOROUTINE_THREAD) || g->lock_count == 0)
		return; // as Go: unlocking too often does nothing
	if (--g->lock_count == 0) {
		g->flags &= ~(uint32_t)GOROUTINE_LOCKED;
		m->locked = NULL;
	}
}
