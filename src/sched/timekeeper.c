// SPDX-License-Identifier: MIT
/*
 * The timekeeper: the one sleeping machine that wakes for the earliest timer.
 *
 * rt.poll_until says until when it sleeps, or that there is none. It is written before the heaps
 * are looked at, as a heap is written before rt.poll_until is looked at (timer_earliest_update), so
 * either the sleeper sees a new timer or its starter sees the sleeper.
 *
 * Lock: rt.lock guards rt.timekeeper and the writing of rt.poll_until.
 */
#include "sched/timekeeper.h"

#include "sched/global_queue.h"
#include "sched/idle.h"
#include "sched/machine.h"
#include "sched/poller.h"
#include "sched/schedule.h"
#include "sched/start.h"
#include "sched/visit.h"

static const int64_t POLL_NONE = INT64_MIN;

int64_t timekeeper_earliest(void)
{
	int64_t earliest = INT64_MAX;
	uint32_t count = processor_count();
	for (uint32_t i = 0; i < count; i++) {
		// (idle-wake) (monitor-timer) read after poll_until or monitor_until was written
		int64_t when = load_seq_cst(&processor_at(i)->timers.earliest);
		if (when < earliest)
			earliest = when;
	}
	return earliest;
}

void timekeeper_resigns(const struct machine *m)
{
	if (rt.timekeeper != m)
		return;
	rt.timekeeper = NULL;
	store_seq_cst(&rt.poll_until, POLL_NONE); // (idle-wake)
}

int64_t timekeeper_become(struct machine *m, bool *polls)
{
	int64_t until = INT64_MAX;
	*polls = false;
	lock_acquire(&rt.lock);
	if (link_is_linked(&m->idle)) {
		bool may = load_relaxed(&rt.idle_processor_count) != 0; // changed under rt.lock
		// (poll-idle) read after the machine stopped looking; changed under rt.lock only
		bool poll = may && poller_is_awaited(0) && load_relaxed(&poller.machine) == NULL;
		if (poll || rt.timekeeper == NULL || rt.timekeeper == m) {
			if (may)
				until = timekeeper_earliest();
			if (until != INT64_MAX || poll) {
				rt.timekeeper = m;
				// (idle-wake) an exchange, so that whoever starts an earlier timer
				// now sees it or is seen
				exchange_seq_cst(&rt.poll_until, until);
				int64_t again = timekeeper_earliest();
				if (again < until) {
					until = again;
					exchange_seq_cst(&rt.poll_until, until); // (idle-wake)
				}
			} else {
				timekeeper_resigns(m);
			}
			if (poll)
				store_seq_cst(&poller.machine, m); // (machine-poll)
			*polls = poll;
		}
	}
	lock_release(&rt.lock);
	return until;
}

void timekeeper_fire(int64_t now)
{
	uint32_t count = processor_count();
	for (uint32_t i = 0; i < count; i++) {
		struct processor *owner = processor_at(i);
		if (timer_heap_earliest(&owner->timers) > now)
			continue;
		global_queue_submit_overdue(timer_heap_run(&owner->timers, now));
	}
}

struct timer_heap *timer_heap_current(enum visit *visit)
{
	struct machine *m = machine_current();
	*visit = VISIT_NONE;
	if (likely(m && m->processor))
		return &m->processor->timers;
	// A plain thread, or a goroutine in a blocking section: any heap will do, it is locked.
	*visit = visit_begin();
	return &processor_at(0)->timers;
}

struct timer_heap *timer_heap_of_others(enum visit *visit)
{
	*visit = visit_late();
	return &processor_at(0)->timers;
}

void timer_became_earliest(int64_t when)
{
	// (idle-wake) a read-modify-write: see timekeeper_become
	int64_t until = add_seq_cst(&rt.poll_until, 0);
	if (until == POLL_NONE) {
		// Nobody sleeps on timers. Our own processor will look when it schedules; another
		// one should if it is free.
		if (load_seq_cst(&rt.idle_processor_count) != 0) // (idle-wake)
			idle_wake();
		else
			monitor_expect_timer(when);
		return;
	}
	if (when >= until)
		return;
	lock_acquire(&rt.lock);
	struct machine *m = rt.timekeeper;
	if (m && link_is_linked(&m->idle)) {
		// Woken with nothing in hand: it reckons anew. The word may be set twice; it is
		// reset before it sleeps.
		idle_wake_machine(m);
	}
	lock_release(&rt.lock);
}

bool timekeeper_is_there(void) { return load_relaxed(&rt.poll_until) != POLL_NONE; } // a hint

void timekeeper_find(void)
{
	// (idle-wake) after the store of idle_processor_count: who starts a timer now sees that, or
	// its timer is seen
	if (add_seq_cst(&rt.poll_until, 0) == POLL_NONE && timekeeper_earliest() != INT64_MAX)
		idle_wake();
}
