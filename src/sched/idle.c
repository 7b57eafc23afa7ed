// SPDX-License-Identifier: MIT
/*
 * Idle machines and processors.
 *
 * A machine with nothing to run looks at all queues for a while ("spins": runtime.spinning counts
 * it), then puts its processor among the idle ones and sleeps on its wake_word. Whoever publishes
 * work wakes one machine, but only if none spins already; a spinner that finds work wakes the next.
 * One sleeping machine, the timekeeper, sleeps only until the earliest timer; if somebody waits for
 * a descriptor it sleeps in the kernel's poller (poller.machine) instead of on its futex.
 *
 * (idle-wake) The store/look pairs that no wake-up is lost to:
 *
 *   submit work                          machine going idle
 *     1. publish it          (seq_cst)     1. spinning--          (seq_cst)
 *     2. load spinning, idle (seq_cst)     2. look at every queue (seq_cst)
 *   Not both may miss: if the submitter saw a spinner, that spinner's later look sees the work.
 *   The same for the global queue and rt.global_count, and for timers and rt.poll_until.
 *
 * Soft work: a goroutine in `next` whose owner is running will most often be run by that owner in a
 * moment (two goroutines that hand a value to and fro). Waking a thread costs the waker 10–24 us, a
 * hundred hand-overs. So soft work wakes a machine only if such wake-ups have not been futile
 * lately; the monitor sees to a `next` that stays.
 *
 * Rejected: hand-over of the processor on each wake (two futex calls per message); waking for every
 * submission.
 *
 * Lock: rt.lock guards the lists. Go: src/runtime/proc.go, findRunnable, wakep, startm.
 */
#include "sched/idle.h"

#include "sched/chaos.h"
#include "sched/global_queue.h"
#include "sched/look.h"
#include "sched/machine.h"
#include "sched/park.h"
#include "sched/patient.h"
#include "sched/poller.h"
#include "sched/processor.h"
#include "sched/schedule.h"
#include "sched/simulation.h"
#include "sched/start.h"
#include "sched/timekeeper.h"
#include "sys/clock.h"

#include <errno.h>

enum {
	SOFT_LOOK = 16, // soft submissions between two looks at the clock
	SOFT_BACKOFF_FIRST = 50000,
	SOFT_BACKOFF_MOST = 1000000,
};
static const int64_t REAP_AFTER_NS = 5000000000;

void idle_put_processor(struct processor *p)
{
	if (events_are_on())
		events_processor_idles(p);
	p->machine = NULL;
	if (processor_is_surplus(p)) {
		processor_switch_off(p);
		return;
	}
	store_relaxed(&p->status, PROCESSOR_IDLE); // changed under the lock only, from here on
	p->next_idle = rt.idle_processors;
	rt.idle_processors = p;
	store_seq_cst(&rt.idle_processor_count, rt.idle_processor_count + 1); // (idle-wake)
}

bool idle_take_processor(struct machine *m)
{
	struct processor *p = rt.idle_processors;
	if (!p)
		return false;
	rt.idle_processors = p->next_idle;
	// Relaxed: a stale higher count wakes in vain, no more.
	store_relaxed(&rt.idle_processor_count, rt.idle_processor_count - 1);
	store_relaxed(&p->status, PROCESSOR_RUNNING); // ordered by the lock, or by the wake_word
	p->machine = m;
	if (m)
		m->processor = p;
	monitor_wake(); // under the lock: see sleep_while_idle
	return true;
}

// Takes any idle processor off the list without an owner yet. Needs: rt.lock
static struct processor *take_idle(void)
{
	struct processor *p = rt.idle_processors;
	return p && idle_take_processor(NULL) ? p : NULL;
}

/*
 * After the store m may be gone: only its address is used.
 *
 * (machine-poll) wake                          sleep in the poller
 *                  1. wake_word = 1 (seq_cst)    1. poller.machine = m (seq_cst)
 *                  2. load poller.machine        2. load wake_word     (seq_cst)
 *                                   (seq_cst)
 * Not both may miss, or m sleeps although it was handed something.
 */
void idle_wake_machine(struct machine *m)
{
	// (machine-wake) pairs with the acquire in idle_sleep: what was handed over is seen.
	store_seq_cst(&m->wake_word, 1);
	// (machine-poll)
	if (unlikely(load_seq_cst(&poller.machine) == m))
		poller_interrupt();
	else
		sys_futex_wake(&m->wake_word, 1);
}

