// SPDX-License-Identifier: MIT
/*
 * The scheduler's loop: what runs next on this machine.
 *
 * The loop has no frame of its own to come back to: a goroutine that stops enters it at the top of
 * the thread's stack (schedule_parked and its like), it returns the context to continue, or leaves
 * by arch_start. Order of looking: first what p->attention stands for, every 61st time the global
 * queue, due timers now and then, next, the ring, then idle_find.
 *
 * Go: src/runtime/proc.go, schedule, execute, goexit0.
 */
#include "sched/schedule.h"

#include "base/race_hooks.h"
#include "sched/contention.h"
#include "sched/events.h"
#include "sched/global_queue.h"
#include "sched/goroutine_extra.h"
#include "sched/goroutine_list.h"
#include "sched/idle.h"
#include "sched/inspect_hold.h"
#include "sched/look.h"
#include "sched/machine.h"
#include "sched/park.h"
#include "sched/patient.h"
#include "sched/poller.h"
#include "sched/processor.h"
#include "sched/runtime.h"
#include "sched/sanitizer.h"
#include "sched/stack.h"
#include "sched/visit.h"

#include <stdlib.h>

// ---- queues -------------------------------------------------------------------------------

void schedule_submit(struct processor *p, struct goroutine *g, bool next)
{
	if (next)
		g = runq_put_next(&p->runq, g); // the one before it moves to the ring
	if (g && unlikely(!runq_put(&p->runq, g)))
		global_queue_overflow(p, g);
	// (idle-wake) next was written by a seq_cst exchange; what goes to the ring alone is soft,
	// see idle.c
	if (unlikely(load_seq_cst(&rt.idle_processor_count) != 0))
		idle_submitted(p, runq_length(&p->runq) <= 1);
}

void schedule_put_list(struct processor *p, struct goroutine *list, enum event_cause cause)
{
	struct patient_list patient = {NULL, NULL, 0};
	bool told = events_are_on();
	uint64_t woken = 0;
	for (; list; woken++) {
		struct goroutine *g = list;
		list = g->next;
		if (unlikely(g->flags & GOROUTINE_APART)) { // a timer woke a plain thread
			ready(g);
			continue;
		}
		if (told)
			events_readied(p->machine, g, cause);
		store_relaxed(&g->state, GOROUTINE_RUNNABLE); // published by the ring
		if (unlikely(g->flags & GOROUTINE_PATIENT) && !patient_may_go(p, g, &patient))
			continue;
		if (unlikely(!runq_put(&p->runq, g)))
			global_queue_overflow(p, g);
	}
	patient_put(&patient);
	store_relaxed(&p->woken[cause], p->woken[cause] + woken); // statistic, only writer
}

struct goroutine *schedule_get_local(struct processor *p)
{
	struct goroutine *g = runq_take_next(&p->runq);
	return g ? g : runq_get(&p->runq);
}

// ---- running ------------------------------------------------------------------------------

static char *take_stack(struct processor *p)
{
	if (unlikely(p->stack_count == 0)) {
		// Two at a time: a program that spawns and joins needs no more, one that spawns
		// many comes back.
		p->stack_count =
			(uint32_t)stack_alloc_many(goroutine_default_class(), p->stacks, 2);
		if (p->stack_count == 0)
			return NULL;
	}
	return p->stacks[--p->stack_count];
}

// Of a size of its own, or under ThreadSanitizer.
static NOINLINE void free_stack(char *slot, uint32_t class)
{
	if (race_is_on() && class == goroutine_default_class() &&
		load_relaxed(&rt.starved_count) == 0) // hint
		slot = sanitizer_stack_rests(slot);
	if (slot)
		stack_free(slot, class);
}

