// SPDX-License-Identifier: MIT
/*
 * Locks, groups and handles with a context.
 *
 * A wait is linked into the context's canceller, on the waiter's stack, only while it waits. The
 * end of the context takes the waiter out of the queue that it waits in, under the locks of both;
 * the waiter unlinks itself when it is back, which also waits for an end that is still under way
 * with it.
 */
#include "context/context.h"

#include "sched/current.h"
#include "sync/cancel.h"

struct wait {
	struct watcher watcher;
	struct canceller *canceller; // NULL: nothing ends the wait early
	struct cancellable cancellable;
	const struct goroutine *g;
};

static struct goroutine *wait_fire(struct watcher *w, struct ended *ended)
{
	(void)ended;
	return cancellable_take(&CONTAINER_OF(w, struct wait, watcher)->cancellable);
}

// The context's end cancels w->cancellable from here on.
static void wait_begin(struct wait *w, const tuza_context *ctx)
{
	w->watcher = (struct watcher){.fire = wait_fire};
	w->canceller = ctx->canceller;
	w->cancellable.queued.can_give_up = w->canceller != NULL;
	w->g = goroutine_current();
	if (w->canceller)
		canceller_watch(w->canceller, &w->watcher);
}

// It does so no more. Deferred: a wait inside a blocking section panics.
static void wait_leave(struct wait *w)
{
	if (w->canceller)
		(void)canceller_unwatch(w->canceller, &w->watcher);
}

// What the public function returns.
static int wait_result(const struct wait *w, bool done)
{
	return done ? 0 : canceller_error(w->canceller);
}

void canceller_forget_waits(struct canceller *c)
{
	lock_acquire(&c->lock);
	for (struct link *l = c->watchers.next, *next; l != &c->watchers; l = next) {
		next = l->next;
		struct watcher *watcher = CONTAINER_OF(l, struct watcher, link);
		if (watcher->fire == wait_fire &&
			!(CONTAINER_OF(watcher, struct wait, watcher)->g->flags & GOROUTINE_THREAD))
			list_remove(l);
	}
	lock_release(&c->lock);
}

EXPORT int tuza_mutex_lock_ctx(tuza_mutex *m, tuza_context *ctx)
	TUZA_TSA_(no_thread_safety_analysis)
{
	struct wait w;
	int error = tuza_context_err(ctx);

	if (error || tuza_mutex_try_lock(m))
		return error;
	mutex_cancellable_init(&w.cancellable, m);
	wait_begin(&w, ctx);
	TUZA_DEFER(wait_leave, &w);
	return wait_result(&w, mutex_lock_cancellable(&w.cancellable));
}

EXPORT int tuza_rwmutex_lock_ctx(tuza_rwmutex *rw, tuza_context *ctx)
	TUZA_TSA_(no_thread_safety_analysis)
{
	struct wait w;
	int error = tuza_context_err(ctx);

	if (error || tuza_rwmutex_try_lock(rw))
		return error;
	rwmutex_cancellable_init(&w.cancellable, rw);
	wait_begin(&w, ctx);
	TUZA_DEFER(wait_leave, &w);
	return wait_result(&w, rwmutex_lock_cancellable(&w.cancellable));
}

EXPORT int tuza_rwmutex_rlock_ctx(tuza_rwmutex *rw, tuza_context *ctx)
	TUZA_TSA_(no_thread_safety_analysis)
{
	struct wait w;
	int error = tuza_context_err(ctx);

	if (error || tuza_rwmutex_try_rlock(rw))
		return error;
	rwmutex_cancellable_init(&w.cancellable, rw);
	wait_begin(&w, ctx);
	TUZA_DEFER(wait_leave, &w);
	return wait_result(&w, rwmutex_rlock_cancellable(&w.cancellable));
}

EXPORT int tuza_waitgroup_wait_ctx(tuza_waitgroup *wg, tuza_context *ctx)
{
	struct wait w;
	int error = tuza_context_err(ctx);

	if (error)
		return error;
	waitgroup_cancellable_init(&w.cancellable, wg);
	wait_begin(&w, ctx);
	TUZA_DEFER(wait_leave, &w);
	return wait_result(&w, waitgroup_wait_cancellable(&w.cancellable));
}

EXPORT int tuza_cond_wait_ctx(tuza_cond *cond, tuza_mutex *m, tuza_context *ctx)
{
	struct wait w;
	int error = tuza_context_err(ctx);

	if (error)
		return error;
	cond_cancellable_init(&w.cancellable, cond);
	wait_begin(&w, ctx);
	TUZA_DEFER(wait_leave, &w);
	return wait_result(&w, cond_wait_cancellable(&w.cancellable, m));
}

EXPORT int tuza_semaphore_acquire(tuza_semaphore *s, tuza_context *ctx, int64_t n)
{
	struct wait w;
	int error = tuza_context_err(ctx);

	if (error || tuza_semaphore_try_acquire(s, n))
		return error;
	semaphore_cancellable_init(&w.cancellable, s, n);
	wait_begin(&w, ctx);
	TUZA_DEFER(wait_leave, &w);
	return wait_result(&w, semaphore_wait_cancellable(&w.cancellable));
}

EXPORT int tuza_join_ctx(tuza_context *ctx, tuza_goroutine *h)
{
	struct wait w;
	int result = 0, error = tuza_context_err(ctx);

	if (error)
		return error;
	handle_cancellable_init(&w.cancellable, h);
	wait_begin(&w, ctx);
	TUZA_DEFER(wait_leave, &w);
	error = wait_result(&w, handle_join_cancellable(&w.cancellable, &result));
	return error ? error : result;
}
