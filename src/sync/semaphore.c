// SPDX-License-Identifier: MIT
/*
 * The weighted semaphore: a word (semaphore_state.h), and waiters with their weights in the queue
 * of its address.
 *
 * Strictly first come first served: the first waiter that does not fit keeps those behind it
 * waiting, and nobody takes anything past them, or large requests would starve.
 *
 * Lock order: the bucket's lock alone. After golang.org/x/sync/semaphore.
 */
#include "sync/semaphore_state.h"
#include "base/race_hooks.h"
#include "sched/chaos.h"
#include "sched/upcalls.h"
#include "sync/cancel.h"

/*
 * Whoever wants more than the size can only be cancelled, and must not keep others waiting: it
 * waits in a queue of its own, one byte behind, that nobody serves.
 */
static const void *hopeless_of(const tuza_semaphore *s) { return (const char *)s + 1; }

static void semaphore_check_weight(int64_t n)
{
	if (unlikely(n < 0))
		tuza_panic("tuza: negative semaphore weight");
}

/*
 * Gives what is free to the waiters in front as far as it goes. Needs: q->lock, WAITING set. The
 * last touch of `s`.
 *
 * Returns  the goroutines to make ready, linked for ready_list.
 */
static struct goroutine *semaphore_serve(tuza_semaphore *s, struct waitqueue *q, int64_t available)
{
	struct goroutine *list = NULL, **tail = &list;
	struct queued *first;

	while ((first = waitqueue_first(q, s))) {
		int64_t n = CONTAINER_OF(first, struct cancellable, queued)->weight;
		if (n > available)
			break;
		available -= n;
		waitqueue_remove(q, first);
		first->granted = true;
		*tail = first->g;
		tail = &first->g->next;
	}
	*tail = NULL;
	semaphore_state_settle(&s->state, available, first != NULL);
	return list;
}

EXPORT void tuza_semaphore_init(tuza_semaphore *s, int64_t n)
{
	if (n < 0 || n > SEMAPHORE_MAX)
		tuza_panic("tuza: semaphore size out of range");
	s->size = n;
	s->state = n * SEMAPHORE_ONE;
}

/*
 * WAITING is left behind by those who were dropped at the end of a tuza_run while they waited: the
 * semaphore, which may have been freed, could not be told. Whoever finds
 * the queue empty takes it back. Needs: q->lock.
 */
static void semaphore_forget_dropped(tuza_semaphore *s, struct waitqueue *q)
{
	// Relaxed: stable under the bucket's lock.
	if ((load_relaxed(&s->state) & SEMAPHORE_WAITING) && !waitqueue_first(q, s))
		(void)semaphore_serve(s, q, semaphore_state_free(&s->state)); // serves nobody
}

// Returns false when others wait, or not so much is free.
NOINLINE static bool semaphore_take_slow(tuza_semaphore *s, int64_t n)
{
	// Relaxed: a glimpse; the lock is taken only where somebody waits.
	if (!(load_relaxed(&s->state) & SEMAPHORE_WAITING))
		return false;
	struct waitqueue *q = waitqueue_lock(s);
	semaphore_forget_dropped(s, q);
	waitqueue_unlock(q);
	return semaphore_state_take(&s->state, n);
}

EXPORT bool tuza_semaphore_try_acquire(tuza_semaphore *s, int64_t n)
{
	semaphore_check_weight(n);
	// Whoever never finds it exhausted never parks; and not while it holds a part.
	preempt_point();
	if (!semaphore_state_take(&s->state, n) && !semaphore_take_slow(s, n))
		return false;
	race_acquire(s);
	return true;
}

// Returns false when it was cancelled.
NOINLINE static bool semaphore_wait_slow(struct cancellable *c)
{
	tuza_semaphore *s = c->object;
	const void *place = c->weight > s->size ? hopeless_of(s) : s;

	park_check(WAIT_SEMAPHORE);
	do {
		struct waitqueue *q = waitqueue_lock(s);
		if (c->cancelled) {
			waitqueue_unlock(q);
			return false;
		}
		semaphore_forget_dropped(s, q);
		if (place != s || semaphore_state_park(&s->state, c->weight)) {
			waitqueue_push(q, place, &c->queued, false);
			park_unlocking(&q->lock, WAIT_SEMAPHORE, s);
			c->queued.g->waiting = NULL; // from here on there is nothing to pass on
			return !c->removed;          // who was served has got it
		}
		waitqueue_unlock(q);
	} while (!semaphore_state_take(&s->state, c->weight));
	return true;
}

// Those behind a waiter that left may fit.
static struct goroutine *semaphore_left(struct cancellable *c, struct waitqueue *q)
{
	tuza_semaphore *s = c->object;
	struct goroutine *g = c->queued.g;

	g->next = NULL;
	if (c->weight <= s->size)
		g->next = semaphore_serve(s, q, semaphore_state_free(&s->state));
	return g;
}

void semaphore_cancellable_init(struct cancellable *c, tuza_semaphore *s, int64_t n)
{
	semaphore_check_weight(n);
	*c = (struct cancellable){.object = s, .weight = n, .left = semaphore_left};
}

bool semaphore_wait_cancellable(struct cancellable *c)
{
	tuza_semaphore *s = c->object;

	if (!semaphore_state_take(&s->state, c->weight) && !semaphore_wait_slow(c))
		return false;
	race_acquire(s);
	return true;
}

EXPORT void tuza_semaphore_wait(tuza_semaphore *s, int64_t n)
{
	semaphore_check_weight(n);
	preempt_point(); // as in tuza_semaphore_try_acquire
	if (unlikely(!semaphore_state_take(&s->state, n))) {
		struct cancellable c;
		semaphore_cancellable_init(&c, s, n);
		(void)!semaphore_wait_slow(&c); // nobody cancels
	}
	race_acquire(s);
}

EXPORT void tuza_semaphore_release(tuza_semaphore *s, int64_t n)
{
	semaphore_check_weight(n);
	race_release(s);
	for (;;) {
		enum semaphore_given given = semaphore_state_give(&s->state, n, s->size);
		if (likely(given == SEMAPHORE_GIVEN))
			break;
		if (given == SEMAPHORE_TOO_MUCH)
			tuza_panic("semaphore: released more than held");
		struct waitqueue *q = waitqueue_lock(s);
		// Relaxed: stable under the bucket's lock.
		if (!(load_relaxed(&s->state) & SEMAPHORE_WAITING)) {
			waitqueue_unlock(q);
			continue;
		}
		int64_t available = semaphore_state_free(&s->state);
		if (n > s->size - available) {
			waitqueue_unlock(q);
			tuza_panic("semaphore: released more than held");
		}
		struct goroutine *list = semaphore_serve(s, q, available + n);
		// From here on `s` may be gone.
		waitqueue_unlock(q);
		if (list)
			ready_list(list);
		break;
	}
	chaos_point();
}

// ---- a dropped waiter -------------------------------------------------------------------------

void semaphore_pass_on(void *waiting, const void *object)
{
	const struct queued *w = waiting;

	if (w->granted) // else it was cancelled
		tuza_semaphore_release((tuza_semaphore *)object,
			CONTAINER_OF(w, const struct cancellable, queued)->weight);
}