static void give_stack(struct processor *p, char *slot, uint32_t class)
{
	if (unlikely(class != config.kept_stack_class)) {
		free_stack(slot, class);
	} else {
		if (unlikely(p->stack_count == STACK_CACHE)) {
			stack_free_many(class, p->stacks, STACK_CACHE / 2); // the coldest
			p->stack_count -= STACK_CACHE / 2;
			// Only writer. A plain store would make a memmove of the loop, which
			// ThreadSanitizer sees, while it does not see how a processor changes
			// hands.
			for (uint32_t i = 0; i < p->stack_count; i++)
				store_relaxed(&p->stacks[i], p->stacks[i + STACK_CACHE / 2]);
		}
		p->stacks[p->stack_count++] = slot;
	}
	if (unlikely(load_relaxed(&rt.starved_count) != 0)) // hint
		schedule_feed_starved(p);
}

// Where a goroutine's function returns to.
static void goroutine_returned(void) { goroutine_finish(); }

// First run: binds a stack. Returns only if there is none.
static void start(struct machine *m, struct processor *p, struct goroutine *g)
{
	char *slot = g->stack_class == goroutine_default_class() ? take_stack(p)
								 : stack_alloc(g->stack_class);
	if (unlikely(!slot)) {
		m->current = NULL;
		store_relaxed(&g->state, GOROUTINE_RUNNABLE); // ours
		if (!schedule_starve(g))
			fatal_all("tuza: out of memory: no stack for any goroutine");
		return;
	}
	if (unlikely(load_relaxed(&rt.starved_count) != 0)) // hint
		schedule_feed_starved(p); // where this one came from there may be more
	// The descriptor's other half comes to life where the arguments were.
	struct arch_capture capture;
	if (g->capture.flags & ARCH_CAPTURE_SIMPLE) {
		capture.fn = g->capture.fn;
		capture.stack_args_bytes = 0;
		capture.flags = ARCH_CAPTURE_SIMPLE;
		capture.gpr[0] = g->capture.gpr[0];
	} else {
		capture = g->capture;
	}
	goroutine_come_alive(g, m);
	g->stack = slot;
	g->flags |= GOROUTINE_STARTED;
	*m->errno_address = 0;
	if (events_are_on())
		events_entering(m, g, true);
	arch_start(slot + stack_slot_bytes(g->stack_class) - STACK_TOP_RESERVE, &capture,
		goroutine_returned);
}

/*
 * Makes g the machine's: returns its context to continue, or starts it and does not return. NULL:
 * it had to wait for a stack.
 */
static ALWAYS_INLINE void *execute(struct machine *m, struct goroutine *g)
{
	m->current = g;
	inspect_set_running(g);
	if (likely(g->flags & GOROUTINE_STARTED)) {
		g->machine = m;
		*m->errno_address = g->saved_errno;
		if (events_are_on())
			events_entering(m, g, false);
		return g->sp;
	}
	start(m, m->processor, g);
	return NULL;
}

// ---- goroutines tied to a thread ----------------------------------------------------------

/*
 * m is tied to a goroutine that does not run: gives its processor away and waits until somebody who
 * came upon the goroutine hands it over with a processor. Go: stoplockedm
 */
static struct goroutine *wait_for_locked(struct machine *m)
{
	struct processor *p = m->processor;
	if (p) {
		m->processor = NULL;
		processor_hand_off(p);
	}
	for (;;) {
		if (load_relaxed(&m->leave))
			machine_leave(m);
		// (machine-wake) pairs with idle_wake_machine
		while (load_acquire(&m->wake_word) == 0)
			sys_futex_wait(&m->wake_word, 0, INT64_MAX);
		lock_acquire(&rt.lock);
		struct goroutine *g = m->handed_locked;
		m->handed_locked = NULL;
		m->processor = m->handed;
		m->handed = NULL;
		store_relaxed(&m->wake_word, 0); // under the lock, as hand-overs
		lock_release(&rt.lock);
		if (g)
			return g;
	}
}

// ---- the loop -----------------------------------------------------------------------------

