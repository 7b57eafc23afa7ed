// SPDX-License-Identifier: MIT
/*
 * Waits in a wait queue that something else may end early.
 *
 *	struct cancellable c;
 *	mutex_cancellable_init(&c, m);
 *	… arrange that cancellable_take(&c) is called when the context ends …
 *	bool locked = mutex_lock_cancellable(&c);
 *	… arrange that it is called no more, and is not running …
 *
 * The cancel may come at any time in between, from any thread, also before the wait begins and
 * after it has ended: whoever takes the waiter out of the queue first, waker or canceller, decides;
 * both do it under the bucket's lock. So nothing is lost: who returns false has not taken what it
 * waited for, nor a signal meant for another.
 */
#ifndef TUZA_SCHED_CANCELLABLE_H
#define TUZA_SCHED_CANCELLABLE_H

#include "sched/waitqueue.h"

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

// Ends the wait, now or when it is about to begin. Any thread, any number of times; takes the
// bucket's lock. Returns the goroutines to make ready, linked for ready_list; NULL if none.
MUST_USE struct goroutine *cancellable_take(struct cancellable *c);

// handle.c: tuza_join. False: it was cancelled, and the handle stays. Panics as tuza_join.
void handle_cancellable_init(struct cancellable *c, struct tuza_goroutine *h);
MUST_USE bool handle_join_cancellable(struct cancellable *c, int *result);

#endif
