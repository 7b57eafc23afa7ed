// SPDX-License-Identifier: MIT
/*
 * Waits that something else may end early: what context/ needs for tuza_mutex_lock_ctx and its
 * like.
 *
 *	struct cancellable c;
 *	mutex_cancellable_init(&c, m);
 *	… arrange that cancellable_cancel(&c) is called when the context ends …
 *	bool locked = mutex_lock_cancellable(&c);
 *	… arrange that it is called no more, and is not running …
 *
 * The cancel may come at any time in between, from any thread, also before the wait begins and
 * after it has ended: whoever takes the waiter out of the queue first, waker or canceller, decides;
 * both do it under the bucket's lock. So nothing is lost: who returns false has not taken what it
 * waited for, nor a signal meant for another.
 */
#ifndef TUZA_SYNC_CANCEL_H
#define TUZA_SYNC_CANCEL_H

#include "sched/waitqueue.h"
#include <tuza/sync.h>

struct cancellable {
	struct queued queued;
	void *object;   // constant; the queues of its address are the bucket
	int64_t weight; // constant; semaphores

	/*
	 * Called when a cancel has taken the waiter out: settles the object's word. Needs: the
	 * bucket's lock. Returns the goroutines to make ready, linked for ready_list.
	 */
	struct goroutine *(*left)(struct cancellable *c, struct waitqueue *q);

	// guarded by the bucket's lock
	bool cancelled; // asked to stop waiting
	bool removed;   // taken out by the cancel, hence woken by it
};

// Ends the wait, now or when it is about to begin. Any thread, any number of times; needs no lock.
void cancellable_cancel(struct cancellable *c);

// Each returns true when it has what the public function without a context waits for; false when it
// was cancelled before.
void mutex_cancellable_init(struct cancellable *c, tuza_mutex *m);
MUST_USE bool mutex_lock_cancellable(struct cancellable *c);

void waitgroup_cancellable_init(struct cancellable *c, tuza_waitgroup *wg);
MUST_USE bool waitgroup_wait_cancellable(struct cancellable *c);

void semaphore_cancellable_init(struct cancellable *c, tuza_semaphore *s, int64_t n);
MUST_USE bool semaphore_wait_cancellable(struct cancellable *c);

// `m` is locked again in either case.
void cond_cancellable_init(struct cancellable *c, tuza_cond *cond);
MUST_USE bool cond_wait_cancellable(struct cancellable *c, tuza_mutex *m);

#endif