static NOINLINE void run_own_timers(struct processor *p)
{
	int64_t now = clock_now();
	if (timer_heap_earliest(&p->timers) > now)
		return;
	schedule_put_list(p, timer_heap_run(&p->timers, now), EVENT_BY_TIMER);
	idle_share(p);
}

/*
 * Where many goroutines take turns, no cache has those whose turn comes: they are fetched while the
 * ones before them run, first the descriptor, then what it points to. Saves 15 % of a switch among
 * a thousand, and costs nothing that can be measured among two.
 */
static ALWAYS_INLINE void fetch_ahead(const struct runq *q)
{
	uint32_t head = load_relaxed(&q->head); // a hint: thieves may take both meanwhile
	if (q->tail - head < 2)
		return;
	const struct goroutine *first = load_relaxed(&q->ring[head % RUNQ_SIZE]); // as head
	__builtin_prefetch(load_relaxed(&first->sp), 1);                          // a hint
	__builtin_prefetch(load_relaxed(&q->ring[(head + 1) % RUNQ_SIZE]), 1);    // as head
}

void *schedule(struct machine *m)
{
	for (;;) {
		void *context;
		struct processor *p = m->processor;
		if (unlikely(m->locked != NULL)) {
			context = execute(m, wait_for_locked(m));
			if (context)
				return context;
			continue;
		}
		if (unlikely(!p)) {
			idle_sleep(m);
			continue;
		}
		if (unlikely(load_relaxed(&p->attention) || load_relaxed(&m->leave))) {
			processor_attend(m, p);
			if (m->processor != p)
				continue;
		}
		struct goroutine *g = NULL;
		uint32_t runs = p->runs++;
		if (runs % GLOBAL_QUEUE_TICK == 0) {
			// A long ring is work enough: one from the global queue, for fairness, and
			// nobody from outside, who would only push others out to that queue. A
			// short one may never become empty, if somebody yields all the time.
			if (load_relaxed(&rt.global_count) != 0) // hint
				g = global_queue_take_in_turn(p);
			if (runq_length(&p->runq) < GLOBAL_QUEUE_TICK &&
				poller_is_awaited(p->index))
				look_outside(p);
		}
		if (runs % TIMER_TICK == 0 && timer_heap_earliest(&p->timers) != INT64_MAX)
			run_own_timers(p);
		if (!g) {
			g = runq_take_next(&p->runq); // inherits the time slice: tick stays
			if (!g) {
				// Only writer; the monitor looks.
				store_relaxed(&p->tick, p->tick + 1);
				g = runq_get(&p->runq);
				if (!g)
					g = idle_find(m);
				if (!g)
					continue;
				fetch_ahead(&p->runq);
			}
		}
		if (unlikely(m->spinning))
			idle_stop_spinning(m);
		if (unlikely(g->flags & GOROUTINE_LOCKED)) {
			p = m->processor;
			m->processor = NULL;
			idle_hand_locked(p, g);
			continue;
		}
		context = execute(m, g);
		if (likely(context != NULL))
			return context;
	}
}

// ---- ways in ------------------------------------------------------------------------------

static NOINLINE void leave_told(
	struct machine *m, struct goroutine *g, void *(*entry)(void *, void *))
{
	int64_t since = 0; // it is being measured
	// Of an end that has given up waiting. Who parks while it waits is dropped by it.
	if (events_are_for(EVENTS_FOR_STRAGGLERS) && entry == schedule_parked &&
		m->epoch != load_relaxed(&rt.epoch)) // changes once, for the caller
		goroutine_parks_late(g);
	if (entry == schedule_parked && events_are_for(EVENTS_FOR_BLOCK))
		since = contention_begin(g);
	events_leaving(m, g, entry);
	arch_park(&g->sp, m->scheduler_top, entry, m, g);
	if (since != 0)
		contention_end(g, since);
}

