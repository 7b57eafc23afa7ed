// SPDX-License-Identifier: MIT
/*
 * Once: a word (once_state.h), and those who wait for the first call in the queue of its address.
 *
 * Lock order: the bucket's lock alone. Go: src/sync/once.go
 */
#include "sync/once_state.h"
#include "base/race_hooks.h"
#include "sched/chaos.h"
#include "sched/upcalls.h"
#include "sched/waitqueue.h"
#include <tuza/sync.h>

// The first call has ended, by return, panic or tuza_goexit.
static void once_finish(tuza_once *once)
{
	race_release(once);
	if (once_state_finish(&once->state))
		return;
	struct waitqueue *q = waitqueue_lock(once);
	once_state_finish_locked(&once->state);
	// From here on `once` may be gone; its address still finds the waiters.
	struct goroutine *list = waitqueue_take_all(q, once);
	waitqueue_unlock(q);
	if (list)
		ready_list(list);
}

void once_dropped(const tuza_defer_record *deferred)
{
	if (deferred->fn == (void (*)(void))once_finish)
		once_finish((tuza_once *)deferred->arg);
}

static void once_run(tuza_once *once, void (*fn)(void *), void *arg)
{
	TUZA_DEFER(once_finish, once);
	fn(arg);
}

static void once_wait(tuza_once *once)
{
	struct queued w;

	park_check(WAIT_ONCE);
	struct waitqueue *q = waitqueue_lock(once);
	if (!once_state_park(&once->state)) {
		waitqueue_unlock(q);
		return;
	}
	waitqueue_push(q, once, &w, false);
	park_unlocking(&q->lock, WAIT_ONCE, once);
}

_Static_assert((int)TUZA_ONCE_DONE_ == (int)ONCE_DONE, "tuza/sync.h looks at the word inline");

EXPORT void tuza_once_do_slow_(tuza_once *once, void (*fn)(void *), void *arg)
{
	chaos_point();
	if (!once_state_is_done(&once->state)) {
		if (once_state_start(&once->state)) {
			once_run(once, fn, arg);
			return;
		}
		if (!once_state_is_done(&once->state))
			once_wait(once);
	}
	race_acquire(once);
}

EXPORT void tuza_once_do(tuza_once *once, void (*fn)(void *), void *arg)
{
	tuza_once_do_slow_(once, fn, arg);
}
