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
 * A goroutine that holds something keeps it: nobody can tell what state it left things in.
 */
#include "sched/goroutine_list.h"

#include "base/race_hooks.h"
#include "sched/events.h"
#include "sched/netpoll.h"
#include "sched/sanitizer.h"
#include "sched/upcalls.h"
#include "sched/waitqueue.h"

#include <stdlib.h>

// Its stack goes away: nothing that lives on may point into it.
static void unlink_waiting(struct goroutine *g)
{
	switch (g->wait_reason) {
	case WAIT_CHAN_RECV:
	case WAIT_CHAN_SEND:
		chan_unlink_waiter(g->waiting);
		break;
	case WAIT_SELECT:
		select_unlink_waiters(g->waiting);
		break;
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
		waitqueue_unlink(g->waiting);
		break;
	case WAIT_IO:
		netpoll_unlink(g->waiting);
		break;
	default: // sleep: the timers go with their processors; for ever: in no queue
		break;
	}
}

// It was taken out of a queue and has not run since.
static void pass_on(struct goroutine *g)
{
	switch (g->wait_reason) {
	case WAIT_SELECT: // the losers are still in their queues
		select_unlink_waiters(g->waiting);
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

static void each_in_state(uint32_t state, void (*fn)(struct goroutine *g))
{
	for (struct goroutine_chunk *chunk = rt.chunks; chunk; chunk = chunk->next) {
		for (int i = 0; i < GOROUTINES_PER_CHUNK; i++) {
			struct goroutine *g = &chunk->goroutines[i];
			// Nobody wakes any more.
			if (load_relaxed(&g->state) == state && (g->flags & GOROUTINE_STARTED) &&
				g->waiting)
				fn(g);
		}
	}
}

void goroutine_unlink_all(void)
{
	each_in_state(GOROUTINE_WAITING, unlink_waiting);
	each_in_state(GOROUTINE_RUNNABLE, pass_on);
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
