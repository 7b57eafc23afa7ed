// SPDX-License-Identifier: MIT
/*
 * Deadlines of descriptors.
 *
 * A deadline of a record is only a number, and changing it wakes those that wait, to reckon anew.
 * So operations that do not wait pay nothing. Whoever begins to wait sees to it that the record's
 * timer fires at its deadline or before; when it fires it takes out those whose time is up and goes
 * on to the earliest of the others, if there are any. It is not stopped when a wait ends: the next
 * wait's deadline is mostly later, so that a connection which gets a new one for each request
 * touches the timers, and wakes who sleeps until the earliest, once in a time-out. (Rejected: a
 * timer restarted with each change of the deadline, as Go has it; one for each wait.)
 *
 * Locks: the heap's of the timer, and under it the record's.
 */
#include "sched/netpoll_waiter.h"

#include "sched/park.h"
#include <tuza/error.h>

// One waiter at a time; the timer fires again at once if there are others.
static struct goroutine *time_is_up(struct timer *t, int64_t now)
{
	struct netpoll *n = CONTAINER_OF(t, struct netpoll, timer);
	struct goroutine *g = NULL;
	int64_t again = INT64_MAX;
	struct link *next;
	lock_acquire(&n->lock);
	netpoll_init_list(n);
	for (struct link *l = n->waiters.next; l != &n->waiters; l = next) {
		struct netpoll_waiter *w = CONTAINER_OF(l, struct netpoll_waiter, link);
		next = l->next;
		if (!g && w->until <= now)
			g = netpoll_take(w, TUZA_EIOTIMEOUT);
		else if (w->until < again)
			again = w->until;
	}
	if (again != INT64_MAX)
		t->when = again > t->when ? again : t->when + 1;
	store_relaxed(&n->armed, again != INT64_MAX ? t->when : 0); // under the locks
	lock_release(&n->lock);
	return g;
}

static void is_armed(struct timer *t)
{
	struct netpoll *n = CONTAINER_OF(t, struct netpoll, timer);
	lock_acquire(&n->lock);
	store_relaxed(&n->armed, t->when); // under the locks
	lock_release(&n->lock);
}

static bool is_disarmed(struct timer *t)
{
	struct netpoll *n = CONTAINER_OF(t, struct netpoll, timer);
	lock_acquire(&n->lock);
	store_relaxed(&n->armed, 0); // under the locks
	lock_release(&n->lock);
	return false;
}

int netpoll_arm(struct netpoll *n, int64_t until)
{
	if (until <= clock_now())
		return TUZA_EIOTIMEOUT;
	store_relaxed(&n->timer.fire, time_is_up); // whoever writes them: always the same
	store_relaxed(&n->timer.outlives, true);
	return timer_start_by(&n->timer, until, is_armed);
}

void netpoll_disarm(struct netpoll *n)
{
	if (load_relaxed(&n->armed) != 0) // hint
		(void)timer_stop_and(&n->timer, is_disarmed);
}

int netpoll_set_deadline(
	struct netpoll *n, uint32_t generation, uint32_t directions, int64_t deadline)
{
	struct goroutine *woken = NULL, **end = &woken;
	int error = 0;
	lock_acquire(&n->lock);
	if (netpoll_generation(n) != generation) {
		error = TUZA_EFDCLOSED;
	} else {
		uint32_t changed = 0;
		for (int i = 0; i < 2; i++)
			if (directions & 1u << i &&
				load_relaxed(&n->deadline[i]) != deadline) { // under the lock
				store_relaxed(&n->deadline[i], deadline);    // the same
				changed |= 1u << i;
			}
		end = netpoll_take_all(n, changed, RECKON_ANEW, end);
	}
	lock_release(&n->lock);
	*end = NULL;
	if (woken)
		ready_list(woken);
	return error;
}
