// SPDX-License-Identifier: MIT
/*
 * Stopping and starting the calling goroutine: the door of sched/ for the layers above. See park.h.
 */
#include "sched/park.h"

#include "base/race_hooks.h"
#include "sched/chaos.h"
#include "sched/contention.h"
#include "sched/events.h"
#include "sched/global_queue.h"
#include "sched/goroutine_list.h"
#include "sched/lock.h"
#include "sched/machine.h"
#include "sched/patient.h"
#include "sched/runtime.h"
#include "sched/schedule.h"
#include "sched/simulation.h"
#include "sched/start.h"
#include "sched/timer.h"
#include "sched/visit.h"
#include "sys/clock.h"

// ---- plain threads ------------------------------------------------------------------------

static void park_thread(struct goroutine *g, park_commit *commit, void *arg)
{
	store_relaxed(&g->park_word, 0); // nobody can release it before the commit
	/*
	 * (timers-kept) begins to wait           a runtime ends
	 *   1. state = WAITING   (seq_cst)         1. keeps a timer, and has ended (seq_cst)
	 *   2. look for those    (seq_cst)         2. look for plain threads       (seq_cst)
	 * Not both may miss, or the timer that the thread waits for has nobody to fire it.
	 */
	store_seq_cst(&g->state, GOROUTINE_WAITING);
	bool stays = true;
	if (commit)
		stays = commit(g, arg);
	else
		lock_release(arg);
	if (unlikely(timer_some_are_kept()))
		runtime_start();
	// (thread-park) pairs with release_apart: what the waker did is seen.
	while (stays && load_acquire(&g->park_word) == 0)
		sys_futex_wait(&g->park_word, 0, INT64_MAX);
	store_relaxed(&g->state, GOROUTINE_RUNNING); // for dumps
}

static NOINLINE void release_apart(struct goroutine *g)
{
	if (g->flags & GOROUTINE_LATE) {
		goroutine_woken_late(g);
		return;
	}
	// (thread-park) The store is the last touch that counts; the wake-up works on an address
	// that stays mapped.
	store_release(&g->park_word, 1);
	sys_futex_wake(&g->park_word, 1);
}

// ---- parking ------------------------------------------------------------------------------

NOINLINE static void refuse(struct goroutine *g, enum wait_reason reason)
{
	if (load_relaxed(&rt.forked))
		fatal("tuza: %s after fork: the child may only exec", wait_reason_text(reason));
	if (g->blocking && !(g->flags & GOROUTINE_THREAD))
		tuza_panic("tuza: %s inside a blocking section", wait_reason_text(reason));
}

bool park_is_allowed(void)
{
	struct machine *m = machine_current();
	return m && m->processor;
}

void park_check(enum wait_reason reason)
{
	struct machine *m = machine_here();
	if (unlikely(!m->processor))
		refuse(m->current, reason);
}

static NOINLINE void park_without_processor(struct machine *m, park_commit *commit, void *arg,
	enum wait_reason reason, const void *object)
{
	struct goroutine *g = m->current;
	refuse(g, reason);
	g->wait_reason = reason;
	g->wait_object = object;
	g->wait_since = sys_clock_now();
	park_thread(g, commit, arg);
	if (events_are_for(EVENTS_FOR_BLOCK) && contention_begin(g) != 0)
		contention_end(g, g->wait_since);
}

void park(park_commit *commit, void *arg, enum wait_reason reason, const void *object)
{
	struct machine *m = machine_here();
	if (unlikely(!m->processor)) {
		park_without_processor(m, commit, arg, reason, object);
		return;
	}
	struct goroutine *g = m->current;
	g->wait_reason = reason;
	g->wait_object = object;
	g->wait_since = load_relaxed(&rt.coarse_now); // for ages of minutes
	m->commit = commit;
	m->commit_arg = arg;
	schedule_leave(m, g, schedule_parked);
}

void park_unlocking(struct lock *l, enum wait_reason reason, const void *object)
{
	park(NULL, l, reason, object);
}

static bool nobody_wakes(struct goroutine *g, void *unused)
{
	(void)g;
	(void)unused;
	return true;
}

NORETURN void park_for_ever(enum wait_reason reason)
{
	for (;;)
		park(nobody_wakes, NULL, reason, NULL);
}

uint32_t park_random_below(uint32_t n)
{
	static uint64_t plain; // for threads without a processor: a race only makes it more random
	struct machine *m = machine_current();
	if (likely(m && m->processor))
		return random_below(&m->processor->random, n);
	uint64_t state = load_relaxed(&plain); // a hint
	uint32_t r = random_below(&state, n);
	store_relaxed(&plain, state); // a hint
	return r;
}

// ---- waking -------------------------------------------------------------------------------

// A straggler of an earlier runtime has a processor that nobody looks at any more.
static ALWAYS_INLINE bool has_own_queue(const struct machine *m)
{
	return m->processor != NULL && !load_relaxed(&m->leave); // set before that runtime ended
}

/*
 * By somebody without a processor, for whom the end of the runtime does not wait: it may have come
 * since he took g out of its queue, and waits for what he does here instead.
 */
