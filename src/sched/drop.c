// SPDX-License-Identifier: MIT
/*
 * What the end of the runtime does with the goroutines that are left: they are dropped.
 *
 * No goroutine runs any more, but objects of the program outlive the run and plain threads may be
 * using them at this moment. So a dropped goroutine leaves the queues that it waits in, and what
 * it was given on its way out of one, but had no chance to take, goes to the next: a lock that was
 * handed to it, or the wake-up without which nobody else would be woken. In this order, so that
 * nothing is given to another one that is dropped.
 *
 * Whoever waits and is in no queue was taken out by a plain thread that is about to make it ready:
 * that is waited for, as the thread looks at the goroutine until then. It needs no runtime for it,
 * nor anything that the end holds.
 *
 * A goroutine that holds something keeps it: nobody can tell what state it left things in. But a
 * call that is made once for all, and that others wait for, has ended, as if by tuza_goexit, and so
 * has the goroutine itself for who joins it; what it was doing with connections is over.
 *
 * A straggler still ran when the end gave up waiting for its machine, which remembers it
 * (machine.straggler). It is left alone then, and dropped in the same way when the machine leaves,
 * at its next entry. If that is because it parks, in a queue that others use by now, whoever wakes
 * it finds GOROUTINE_LATE, puts it into no run queue and passes on what it was given. All of this
 * under the lock of visit.c, so that no end is under way.
 */
#include "sched/goroutine_extra.h"
#include "sched/goroutine_list.h"

#include "base/race_hooks.h"
#include "sched/events.h"
#include "sched/netpoll.h"
#include "sched/sanitizer.h"
#include "sched/timer.h"
#include "sched/upcalls.h"
#include "sched/waitqueue.h"
#include "sys/clock.h"

#include <stdlib.h>

// Its stack goes away: nothing that lives on may point into it. False: it is in no queue, and
// should be.
static bool unlink_waiting(struct goroutine *g)
{
	switch (g->wait_reason) {
	case WAIT_CHAN_RECV:
	case WAIT_CHAN_SEND:
		return chan_unlink_waiter(g->waiting);
	case WAIT_SELECT:
		return select_unlink_waiters(g->waiting);
	case WAIT_MUTEX:
	case WAIT_RWMUTEX_R:
	case WAIT_RWMUTEX_W:
	case WAIT_COND:
	case WAIT_WAITGROUP:
	case WAIT_SEMAPHORE:
	case WAIT_ONCE:
	case WAIT_SINGLEFLIGHT:
	case WAIT_JOIN:
	case WAIT_CLOSE:
		return waitqueue_unlink(load_relaxed(&g->waiting)); // NULL after a cancel
	case WAIT_IO: // in no queue: for the leader of a batch of sends, who is dropped as well
		return !g->waiting || netpoll_unlink(g->waiting);
	default: // sleep: the timers go with their processors; for ever: in no queue
		return true;
	}
}

// False: it was not made ready in time, and its waker will find that it is too late.
static bool await_waker(struct goroutine *g, int64_t until)
{
	uint32_t waiting = GOROUTINE_WAITING;

	// (woken-late) pairs with submit_from_outside: the waker is done with g
	while (load_acquire(&g->state) == GOROUTINE_WAITING) {
		if (sys_clock_now() >= until)
			return !cas_acq_rel(&g->state, &waiting, GOROUTINE_DEAD); // (woken-late)
		sys_yield();
	}
	return true;
}

// It was taken out of a queue and has not run since.
static void pass_on(struct goroutine *g)
{
	switch (g->wait_reason) {
	case WAIT_SELECT:
		select_unlink_losers(g->waiting);
		break;
	case WAIT_MUTEX:
		mutex_pass_on(g->waiting, g->wait_object);
		break;
	case WAIT_RWMUTEX_R:
	case WAIT_RWMUTEX_W:
		rwmutex_pass_on(g->waiting, g->wait_object, g->wait_reason == WAIT_RWMUTEX_W);
		break;
	case WAIT_SEMAPHORE:
		semaphore_pass_on(g->waiting, g->wait_object);
		break;
	default: // it was told something that concerns nobody else
		break;
	}
}

static bool straggles(const struct goroutine *g)
{
	bool any = false;

	// Machines come and go under rt.lock; one with a straggler stays as long as the caller has
	// the lock of visit.c.
	if (load_relaxed(&rt.stragglers.next) == &rt.stragglers) // nobody else adds one
		return false;
	lock_acquire(&rt.lock);
	for (struct link *l = rt.stragglers.next; !any && l != &rt.stragglers; l = l->next)
		any = CONTAINER_OF(l, struct machine, all)->straggler == g;
	lock_release(&rt.lock);
	return any;
}

