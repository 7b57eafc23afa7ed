// SPDX-License-Identifier: MIT
/*
 * Waits that are ended early (sync/cancel.h): whoever takes the waiter out first decides, and
 * nothing is lost.
 */
#include "../../test.h"
#include "sync/mutex_state.h"
#include "sync/cancel.h"

static void cancellable_cancel(struct cancellable *c)
{
	struct goroutine *list = cancellable_take(c);

	if (list)
		ready_list(list);
}

struct wait {
	struct cancellable c;
	union {
		tuza_mutex mutex;
		tuza_waitgroup wg;
		tuza_semaphore s;
	};
	tuza_cond cond;
	tuza_mutex cond_mutex;
	atomic_int state; // 0 waits, 1 has it, 2 was cancelled
};

static uint32_t flags_of(const tuza_mutex *m)
{
	return load_relaxed(&m->state) &
	       (MUTEX_LOCKED | MUTEX_PARKED | MUTEX_WOKEN | MUTEX_STARVING);
}

static void wait_mutex(struct wait *w) { w->state = mutex_lock_cancellable(&w->c) ? 1 : 2; }
static void wait_wg(struct wait *w) { w->state = waitgroup_wait_cancellable(&w->c) ? 1 : 2; }
static void wait_semaphore(struct wait *w) { w->state = semaphore_wait_cancellable(&w->c) ? 1 : 2; }

static void wait_cond(struct wait *w)
{
	tuza_mutex_lock(&w->cond_mutex);
	bool signalled = cond_wait_cancellable(&w->c, &w->cond_mutex);
	CHECK(!tuza_mutex_try_lock(&w->cond_mutex));
	tuza_mutex_unlock(&w->cond_mutex);
	w->state = signalled ? 1 : 2;
}

static void lock_plainly(tuza_mutex *m, atomic_int *got)
{
	tuza_mutex_lock(m);
	tuza_mutex_unlock(m);
	atomic_fetch_add(got, 1); // last: then the tests look at the mutex and return
}

TEST(cancelled_lock_returns_and_leaves_the_mutex_to_others)
{
	struct wait w = {.state = 0};
	atomic_int got = 0;

	mutex_cancellable_init(&w.c, &w.mutex);
	tuza_mutex_lock(&w.mutex);
	TUZA_GO(wait_mutex, &w);
	wait_parked("sync.Mutex.Lock", 1);
	TUZA_GO(lock_plainly, &w.mutex, &got);
	wait_parked("sync.Mutex.Lock", 2);
	cancellable_cancel(&w.c);
	WAIT_UNTIL(w.state == 2);
	cancellable_cancel(&w.c);
	CHECK_EQ(got, 0);
	tuza_mutex_unlock(&w.mutex);
	WAIT_UNTIL(got == 1);
	CHECK_EQ(flags_of(&w.mutex), 0);
}

TEST(cancel_of_the_only_waiter_leaves_a_mutex_without_waiters)
{
	struct wait w = {.state = 0};

	mutex_cancellable_init(&w.c, &w.mutex);
	tuza_mutex_lock(&w.mutex);
	uint32_t locked = flags_of(&w.mutex);
	TUZA_GO(wait_mutex, &w);
	wait_parked("sync.Mutex.Lock", 1);
	CHECK(flags_of(&w.mutex) != locked);
	cancellable_cancel(&w.c);
	WAIT_UNTIL(w.state == 2);
	CHECK_EQ(flags_of(&w.mutex), locked);
	tuza_mutex_unlock(&w.mutex);
}

TEST(wait_that_was_cancelled_before_does_not_begin)
{
	struct wait w = {.state = 0};

	mutex_cancellable_init(&w.c, &w.mutex);
	tuza_mutex_lock(&w.mutex);
	cancellable_cancel(&w.c);
	CHECK(!mutex_lock_cancellable(&w.c));
	tuza_mutex_unlock(&w.mutex);

	w.wg = (tuza_waitgroup){0};
	waitgroup_cancellable_init(&w.c, &w.wg);
	tuza_waitgroup_add(&w.wg, 1);
	cancellable_cancel(&w.c);
	CHECK(!waitgroup_wait_cancellable(&w.c));
	tuza_waitgroup_done(&w.wg);

	tuza_semaphore_init(&w.s, 0);
	semaphore_cancellable_init(&w.c, &w.s, 1);
	cancellable_cancel(&w.c);
	CHECK(!semaphore_wait_cancellable(&w.c));

	cond_cancellable_init(&w.c, &w.cond);
	cancellable_cancel(&w.c);
	wait_cond(&w);
	CHECK_EQ(w.state, 2);
}

TEST(cancelled_wait_for_a_group_leaves_the_group_as_it_is)
{
	struct wait w = {.state = 0};

	waitgroup_cancellable_init(&w.c, &w.wg);
	tuza_waitgroup_add(&w.wg, 1);
	TUZA_GO(wait_wg, &w);
	wait_parked("sync.WaitGroup.Wait", 1);
	cancellable_cancel(&w.c);
	WAIT_UNTIL(w.state == 2);
	tuza_waitgroup_done(&w.wg);
	tuza_waitgroup_wait(&w.wg);
}

static void acquire_one(tuza_semaphore *s, atomic_int *got)
{
	tuza_semaphore_wait(s, 1);
	atomic_fetch_add(got, 1);
}

