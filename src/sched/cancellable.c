// SPDX-License-Identifier: MIT
/*
 * The canceller's side; the waits are beside their uncancellable brothers. See cancellable.h.
 */
#include "sched/cancellable.h"

struct goroutine *cancellable_take(struct cancellable *c)
{
	struct goroutine *list = NULL;
	struct waitqueue *q = waitqueue_lock(c->object);

	c->cancelled = true;
	if (c->queued.address) {
		waitqueue_remove(q, &c->queued);
		c->queued.g->waiting = NULL; // nothing was given to it that could be passed on
		c->removed = true;
		list = c->left(c, q);
	}
	waitqueue_unlock(q);
	return list;
}
