// SPDX-License-Identifier: MIT
/*
 * An unlock that comes late to its bucket, to a mutex that may be something else by then, and one
 * that finds a waiter of some age there (sync/mutex.c).
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

struct hog {
	tuza_mutex mutex;
	atomic_int turns; // of the other
	atomic_int dues;
	int passed_over;
};

// Whether somebody has been in the queue for more than a millisecond. ThreadSanitizer does not see
// the bucket's lock, which orders this.
static __attribute__((noinline, no_sanitize("thread"))) bool waiter_is_due(tuza_mutex *m)
{
	struct waitqueue *q = waitqueue_lock(m);
	struct queued *first = waitqueue_first(q, m);
	bool is_due = first && tuza_now() - first->since > TUZA_MILLISECOND;

	waitqueue_unlock(q);
	return is_due;
}

enum { DUES = 30 };

static void hog_run(struct hog *h, tuza_waitgroup *wg)
{
	while (h->dues < DUES) {
		tuza_mutex_lock(&h->mutex);
		for (int64_t end = tuza_now() + 300 * TUZA_MICROSECOND; tuza_now() < end;)
			;
		bool is_due = waiter_is_due(&h->mutex);
		int turns = h->turns;
		tuza_mutex_unlock(&h->mutex);
		if (!is_due)
			continue;
		tuza_mutex_lock(&h->mutex); // at once
		h->passed_over += h->turns == turns;
		tuza_mutex_unlock(&h->mutex);
		h->dues++;
	}
	tuza_waitgroup_done(wg);
}

// M3: the one who unlocks cannot be faster, be the other awake by then or not: a waiter that was
// woken, lost and keeps its age, too.
TEST(lock_is_handed_to_a_waiter_older_than_a_millisecond)
{
	struct hog h = {.turns = 0};
	tuza_waitgroup wg = {0};
	int before = tuza_gomaxprocs(2); // on one the first unlock hands over

	tuza_waitgroup_add(&wg, 1);
	TUZA_GO(hog_run, &h, &wg);
	while (h.dues < DUES) {
		tuza_mutex_lock(&h.mutex);
		h.turns++;
		tuza_mutex_unlock(&h.mutex);
	}
	tuza_waitgroup_wait(&wg);
	CHECK_EQ(h.passed_over, 0);
	tuza_gomaxprocs(before);
}
