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
 * Who waits and is in no queue was taken out by a plain thread that is about to make it ready: that
 * is waited for, as the thread looks at the goroutine until then. It needs no runtime for it, nor
 * anything that the end holds.
 *
 * A goroutine that holds something keeps it: nobody can tell what state it left things in. But a
 * call that is made once for all, and that others wait for, has ended, as if by tuza_goexit.
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
		if (clock_now() >= until)
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

static bool is_left(const struct goroutine *g, uint32_t state)
{
	// Who was not started has no stack yet, and waits for nothing.
	return load_relaxed(&g->state) == state && (g->flags & GOROUTINE_STARTED);
}

// The library's own deferred calls by which others learn that one has ended.
static void end_calls(const struct goroutine *g)
{
	for (const tuza_defer_record *d = g->defers; d; d = d->outer) {
		once_dropped(d);
		singleflight_dropped(d);
	}
}

bool goroutine_unlink_all(int64_t until, bool has_stragglers)
{
	bool all = true;

	for (struct goroutine_chunk *chunk = rt.chunks; chunk; chunk = chunk->next)
		for (int i = 0; i < GOROUTINES_PER_CHUNK; i++) {
			struct goroutine *g = &chunk->goroutines[i];
			if (is_left(g, GOROUTINE_WAITING) && !unlink_waiting(g))
				all &= await_waker(g, until);
		}
	for (struct goroutine_chunk *chunk = rt.chunks; chunk; chunk = chunk->next)
		for (int i = 0; i < GOROUTINES_PER_CHUNK; i++) {
			struct goroutine *g = &chunk->goroutines[i];
			if (is_left(g, GOROUTINE_RUNNABLE) && g->waiting)
				pass_on(g);
		}
	for (struct goroutine_chunk *chunk = rt.chunks; chunk; chunk = chunk->next)
		for (int i = 0; i < GOROUTINES_PER_CHUNK; i++) {
			struct goroutine *g = &chunk->goroutines[i];
			if (is_left(g, GOROUTINE_WAITING) || is_left(g, GOROUTINE_RUNNABLE) ||
				(!has_stragglers && (is_left(g, GOROUTINE_RUNNING) ||
							    is_left(g, GOROUTINE_BLOCKED))))
				end_calls(g);
		}
	return all;
}

void goroutine_release_all(void)
{
	for (struct goroutine_chunk *chunk = rt.chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		for (int i = 0; i < GOROUTINES_PER_CHUNK; i++) {
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