// Removes a machine from the sleeping ones. Needs: rt.lock, m is in the list.
static void machine_unlist(struct machine *m)
{
	list_remove(&m->idle);
	rt.idle_machine_count--;
	timekeeper_resigns(m);
}

void idle_hand_processor(struct processor *p, bool spinning)
{
	lock_acquire(&rt.lock);
	// The last one that went to sleep, but spare the timekeeper if there is a choice.
	struct link *l = rt.idle_machines.next;
	if (l != &rt.idle_machines && CONTAINER_OF(l, struct machine, idle) == rt.timekeeper &&
		l->next != &rt.idle_machines)
		l = l->next;
	if (l != &rt.idle_machines) {
		struct machine *m = CONTAINER_OF(l, struct machine, idle);
		machine_unlist(m);
		m->handed = p;
		m->spinning = spinning;
		p->machine = m;
		lock_release(&rt.lock);
		idle_wake_machine(m);
		return;
	}
	lock_release(&rt.lock);
	if (machine_start(p, spinning) != 0)
		idle_thread_is_refused(p, spinning);
}

void idle_thread_is_refused(struct processor *p, bool spinning)
{
	add_relaxed(&rt.threads_refused, 1); // a hint that something was
	if (spinning)
		sub_seq_cst(&rt.spinning, 1); // (idle-wake)
	processor_flush(p);
	lock_acquire(&rt.lock);
	idle_put_processor(p);
	lock_release(&rt.lock);
}

void idle_hand_locked(struct processor *p, struct goroutine *g)
{
	struct machine *m = g->machine;
	lock_acquire(&rt.lock);
	// m is asleep, waiting for this, or on its way there.
	m->handed = p;
	m->handed_locked = g;
	p->machine = m;
	lock_release(&rt.lock);
	idle_wake_machine(m);
}

void idle_wake(void)
{
	uint32_t none = 0;
	// (idle-wake) one looker at a time
	if (load_seq_cst(&rt.spinning) != 0 || !cas_seq_cst(&rt.spinning, &none, 1))
		return;
	lock_acquire(&rt.lock);
	struct processor *p = take_idle();
	lock_release(&rt.lock);
	if (p)
		idle_hand_processor(p, true);
	else
		sub_seq_cst(&rt.spinning, 1); // (idle-wake)
}

void idle_start_first(void)
{
	lock_acquire(&rt.lock);
	struct processor *p = take_idle();
	lock_release(&rt.lock);
	if (p)
		idle_hand_processor(p, false);
}

NOINLINE void idle_submitted(struct processor *p, bool soft)
{
	// (idle-wake)
	if (load_seq_cst(&rt.spinning) != 0)
		return;
	if (soft && load_relaxed(&rt.soft_wake_after) != 0) { // hint
		if (p->soft_skip++ < SOFT_LOOK)
			return;
		p->soft_skip = 0;
		if (sys_clock_now() < load_relaxed(&rt.soft_wake_after)) // hint
			return;
	}
	idle_wake();
}

// A looker found nothing, or something: how eager soft work is to wake the next one.
static void soft_wake_was(bool useful)
{
	if (useful) {
		if (load_relaxed(&rt.soft_wake_after) != 0) { // hints, all of them
			store_relaxed(&rt.soft_wake_after, 0);
			store_relaxed(&rt.soft_backoff, 0);
		}
		return;
	}
	int64_t backoff = load_relaxed(&rt.soft_backoff) * 2; // hint
	if (backoff < SOFT_BACKOFF_FIRST)
		backoff = SOFT_BACKOFF_FIRST;
	if (backoff > SOFT_BACKOFF_MOST)
		backoff = SOFT_BACKOFF_MOST;
	store_relaxed(&rt.soft_backoff, backoff);                      // hint
	store_relaxed(&rt.soft_wake_after, sys_clock_now() + backoff); // hint
}

void idle_stop_spinning(struct machine *m)
{
	m->spinning = false;
	// (idle-wake) The last looker that found work starts the next: there may be more.
	if (sub_seq_cst(&rt.spinning, 1) == 1 && load_seq_cst(&rt.idle_processor_count) != 0)
		idle_wake();
}

void idle_share(struct processor *p)
{
	uint32_t n = runq_length(&p->runq);
	// (idle-wake) published by the ring
	if (n > 1 && load_seq_cst(&rt.idle_processor_count) != 0)
		idle_submitted(p, n == 2);
}