// T7.2: cancel of a queued large acquire lets those behind it through.
TEST(cancel_of_a_large_acquire_lets_smaller_ones_through)
{
	struct wait w = {.state = 0};
	atomic_int got = 0;

	tuza_semaphore_init(&w.s, 2);
	tuza_semaphore_wait(&w.s, 1);
	semaphore_cancellable_init(&w.c, &w.s, 2);
	TUZA_GO(wait_semaphore, &w);
	wait_parked("semacquire", 1);
	TUZA_GO(acquire_one, &w.s, &got);
	wait_parked("semacquire", 2);
	CHECK_EQ(got, 0);
	cancellable_cancel(&w.c);
	WAIT_UNTIL(got == 1 && w.state == 2);
	CHECK(!tuza_semaphore_try_acquire(&w.s, 1));
	tuza_semaphore_release(&w.s, 2);
	CHECK(tuza_semaphore_try_acquire(&w.s, 2));
}

// E3: a request larger than the size ends with its cancel only.
TEST(too_large_an_acquire_ends_when_cancelled)
{
	struct wait w = {.state = 0};

	tuza_semaphore_init(&w.s, 2);
	semaphore_cancellable_init(&w.c, &w.s, 3);
	TUZA_GO(wait_semaphore, &w);
	wait_parked("semacquire", 1);
	CHECK(tuza_semaphore_try_acquire(&w.s, 2));
	tuza_semaphore_release(&w.s, 2);
	cancellable_cancel(&w.c);
	WAIT_UNTIL(w.state == 2);
	CHECK(tuza_semaphore_try_acquire(&w.s, 2));
}

TEST(signal_after_a_cancel_goes_to_the_next_waiter)
{
	struct wait first = {.state = 0}, second = {.state = 0};

	cond_cancellable_init(&first.c, &first.cond);
	cond_cancellable_init(&second.c, &first.cond);
	TUZA_GO(wait_cond, &first);
	wait_parked("sync.Cond.Wait", 1);
	TUZA_GO(wait_cond, &second);
	wait_parked("sync.Cond.Wait", 2);
	cancellable_cancel(&first.c);
	WAIT_UNTIL(first.state == 2);
	tuza_cond_signal(&first.cond);
	WAIT_UNTIL(second.state == 1);
}

struct contest {
	tuza_semaphore s;
	struct cancellable c;
	atomic_int ready;
	bool acquired;
};

static void contest_wait(struct contest *k, tuza_waitgroup *wg)
{
	k->ready = 1;
	k->acquired = semaphore_wait_cancellable(&k->c);
	tuza_waitgroup_done(wg);
}

static void contest_cancel(struct contest *k, tuza_waitgroup *wg)
{
	while (!k->ready)
		tuza_yield();
	cancellable_cancel(&k->c);
	tuza_waitgroup_done(wg);
}

// Reliability: woken twice, or a token lost, when release and cancel come at the same time.
TEST(release_and_cancel_at_the_same_time_have_one_outcome)
{
	int acquired = 0;

	for (int round = 0; round < 2000; round++) {
		struct contest k = {.ready = 0};
		tuza_waitgroup wg = {0};

		tuza_semaphore_init(&k.s, 1);
		tuza_semaphore_wait(&k.s, 1);
		semaphore_cancellable_init(&k.c, &k.s, 1);
		tuza_waitgroup_add(&wg, 2);
		TUZA_GO(contest_wait, &k, &wg);
		TUZA_GO(contest_cancel, &k, &wg);
		while (!k.ready)
			tuza_yield();
		tuza_semaphore_release(&k.s, 1);
		tuza_waitgroup_wait(&wg);
		CHECK_EQ(tuza_semaphore_try_acquire(&k.s, 1), !k.acquired);
		acquired += k.acquired;
	}
	printf("  acquired %d of 2000\n", acquired);
}

struct crowd {
	tuza_mutex mutex;
	int inside; // plain: guarded by mutex
	atomic_int locked, cancelled;
};

static void crowd_member(struct crowd *k, tuza_waitgroup *wg)
{
	for (int i = 0; i < 300; i++) {
		struct cancellable c;
		mutex_cancellable_init(&c, &k->mutex);
		tuza_waitgroup cancels = {0};
		if (i % 3 == 0)
			tuza_waitgroup_go(&cancels, (void (*)(void *))cancellable_cancel, &c);
		if (mutex_lock_cancellable(&c)) {
			CHECK_EQ(k->inside++, 0);
			if (i % 5 == 0)
				tuza_yield();
			k->inside--;
			tuza_mutex_unlock(&k->mutex);
			k->locked++;
		} else {
			k->cancelled++;
		}
		tuza_waitgroup_wait(&cancels);
	}
	tuza_waitgroup_done(wg);
}

TEST(mutex_survives_locks_and_cancels_of_many)
{
	struct crowd k = {.inside = 0};
	tuza_waitgroup wg = {0};

	tuza_waitgroup_add(&wg, 8);
	for (int i = 0; i < 8; i++)
		TUZA_GO(crowd_member, &k, &wg);
	tuza_waitgroup_wait(&wg);
	CHECK_EQ(k.locked + k.cancelled, 8 * 300);
	CHECK_EQ(flags_of(&k.mutex), 0);
}