// The library's own deferred calls by which others learn that one has ended.
static void end_calls(const struct goroutine *g)
{
	for (const tuza_defer_record *d = g->defers; d; d = d->outer) {
		once_dropped(d);
		singleflight_dropped(d);
	}
}

// Calls fn for all that were started and are left, but stragglers.
static bool each_left(bool (*fn)(struct goroutine *g, uint32_t state, int64_t until), int64_t until)
{
	bool all = true;

	for (struct goroutine_chunk *chunk = rt.chunks; chunk; chunk = chunk->next)
		for (uint32_t i = 0; i < goroutine_chunk_used(chunk); i++) {
			struct goroutine *g = &chunk->goroutines[i];
			uint32_t state = load_relaxed(&g->state); // its machine has left
			// Who was not started has no stack yet, and waits for nothing.
			if (state != GOROUTINE_DEAD && (g->flags & GOROUTINE_STARTED) &&
				!straggles(g))
				all &= fn(g, state, until);
		}
	return all;
}

static bool leave_queue(struct goroutine *g, uint32_t state, int64_t until)
{
	return state != GOROUTINE_WAITING || unlink_waiting(g) || await_waker(g, until);
}

static bool pass_on_if_woken(struct goroutine *g, uint32_t state, int64_t until)
{
	(void)until;
	if (state == GOROUTINE_RUNNABLE && g->waiting)
		pass_on(g);
	return true;
}

static bool end_all_calls(struct goroutine *g, uint32_t state, int64_t until)
{
	(void)state;
	(void)until;
	end_calls(g);
	net_drop_operations(g);
	goroutine_handle_dropped(g);
	return true;
}

static void drop_those_not_started(void)
{
	for (struct goroutine_chunk *chunk = rt.chunks; chunk; chunk = chunk->next)
		for (uint32_t i = 0; i < goroutine_chunk_used(chunk); i++) {
			struct goroutine *g = &chunk->goroutines[i];
			if (load_relaxed(&g->state) != GOROUTINE_DEAD && // no machine has it
				!(g->flags & GOROUTINE_STARTED))
				goroutine_handle_dropped(g);
		}
}

bool goroutine_unlink_all(int64_t until)
{
	bool all = each_left(leave_queue, until);

	each_left(pass_on_if_woken, until);
	each_left(end_all_calls, until);
	drop_those_not_started();
	net_forget_operations();
	return all;
}

void goroutine_drop_straggler(struct goroutine *g)
{
	uint32_t state = load_relaxed(&g->state); // the caller's machine was the last to run it

	if (state == GOROUTINE_DEAD)
		return;
	if (state == GOROUTINE_WAITING && g->waiting)
		(void)unlink_waiting(g); // else goroutine_woken_late is called
	else
		(void)pass_on_if_woken(g, state, 0);
	(void)end_all_calls(g, state, 0);
	net_forget_operations();
}

void goroutine_parks_late(struct goroutine *g)
{
	g->flags |= GOROUTINE_LATE;
	switch (g->wait_reason) {
	case WAIT_CHAN_RECV:
	case WAIT_CHAN_SEND:
		chan_withdraw(g->waiting);
		g->waiting = NULL;
		break;
	case WAIT_SELECT:
		select_withdraw(g->waiting);
		g->waiting = NULL;
		break;
	default: // what it waits in stays, whoever wakes it
		break;
	}
}

void goroutine_woken_late(struct goroutine *g)
{
	if (g->waiting)
		pass_on(g);
}

void goroutine_release_all(void)
{
	for (struct goroutine_chunk *chunk = rt.chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		for (uint32_t i = 0; i < goroutine_chunk_used(chunk); i++) {
			struct goroutine *g = &chunk->goroutines[i];
			if (load_relaxed(&g->state) == GOROUTINE_DEAD) // nobody else is left
				continue;
			if (events_are_for(EVENTS_FOR_TOOLS))
				sanitizer_goroutine_dropped(g);
			goroutine_extra_free(g);
			race_acquire(g->owned);
			free(g->owned);
		}
		sys_pages_free(chunk, sizeof *chunk);
	}
	rt.chunks = NULL;
	rt.free = NULL;
}