static NOINLINE void submit_from_outside(struct goroutine *g)
{
	bool visits = visit_try();
	uint32_t was = GOROUTINE_WAITING; // or RUNNABLE, if it is new
	bool patient = g->flags & GOROUTINE_PATIENT;
	// (woken-late) pairs with the load in drop.c: the last touch, unless it is put into a queue
	if ((cas_release(&g->state, &was, GOROUTINE_RUNNABLE) || was == GOROUTINE_RUNNABLE) &&
		visits) {
		if (patient)
			patient_submit(g);
		else
			global_queue_submit(g);
	}
	if (visits)
		visit_leave();
}

static ALWAYS_INLINE void submit_ready(struct goroutine *g)
{
	struct machine *m = machine_here();
	if (unlikely(!has_own_queue(m))) {
		submit_from_outside(g);
		return;
	}
	store_relaxed(&g->state, GOROUTINE_RUNNABLE); // published by the queue
	schedule_submit(m->processor, g, true);
}

static NOINLINE void ready_told(struct goroutine *g)
{
	events_readied(machine_here(), g, EVENT_BY_GOROUTINE);
	submit_ready(g);
}

void ready(struct goroutine *g)
{
	if (unlikely(g->flags & GOROUTINE_APART)) {
		release_apart(g);
		return;
	}
	if (events_are_on())
		ready_told(g);
	else
		submit_ready(g);
}

// Before they are in queues, and their links somebody else's.
static void count_woken(struct machine *m, const struct goroutine *list, enum event_cause cause)
{
	uint64_t n = 0;

	for (; list; list = list->next)
		n++;
	if (has_own_queue(m)) {
		uint64_t *woken = &m->processor->woken[cause];
		store_relaxed(woken, *woken + n); // statistic, only writer
	} else {
		add_relaxed(&rt.foreign_woken[cause], n); // statistic
	}
}

void ready_list(struct goroutine *list) { ready_list_by(list, EVENT_BY_GOROUTINE); }

void ready_list_by(struct goroutine *list, enum event_cause cause)
{
	struct machine *m = machine_here();
	if (cause != EVENT_BY_GOROUTINE)
		count_woken(m, list, cause);
	while (list) {
		struct goroutine *g = list;
		list = g->next;
		if (unlikely(g->flags & GOROUTINE_APART)) {
			release_apart(g);
			continue;
		}
		if (events_are_on())
			events_readied(m, g, cause);
		if (unlikely(!has_own_queue(m))) {
			submit_from_outside(g);
			continue;
		}
		store_relaxed(&g->state, GOROUTINE_RUNNABLE); // published by the queue
		schedule_submit(m->processor, g, false);
	}
}

void ready_and_yield(struct goroutine *g)
{
	struct machine *m = machine_here();
	if ((g->flags & (GOROUTINE_APART | GOROUTINE_LOCKED)) || !has_own_queue(m) || m->locked ||
		m->current == NULL) {
		ready(g);
		return;
	}
	if (events_are_on())
		events_readied(m, g, EVENT_BY_GOROUTINE);
	store_relaxed(&g->state, GOROUTINE_RUNNABLE); // ours until it runs
	m->commit_arg = g;
	schedule_leave(m, m->current, schedule_handed_over);
}

void yield_to_others(void)
{
	struct machine *m = machine_here();
	if (unlikely(load_relaxed(&m->leave)))
		machine_leave_from_goroutine(m);
	if (likely(m->processor != NULL))
		schedule_leave(m, m->current, schedule_yielded);
	else
		sys_yield();
}

EXPORT void tuza_yield(void)
{
	const struct machine *m = machine_current();
	if (simulation_is_on() && m && m->processor)
		simulation_gave_way(m->current);
	yield_to_others();
}

void preempt_check(void)
{
	struct machine *m = machine_current();
	uint32_t attention = m && m->processor ? load_relaxed(&m->processor->attention) : 0;
	if (likely(attention == 0)) // a request: relaxed
		return;
	if (!(attention & ATTENTION_ASKED) || chaos_decides())
		chaos_yield();
	else if (m->current && m->current->blocking == 0)
		yield_to_others();
}

// ---- hints --------------------------------------------------------------------------------

bool park_may_spin(void)
{
	struct machine *m = machine_current();
	// Go: sync_runtime_canSpin
	return m && m->processor && load_relaxed(&rt.target) > 1 &&
	       load_relaxed(&rt.in_service) >
		       load_relaxed(&rt.idle_processor_count) + load_relaxed(&rt.spinning) + 1 &&
	       runq_length(&m->processor->runq) == 0; // hints, all of them
}

uint32_t park_others(void)
{
	struct machine *m = machine_current();
	return m && m->processor && !m->locked ? runq_length(&m->processor->runq) : 0; // a hint
}

uint32_t park_all_others(void)
{
	return park_others() + load_relaxed(&rt.global_count) / load_relaxed(&rt.target); // hints
}

bool park_is_alone(void) { return load_relaxed(&rt.target) == 1; } // a hint

bool park_had_other_runs(void) { return load_relaxed(&rt.has_ended); } // set once, for good

uint32_t processor_index(void)
{
	struct machine *m = machine_current();
	return m && m->processor ? m->processor->index : 0;
}

void update_coarse_now(void)
{
	int64_t now = sys_clock_now(), seen = load_relaxed(&rt.coarse_now); // any writer, a hint
	// It never goes back, so that what comes later is not dated earlier.
	while (now > seen && !cas_relaxed(&rt.coarse_now, &seen, now))
		;
}