void schedule_leave(struct machine *m, struct goroutine *g, void *(*entry)(void *, void *))
{
	g->saved_errno = *m->errno_address;
	if (events_are_on())
		leave_told(m, g, entry);
	else
		arch_park(&g->sp, m->scheduler_top, entry, m, g);
}

void *schedule_parked(void *machine, void *goroutine)
{
	struct machine *m = machine;
	struct goroutine *g = goroutine;
	m->current = NULL;
	// (parked) pairs with inspect_hold: who looks at g sees the context that was saved. Wakers
	// are ordered by the commit's unlock.
	store_release(&g->state, GOROUTINE_WAITING);
	// (deadlock-parks) pairs with deadlock_count_parks. Only writer.
	store_release(&m->processor->parks, m->processor->parks + 1);
	bool stays = true;
	if (likely(m->commit == NULL))
		lock_release(m->commit_arg);
	else
		stays = m->commit(g, m->commit_arg);
	if (likely(stays))
		return schedule(m); // g may be running elsewhere now
	if (events_are_on())
		events_readied(m, g, EVENT_BY_SCHEDULER);
	return execute(m, g); // still ours
}

void *schedule_yielded(void *machine, void *goroutine)
{
	struct machine *m = machine;
	struct goroutine *g = goroutine;
	m->current = NULL;
	store_release(&g->state, GOROUTINE_RUNNABLE); // (parked) as in schedule_parked
	schedule_submit(m->processor, g, false);
	return schedule(m);
}

void *schedule_handed_over(void *machine, void *goroutine)
{
	struct machine *m = machine;
	struct goroutine *g = goroutine;
	struct goroutine *to = m->commit_arg;
	m->current = NULL;
	store_release(&g->state, GOROUTINE_RUNNABLE); // (parked) as in schedule_parked
	schedule_submit(m->processor, g, false);
	void *context = execute(m, to);
	return context ? context : schedule(m);
}

void *schedule_unblocked(void *machine, void *goroutine)
{
	struct machine *m = machine;
	struct goroutine *g = goroutine;
	m->current = NULL;
	store_release(&g->state, GOROUTINE_RUNNABLE); // (parked) as in schedule_parked
	lock_acquire(&rt.lock);
	bool got = idle_take_processor(m);
	lock_release(&rt.lock);
	if (events_are_on())
		events_readied(m, g, EVENT_BY_SCHEDULER);
	if (!got)
		global_queue_submit(g);
	store_relaxed(&m->in_blocking, 0); // not before, or the monitor sees nobody at all
	return got ? execute(m, g) : schedule(m);
}

void *schedule_ended(void *machine, void *goroutine)
{
	struct machine *m = machine;
	struct goroutine *g = goroutine;
	struct processor *p = m->processor;
	if (events_are_for(EVENTS_FOR_TOOLS))
		sanitizer_goroutine_freed(g);
	m->current = NULL;
	bool was_locked = m->locked != NULL;
	m->locked = NULL;
	void *owned = g->owned;
	race_acquire(g);
	race_acquire(owned);
	give_stack(p, g->stack, g->stack_class);
	goroutine_free(p, g);
	free(owned);
	if (unlikely(was_locked)) {
		// Whatever the goroutine did to its thread goes with it.
		m->processor = NULL;
		processor_hand_off(p);
		machine_leave(m);
	}
	return schedule(m);
}

NORETURN void goroutine_finish(void)
{
	struct machine *m = machine_current();
	struct goroutine *g = m->current;
	if (unlikely(g->blocking != 0)) {
		refuse_after_fork();
		fatal("tuza: goroutine ended inside a blocking section");
	}
	if (unlikely(g->extra != NULL)) {
		goroutine_extra_end(g); // runs the user's destructors: may park
		m = machine_current();
	}
	race_release(g); // pairs with schedule_ended, which frees what g owned
	if (events_are_on())
		events_ended(m, g);
	arch_jump(m->scheduler_top, schedule_ended, m, g);
}
