// SPDX-License-Identifier: MIT
/*
 * Handles: tuza_spawn, tuza_join, tuza_detach.
 *
 * The goroutine runs its function in a tuza_try, whatever becomes of the handle. Whether that try
 * contains a panic is decided by a deferred call inside it, the last one that the panic makes
 * before it would land: by then every frame is still there, so the panic of a detached goroutine
 * goes on as if it had met no try, and its report is that of any other. Raising it anew after the
 * landing would lose the stack.
 *
 * A second deferred call, outside the try, reports the end: it is made after tuza_goexit, too.
 *
 * The handle is freed by whoever comes last: joiner or detacher, or the goroutine of a detached
 * one. Its words are guarded by the wait queue bucket of its address.
 */
#include "base/fatal.h"
#include "base/race_hooks.h"
#include "sched/cancellable.h"
#include "sched/current.h"
#include "sched/goroutine_extra.h"
#include "sched/goroutine_list.h"
#include "sched/schedule.h"
#include "sched/start.h"

#include <errno.h>
#include <stdlib.h>
#include <tuza/error.h>

struct tuza_goroutine {
	// constant
	void (*fn)(void *);
	void *arg;
	// written by the goroutine under the lock; read without it once `ended` was seen
	uint32_t ended;
	uint32_t panicked;
	// guarded by the lock
	uint32_t detached;
	struct queued *joiner;
};

// ---- the goroutine's side ------------------------------------------------------------------

// Has a panic that is under way end at the try, or not.
static void handle_meet_panic(void *handle)
{
	struct tuza_goroutine *h = handle;
	struct goroutine *g = goroutine_current();
	struct waitqueue *q;

	if (likely(!(g->flags & GOROUTINE_PANICKING)))
		return;
	q = waitqueue_lock(h);
	if (h->detached)
		g->tries = NULL; // it was the outermost: nothing contains the panic any more
	else if (!(g->flags & GOROUTINE_EXITING)) // else it ends as the tuza_goexit that it met
		h->panicked = 1;                  // a detach from now on comes too late for it
	waitqueue_unlock(q);
}

static void handle_call(void *handle)
{
	struct tuza_goroutine *h = handle;

	TUZA_DEFER(handle_meet_panic, h);
	h->fn(h->arg);
}

static void tell_end(struct tuza_goroutine *h)
{
	struct goroutine *waiting;
	struct waitqueue *q;
	struct queued *joiner;
	bool detached;

	race_release(h);
	q = waitqueue_lock(h);
	detached = h->detached;
	joiner = waitqueue_pop_at(&h->joiner);
	// (handle-end) pairs with tuza_join, which may free *h as soon as it sees this: below, h is
	// only an address.
	store_release(&h->ended, 1);
	waiting = joiner ? joiner->g : NULL;
	waitqueue_unlock(q);
	if (waiting)
		ready(waiting);
	if (detached)
		free(h);
}

static void handle_tell(void *handle)
{
	goroutine_current()->handle = NULL;
	tell_end(handle);
}

void goroutine_handle_dropped(struct goroutine *g)
{
	struct tuza_goroutine *h = g->handle;

	g->handle = NULL;
	if (h)
		tell_end(h);
}

// What the destructors of local values do comes before the join. One that calls tuza_goexit takes
// the others' turn, and then the join's, away from here: deferred, they have it all the same.
static NOINLINE void handle_end_locals(struct tuza_goroutine *h, struct goroutine *g)
{
	TUZA_DEFER(handle_tell, h);
	TUZA_DEFER(goroutine_extra_end, g);
	goroutine_extra_end(g);
}

static void handle_end(void *handle)
{
	struct goroutine *g = goroutine_current();

	if (unlikely(g->extra != NULL))
		handle_end_locals(handle, g);
	else
		handle_tell(handle);
}

static void handle_main(void *handle)
{
	TUZA_DEFER(handle_end, handle);
	TUZA_IGNORE(tuza_try(handle_call, handle, NULL)); // h->panicked tells
}

// ---- the owner's side ----------------------------------------------------------------------

EXPORT tuza_goroutine *tuza_spawn(void (*fn)(void *), void *arg)
{
	int saved_errno = errno;
	struct tuza_goroutine *h;
	struct goroutine *g;
	enum visit visit;

	if (unlikely(!fn))
		fatal("go of nil func value");
	visit = visit_begin();
	h = malloc(sizeof(*h));
	g = h ? goroutine_new(handle_main, h, (uintptr_t)__builtin_return_address(0)) : NULL;
	errno = saved_errno;
	if (unlikely(!g)) {
		visit_end(visit);
		free(h);
		return NULL;
	}
	*h = (struct tuza_goroutine){.fn = fn, .arg = arg};
	g->capture.gpr[1] = (uintptr_t)fn; // for dumps
	// (handle) pairs with the load in inspect.c: the function is seen.
	store_release(&g->handle, h);
	ready(g);
	visit_end(visit);
	return h;
}

static void handle_check(const struct tuza_goroutine *h)
{
	if (unlikely(!h))
		tuza_panic("tuza_join of a NULL handle");
	if (unlikely(goroutine_current()->handle == h))
		tuza_panic("tuza_join of the calling goroutine");
}

// Waits for the end as `w`. `c`: the cancellable that holds w, or NULL. False: it was cancelled.
static bool handle_wait(struct tuza_goroutine *h, struct queued *w, const struct cancellable *c)
{
	struct waitqueue *q;

	// (handle-end) pairs with handle_end: what the goroutine did is seen, and it looks at *h no
	// more.
	if (load_acquire(&h->ended) != 0)
		return true;
	park_check(WAIT_JOIN);
	q = waitqueue_lock(h);
	if (load_relaxed(&h->ended) != 0) { // written under the lock
		waitqueue_unlock(q);
		return true;
	}
	if (c && c->cancelled) {
		waitqueue_unlock(q);
		return false;
	}
	waitqueue_push_at(&h->joiner, h, w);
	park_unlocking(&q->lock, WAIT_JOIN, h);
	return !c || !c->removed;
}

static int handle_collect(struct tuza_goroutine *h)
{
	int result;

	race_acquire(h);
	result = h->panicked ? TUZA_EPANIC : 0;
	free(h);
	return result;
}

EXPORT int tuza_join(tuza_goroutine *h)
{
	struct queued w = {.granted = false};

	handle_check(h);
	(void)handle_wait(h, &w, NULL);
	return handle_collect(h);
}

static struct goroutine *handle_left(struct cancellable *c, struct waitqueue *q)
{
	(void)q;
	c->queued.g->next = NULL;
	return c->queued.g;
}

void handle_cancellable_init(struct cancellable *c, struct tuza_goroutine *h)
{
	handle_check(h);
	*c = (struct cancellable){
		.queued = {.can_give_up = true}, .object = h, .left = handle_left};
}

bool handle_join_cancellable(struct cancellable *c, int *result)
{
	if (!handle_wait(c->object, &c->queued, c))
		return false;
	*result = handle_collect(c->object);
	return true;
}

EXPORT void tuza_detach(tuza_goroutine *h)
{
	struct waitqueue *q;
	bool ended;

	if (unlikely(!h))
		tuza_panic("tuza_detach of a NULL handle");
	q = waitqueue_lock(h);
	ended = load_relaxed(&h->ended) != 0; // written under the lock
	h->detached = 1;
	waitqueue_unlock(q);
	if (ended) {
		race_acquire(h);
		free(h);
	}
}
