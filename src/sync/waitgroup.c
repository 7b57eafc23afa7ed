// SPDX-License-Identifier: MIT
/*
 * The waitgroup: a word (waitgroup_state.h), and waiters in the queue of its address.
 *
 * Of Go's three misuses only the negative counter exists here: waiters belong to the zero that they
 * waited for, so an add that comes before they have returned disturbs nobody.
 *
 * Lock order: the bucket's lock alone. Go: src/sync/waitgroup.go
 */
#include "sync/waitgroup_state.h"
#include "base/race_hooks.h"
#include "sched/chaos.h"
#include "sync/cancel.h"

/*
 * An add from zero and the wait that it is meant for must be ordered by the program. To the
 * detector the add reads and the wait writes a byte of the waitgroup, so that it finds a program
 * that orders them by luck. After Go.
 */
static void race_read_first_add(const tuza_waitgroup *wg) { race_read((const char *)wg + 4, 1); }
static void race_write_wait(const tuza_waitgroup *wg)
{
	race_write((const char *)wg + 4, 1);
	race_release(wg); // another waiter may free it
}

static struct queued **waiters_of(tuza_waitgroup *wg) { return (struct queued **)&wg->waiters; }

// The counter was brought to zero and somebody waited.
NOINLINE static void waitgroup_add_slow(tuza_waitgroup *wg)
{
	struct waitqueue *q = waitqueue_lock(wg);
	struct goroutine *list = waitqueue_take_all_at(waiters_of(wg));

	waitgroup_state_finish(&wg->state);
	// From here on `wg` may be gone.
	waitqueue_unlock(q);
	if (list)
		ready_list(list);
}

EXPORT void tuza_waitgroup_add(tuza_waitgroup *wg, int delta)
{
	if (delta < 0) // one in a pair is enough
		preempt_check();
	if (race_is_on()) {
		if (delta < 0)
			race_release(wg);
		else if (waitgroup_state_is_done(&wg->state))
			race_read_first_add(wg);
	}
	enum waitgroup_added added = waitgroup_state_add(&wg->state, delta);
	if (unlikely(added == WAITGROUP_ZERO))
		waitgroup_add_slow(wg);
	else if (unlikely(added == WAITGROUP_NEGATIVE))
		tuza_panic("sync: negative WaitGroup counter");
	chaos_point();
}

EXPORT void tuza_waitgroup_done(tuza_waitgroup *wg) { tuza_waitgroup_add(wg, -1); }

// Waits as `w`. `c`: the cancellable that holds w, or NULL. Returns false when it was cancelled.
static bool waitgroup_wait_as(tuza_waitgroup *wg, struct queued *w, const struct cancellable *c)
{
	if (!waitgroup_state_is_done(&wg->state)) {
		park_check(WAIT_WAITGROUP);
		struct waitqueue *q = waitqueue_lock(wg);
		if (c && c->cancelled) {
			waitqueue_unlock(q);
			return false;
		}
		if (waitgroup_state_park(&wg->state)) {
			if (race_is_on() && !wg->waiters)
				race_write_wait(wg);
			waitqueue_push_at(waiters_of(wg), wg, w);
			park_unlocking(&q->lock, WAIT_WAITGROUP, wg);
			if (c && c->removed)
				return false;
		} else {
			waitqueue_unlock(q);
		}
	}
	race_acquire(wg);
	return true;
}

EXPORT void tuza_waitgroup_wait(tuza_waitgroup *wg)
{
	struct queued w;

	chaos_point();
	waitgroup_wait_as(wg, &w, NULL);
}

// WAITERS stays: at worst the zero finds nobody.
static struct goroutine *waitgroup_left(struct cancellable *c, struct waitqueue *q)
{
	(void)q;
	c->queued.g->next = NULL;
	return c->queued.g;
}

void waitgroup_cancellable_init(struct cancellable *c, tuza_waitgroup *wg)
{
	*c = (struct cancellable){.object = wg, .left = waitgroup_left};
}

bool waitgroup_wait_cancellable(struct cancellable *c)
{
	return waitgroup_wait_as(c->object, &c->queued, c);
}

// A panic that leaves the function is on its way to end the process: nobody shall see the group
// finish before.
static void waitgroup_go_ended(tuza_waitgroup *wg)
{
	if (!(goroutine_current()->flags & GOROUTINE_PANICKING))
		tuza_waitgroup_done(wg);
}

static void waitgroup_go_run(tuza_waitgroup *wg, void (*fn)(void *), void *arg)
{
	TUZA_DEFER(waitgroup_go_ended, wg);
	fn(arg);
}

EXPORT void tuza_waitgroup_go(tuza_waitgroup *wg, void (*fn)(void *), void *arg)
{
	// A go statement of three arguments, with the caller as its place in the source.
	struct tuza_go_site site = {(void (*)(void))waitgroup_go_run, 0};
	struct arch_registers r = {.gpr = {(uintptr_t)wg, (uintptr_t)fn, (uintptr_t)arg}};

	tuza_waitgroup_add(wg, 1);
	go_captured(&r, NULL, &site, (uintptr_t)__builtin_return_address(0));
}
