// SPDX-License-Identifier: MIT
/*
 * An unlock that comes late to its bucket, to a mutex that may be something else by then
 * (sync/mutex.c).
 */
#include "../../test.h"
#include "sched/waitqueue.h"
#include "sync/mutex_state.h"

#include <pthread.h>

struct reused {
	union {
		tuza_mutex mutex; // is freed
		tuza_cond cond;   // uses its memory
	};
	char gap[64];
	tuza_mutex cond_mutex;
	tuza_mutex first;
	bool ready;
	atomic_int locked, woken;
};

static void *wait_for_mutex_then_cond(void *arg)
{
	struct reused *r = arg;

	tuza_mutex_lock(&r->first); // parks: that is the reason of the last wait then
	tuza_mutex_unlock(&r->first);
	tuza_mutex_lock(&r->cond_mutex);
	r->locked = 1;
	while (!r->ready)
		tuza_cond_wait(&r->cond, &r->cond_mutex);
	tuza_mutex_unlock(&r->cond_mutex);
	r->woken = 1;
	return NULL;
}

static bool is_queued(struct reused *r)
{
	struct waitqueue *q = waitqueue_lock(&r->cond);
	bool queued = waitqueue_first(q, &r->cond) != NULL;
	waitqueue_unlock(q);
	return queued;
}

static bool waits_for(tuza_mutex *m) { return load_relaxed(&m->state) & MUTEX_PARKED; }

// A waiter of a condition is in its queue before it unlocks the mutex, and parks after.
TEST_PLAIN(late_unlock_leaves_a_condition_alone_that_uses_the_memory_of_its_mutex)
{
	static struct reused r;
	pthread_t thread;

	tuza_mutex_lock(&r.first);
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_mutex_then_cond, &r), 0);
	WAIT_UNTIL(waits_for(&r.first));
	// Its unlock of cond_mutex finds somebody waiting, as it seems, and has to wait here.
	r.cond_mutex.state = MUTEX_PARKED;
	struct waitqueue *q = waitqueue_lock(&r.cond_mutex);
	tuza_mutex_unlock(&r.first);
	WAIT_UNTIL(r.locked == 1);
	WAIT_UNTIL(is_queued(&r));
	tuza_mutex_unlock_slow_(&r.mutex, MUTEX_LOCKED | MUTEX_PARKED);
	CHECK(r.cond.self == &r.cond);
	CHECK(is_queued(&r));
	waitqueue_unlock(q);

	tuza_mutex_lock(&r.cond_mutex);
	r.ready = true;
	tuza_cond_signal(&r.cond);
	tuza_mutex_unlock(&r.cond_mutex);
	pthread_join(thread, NULL);
	CHECK_EQ(r.woken, 1);
}