// ---- going to sleep -----------------------------------------------------------------------

// Is there anything that the machine that stopped looking should have seen?
static bool work_is_visible(void)
{
	// (idle-wake) the look after spinning--
	if (load_seq_cst(&rt.global_count) != 0)
		return true;
	uint32_t count = processor_count();
	for (uint32_t i = 0; i < count; i++) {
		struct processor *p = processor_at(i);
		if (runq_is_empty(&p->runq))
			continue;
		// Soft work is its running owner's; anything in the ring is for all.
		if (load_relaxed(&p->status) != PROCESSOR_RUNNING ||
			runq_length(&p->runq) > 1) // hints
			return true;
		if (load_relaxed(&p->runq.next) == NULL) // hint: one in the ring
			return true;
	}
	return false;
}

// Puts m among the sleeping machines. Needs: rt.lock
static void machine_list_idle(struct machine *m)
{
	store_relaxed(&m->wake_word, 0); // nobody wakes it before it is in the list
	m->handed = NULL;
	list_push_front(&rt.idle_machines, &m->idle);
	rt.idle_machine_count++;
}

// A woken machine takes what it was handed. False if that is nothing; then it may sleep again.
static bool machine_accept(struct machine *m)
{
	lock_acquire(&rt.lock);
	m->processor = m->handed;
	m->handed = NULL;
	if (!m->processor)
		store_relaxed(&m->wake_word, 0); // under the lock, as hand-overs
	lock_release(&rt.lock);
	return m->processor != NULL;
}

// The machine leaves the list by itself, with an idle processor. False if it was handed one
// already, or there is none.
static bool machine_unidle(struct machine *m)
{
	bool done = false;
	lock_acquire(&rt.lock);
	if (link_is_linked(&m->idle) && idle_take_processor(m)) {
		machine_unlist(m);
		done = true;
	}
	lock_release(&rt.lock);
	return done;
}

void idle_carries(struct machine *m, bool does)
{
	// (asleep) pairs with all_are_idle: it is seen by whoever sees that they wait no more, and
	// not any more only by whoever sees where they are now.
	store_release(&m->in_blocking, does);
}

// Sleeps in the kernel's poller. Returns who was waited for: m carries them.
static struct goroutine *sleep_in_poller(struct machine *m, int64_t until)
{
	struct goroutine *list = NULL;
	// (machine-poll) pairs with idle_wake_machine
	if (load_seq_cst(&m->wake_word) == 0)
		list = poller_wait(m, until);
	if (!list)
		idle_carries(m, false);
	lock_acquire(&rt.lock);
	if (load_relaxed(&poller.machine) == m)       // under rt.lock; a straggler's is another's
		store_seq_cst(&poller.machine, NULL); // (machine-poll)
	lock_release(&rt.lock);
	return list;
}

// Goroutines that events from outside have woken: into the ring of the processor that the machine
// has now, or to all.
static void pass_on(struct machine *m, struct goroutine *list)
{
	struct processor *p = m->processor;
	if (!list)
		return;
	if (p) {
		patient_look(p);
		schedule_put_list(p, list, EVENT_BY_NETPOLL);
		idle_share(p);
	} else {
		ready_list_by(list, EVENT_BY_NETPOLL);
	}
	idle_carries(m, false);
}

// Timers are due, and there is no processor for the machine.
static void fire_for_others(struct machine *m)
{
	idle_carries(m, true);
	timekeeper_fire(clock_now());
	idle_carries(m, false);
}

