// SPDX-License-Identifier: MIT
/*
 * The condition: waiters in the queue of its address.
 *
 * A waiter joins the queue before it unlocks the mutex and parks after, so no signal in between is
 * missed, and the order of waking is the order of the waits. Whoever takes it out finds out from
 * `ticket` whether it has parked: if not, that is all, and the waiter does not park. (Go hands out
 * ticket numbers for the same end; its signal must search the list for the number, as tickets and
 * list may disagree in order.)
 *
 * The condition is touched under the bucket's lock only, except for the look that finds nobody
 * waiting. A woken waiter has left it behind: it may be freed when the last one is woken.
 *
 * Lock order: the bucket's lock alone; never with the mutex's bucket. Go: src/sync/cond.go,
 * src/runtime/sema.go, notifyList
 */
#include "base/race_hooks.h"
#include "sched/chaos.h"
#include "sync/cancel.h"
#include "sync/mutex.h"

// tuza_cond.state: whether somebody is in the queue. Written under the bucket's lock.
enum { COND_IDLE, COND_WAITED_ON };

// struct queued.ticket of a waiter, guarded by the bucket's lock.
enum { COND_AWAKE, COND_PARKED };

static void cond_check_copied(tuza_cond *cond)
{
	void *self = load_relaxed(&cond->self); // only compared

	if (likely(self == cond) || (!self && cas_relaxed(&cond->self, &self, (void *)cond)))
		return;
	if (self != cond) // another's first use came in between
		tuza_panic("sync.Cond is copied");
}

/*
 * Waits as `w`. `c`: the cancellable that holds w, or NULL.
 *
 * Returns  false when it was cancelled, not signalled.
 */
static bool cond_wait_as(tuza_cond *cond, tuza_mutex *m, struct queued *w,
	const struct cancellable *c) TUZA_TSA_(no_thread_safety_analysis)
{
	cond_check_copied(cond);
	park_check(WAIT_COND);
	w->ticket = COND_AWAKE;
	w->granted = false;
	struct waitqueue *q = waitqueue_lock(cond);
	if (c && c->cancelled) {
		waitqueue_unlock(q);
		return false;
	}
	store_relaxed(&cond->state, COND_WAITED_ON); // ordered by the mutex for whoever must see it
	waitqueue_push(q, cond, w, false);
	w->g->wait_reason = WAIT_COND; // now: who is in a queue is known by it (mutex_pass)
	waitqueue_unlock(q);

	mutex_unlock_to_park(m);

	// Only the address from here on: a waiter that was taken out may find the condition freed.
	q = waitqueue_lock(cond);
	if (w->address) {
		w->ticket = COND_PARKED;
		park_unlocking(&q->lock, WAIT_COND, cond);
	} else {
		waitqueue_unlock(q);
	}
	w->g->waiting = NULL; // its place in the queue is no more
	race_acquire(w);
	tuza_mutex_lock(m);
	return w->granted;
}

EXPORT void tuza_cond_wait(tuza_cond *cond, tuza_mutex *m)
{
	struct queued w;

	cond_wait_as(cond, m, &w, NULL);
}

// Marks a waiter that was taken out as woken; returns its goroutine if it has to be made ready.
// Needs: the bucket's lock.
static struct goroutine *cond_wake(struct queued *w)
{
	race_release(w);
	w->granted = true;
	// Read before the lock is released: then a waiter that is awake may go on and leave `w`.
	return w->ticket == COND_PARKED ? w->g : NULL;
}

EXPORT void tuza_cond_signal(tuza_cond *cond)
{
	cond_check_copied(cond);
	if (load_relaxed(&cond->state) == COND_IDLE) // who had to be seen was ordered by the mutex
		return;
	struct goroutine *g = NULL;
	struct waitqueue *q = waitqueue_lock(cond);
	struct queued *w = waitqueue_pop(q, cond);
	if (!waitqueue_first(q, cond))
		store_relaxed(&cond->state, COND_IDLE); // guarded by the bucket's lock
	if (w)
		g = cond_wake(w);
	// From here on `cond` may be gone.
	waitqueue_unlock(q);
	if (g)
		ready(g);
	chaos_point();
}

EXPORT void tuza_cond_broadcast(tuza_cond *cond)
{
	cond_check_copied(cond);
	if (load_relaxed(&cond->state) == COND_IDLE) // as in signal
		return;
	struct goroutine *list = NULL, **tail = &list;
	struct waitqueue *q = waitqueue_lock(cond);
	struct queued *w;
	store_relaxed(&cond->state, COND_IDLE); // guarded by the bucket's lock
	while ((w = waitqueue_pop(q, cond))) {
		struct goroutine *g = cond_wake(w);
		if (g) {
			*tail = g;
			tail = &g->next;
		}
	}
	*tail = NULL;
	// From here on `cond` may be gone.
	waitqueue_unlock(q);
	if (list)
		ready_list(list);
	chaos_point();
}

// ---- with a cancel ----------------------------------------------------------------------------

static struct goroutine *cond_left(struct cancellable *c, struct waitqueue *q)
{
	(void)q;
	if (c->queued.ticket == COND_AWAKE)
		return NULL;
	c->queued.g->next = NULL;
	return c->queued.g;
}

void cond_cancellable_init(struct cancellable *c, tuza_cond *cond)
{
	*c = (struct cancellable){.object = cond, .left = cond_left};
}

bool cond_wait_cancellable(struct cancellable *c, tuza_mutex *m)
{
	return cond_wait_as(c->object, m, &c->queued, c);
}