// Sleeps until handed a processor. Needs: m is in the list of idle machines, or was taken out of it
// by a waker.
static void sleep_until_handed(struct machine *m)
{
	for (;;) {
		if (load_relaxed(&m->leave))
			machine_leave(m);
		bool polls;
		int64_t until = timekeeper_become(m, &polls);
		bool keeps_time = polls || until != INT64_MAX;
		if (!keeps_time)
			until = sys_clock_now() + REAP_AFTER_NS;
		bool simulates = keeps_time && simulation_is_on();
		int64_t wakes_at = simulates ? simulation_sleeps_until(until, polls) : until;
		struct goroutine *list = NULL;
		int r = 0;
		if (polls)
			list = sleep_in_poller(m, wakes_at);
		// (machine-wake) pairs with idle_wake_machine
		while (!polls && load_acquire(&m->wake_word) == 0 && r == 0)
			r = sys_futex_wait(&m->wake_word, 0, wakes_at);
		update_coarse_now();
		if (simulates) // (machine-wake) as above
			simulation_slept(until, polls, list || load_acquire(&m->wake_word) != 0);
		// (machine-wake) decided under the lock; pairs with idle_wake_machine
		if (load_acquire(&m->wake_word) != 0) {
			bool accepted = machine_accept(m);
			pass_on(m, list);
			if (accepted)
				return;
			continue; // woken to look at the timers, or to leave
		}
		if (!keeps_time) {
			lock_acquire(&rt.lock);
			bool reap = link_is_linked(&m->idle) && rt.idle_machine_count > 1 &&
				    rt.timekeeper != m;
			if (reap)
				machine_unlist(m);
			lock_release(&rt.lock);
			if (reap)
				machine_leave(m);
		} else if (polls && !list && clock_now() < until) {
			continue; // an event that nobody waits for, or an old interruption
		} else if (machine_unidle(m)) {
			pass_on(m, list);
			return; // a timer is due: idle_find runs it
		} else {
			// Every processor is busy: what was woken waits in the global queue.
			pass_on(m, list);
			fire_for_others(m);
		}
	}
}

void idle_sleep(struct machine *m)
{
	lock_acquire(&rt.lock);
	machine_list_idle(m);
	lock_release(&rt.lock);
	sleep_until_handed(m);
}

struct goroutine *idle_find(struct machine *m)
{
	struct processor *p = m->processor;
	uint32_t count = processor_count();

	// Timers first: what they wake is older than what could be stolen.
	if (timer_heap_earliest(&p->timers) != INT64_MAX) {
		int64_t now = clock_now();
		if (look_at_timers(p, p->index, count, now)) {
			idle_share(p);
			return simulation_is_on() ? NULL : schedule_get_local(p);
		}
	}
	// Then the global queue: with many busy descriptors there is always more to come from
	// outside, and who was pushed out of a full ring would wait for ever.
	// Those that can wait are let in behind what comes from outside. Hints, both.
	if (load_relaxed(&rt.global_count) != load_relaxed(&rt.patient_count)) {
		struct goroutine *g = global_queue_take(p);
		if (g)
			return g;
	}
	if (look_outside(p))
		return schedule_get_local(p);

	bool spun = false;
	if (count > 1) {
		// At most half of the busy processors' number look at the same time: Go's rule
		// against burning CPU.
		uint32_t idle = load_relaxed(&rt.idle_processor_count); // hints, all three
		uint32_t busy = load_relaxed(&rt.in_service) - idle;
		if (m->spinning || 2 * load_relaxed(&rt.spinning) < busy) {
			if (!m->spinning) {
				m->spinning = true;
				add_seq_cst(&rt.spinning, 1); // (idle-wake)
			}
			spun = true;
			struct goroutine *g = look_for_work(m, p);
			if (g) {
				soft_wake_was(true);
				return g;
			}
		}
	}

	lock_acquire(&rt.lock);
	// Written before the lock was free.
	if (load_relaxed(&p->attention) & ATTENTION_ASKED || m->leave) {
		lock_release(&rt.lock);
		return NULL; // schedule() deals with it
	}
	if (load_relaxed(&rt.global_count) != 0) { // under the lock
		struct goroutine *g = global_queue_take_locked(p);
		lock_release(&rt.lock);
		return g;
	}
	// Before it is in the list: whoever hands it a processor says anew whether it looks.
	bool looked = m->spinning;
	m->spinning = false;
	m->processor = NULL;
	machine_list_idle(m);
	idle_put_processor(p);
	lock_release(&rt.lock);
	chaos_pause();

	if (looked) {
		sub_seq_cst(&rt.spinning, 1); // (idle-wake)
		if (work_is_visible()) {
			if (machine_unidle(m)) {
				m->spinning = true;
				add_seq_cst(&rt.spinning, 1); // (idle-wake)
				return NULL;
			}
			idle_wake(); // it was handed a processor that may have work of its own
		}
	}
	if (spun)
		soft_wake_was(false);
	sleep_until_handed(m);
	return NULL;
}

void idle_wake_all(void)
{
	lock_acquire(&rt.lock);
	for (struct link *l = rt.machines.next; l != &rt.machines; l = l->next) {
		idle_wake_machine(CONTAINER_OF(l, struct machine, all));
	}
	lock_release(&rt.lock);
}
