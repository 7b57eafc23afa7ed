// SPDX-License-Identifier: MIT
/*
 * How contexts end.
 *
 * A canceller ends under its lock: the error, the done channel, and each watcher taken out.
 * Children are collected, and ended one after the other when the lock has been dropped, so the
 * depth of the tree costs no stack. Goroutines to wake and calls to start are collected as well.
 * References are given up last: the last one runs the program's code, which may wait for whoever
 * was to be woken.
 *
 * Two may end parts of one tree at the same time. The one that comes to a canceller which the other
 * has ended waits until all below have ended, too (`ending`), so that the end is complete for
 * everybody who has called for it.
 *
 * The done channel is closed before the error can be read, or else a goroutine could see the error
 * and then find the channel open; and the error is there when the close is seen. Hence the state in
 * between, CONTEXT_ENDING, in which canceller_error waits for the lock.
 *
 * The timer of a deadline runs from before the context is linked into its parent, and its firing
 * starts a goroutine that ends the tree: firing happens under a timer heap's lock, which comes
 * after a canceller's.
 *
 * Go: src/context/context.go, cancelCtx, timerCtx
 */
#include "context/context.h"

#include "base/race_hooks.h"
#include "chan/chan.h"
#include "sched/park.h"
#include "sched/schedule.h"
#include <tuza/panic.h>

// How long the end at a deadline waits before it tries again when its goroutine lacks memory. A
// guess.
#define RETRY_NS TUZA_MILLISECOND

static struct deadline_context *deadline_of(struct canceller *c)
{
	return CONTAINER_OF(c, struct deadline_context, canceller);
}

static void init(struct canceller *c)
{
	c->context.canceller = c;
	c->as_child = (struct watcher){.fire = NULL};
	c->lock = c->ending = (struct lock){0};
	c->error = c->cause = 0;
	c->done = NULL;
	c->next = NULL;
	list_init(&c->watchers);
}

void canceller_destroy(struct canceller *c) { tuza_chan_release(c->done); }

// ---- ending -------------------------------------------------------------------------------

static void collect_ready(struct ended *ended, struct goroutine *list)
{
	*ended->ready_tail = list;
	while (*ended->ready_tail)
		ended->ready_tail = &(*ended->ready_tail)->next;
}

// Ends one, without its children, and holds its `ending`. False: it had ended.
static bool end_one(struct canceller *c, int error, int cause, struct ended *ended)
{
	struct link *l;

	lock_acquire(&c->lock);
	if (c->error) {
		lock_release(&c->lock);
		return false;
	}
	lock_acquire(&c->ending); // free: who waits for it has seen an end
	c->cause = cause;
	store_relaxed(&c->error, CONTEXT_ENDING); // readers wait for the lock then
	race_release(c);
	if (c->done)
		collect_ready(ended, chan_close(c->done));
	// (context-error) pairs with canceller_error: the cause, and the closed channel.
	store_release(&c->error, error);
	while ((l = list_pop_front(&c->watchers))) {
		struct watcher *w = CONTAINER_OF(l, struct watcher, link);
		if (w->fire) {
			collect_ready(ended, w->fire(w, ended));
			continue;
		}
		// Still linked, hence not freed: free leaves this list first.
		struct canceller *child = CONTAINER_OF(w, struct canceller, as_child);
		tuza_context_retain(&child->context);
		child->next = ended->children;
		ended->children = child;
	}
	lock_release(&c->lock);
	return true;
}

static void stop_deadline(struct canceller *c)
{
	if (c->context.kind == CONTEXT_DEADLINE)
		(void)timer_stop(&deadline_of(c)->timer);
}

static void leave_parent(struct canceller *c)
{
	struct canceller *parent = c->context.parent->canceller;

	if (!parent)
		return;
	lock_acquire(&parent->lock);
	if (link_is_linked(&c->as_child.link))
		list_remove(&c->as_child.link);
	lock_release(&parent->lock);
}

// Waits until all below one that has ended have ended. Whoever does that neither parks nor runs the
// program's code before.
static void await_end(struct canceller *c)
{
	lock_acquire(&c->ending);
	lock_release(&c->ending);
}

static void end_children(int error, int cause, struct ended *ended)
{
	struct canceller *c;

	while ((c = ended->children)) {
		ended->children = c->next;
		bool ours = end_one(c, error, cause, ended);
		struct canceller **list = ours ? &ended->over : &ended->elsewhere;
		if (ours)
			stop_deadline(c);
		c->next = *list;
		*list = c;
	}
	for (c = ended->elsewhere; c; c = c->next)
		await_end(c);
	for (c = ended->over; c; c = c->next)
		lock_release(&c->ending);
}

static void release_all(struct canceller *list)
{
	for (struct canceller *next; list; list = next) {
		next = list->next;
		tuza_context_release(&list->context);
	}
}

void canceller_end(struct canceller *c, int error, int cause)
{
	struct ended ended = {.ready_tail = &ended.ready};

	if (canceller_error(c) != 0 || !end_one(c, error, cause, &ended)) {
		await_end(c);
		return;
	}
	stop_deadline(c);
	end_children(error, cause, &ended);
	leave_parent(c); // not before: who ends the parent meanwhile finds it, and waits
	lock_release(&c->ending);
	if (ended.ready)
		ready_list(ended.ready);
	if (ended.calls)
		after_start(ended.calls);
	release_all(ended.over);
	release_all(ended.elsewhere);
}

int canceller_error(struct canceller *c)
{
	// (context-error) pairs with end_one: the cause, and the closed channel.
	int error = load_acquire(&c->error);

	if (unlikely(error == CONTEXT_ENDING)) {
		lock_acquire(&c->lock);
		error = c->error;
		lock_release(&c->lock);
	}
	if (error)
		race_acquire(c);
	return error;
}

// ---- watching -----------------------------------------------------------------------------

void canceller_watch(struct canceller *c, struct watcher *w)
{
	struct ended ended = {.ready_tail = &ended.ready};

	lock_acquire(&c->lock);
	if (c->error == 0) {
		list_push_back(&c->watchers, &w->link);
		lock_release(&c->lock);
		return;
	}
	lock_release(&c->lock);
	w->link = (struct link){0};
	race_acquire(c);
	collect_ready(&ended, w->fire(w, &ended));
	if (ended.ready)
		ready_list(ended.ready);
	if (ended.calls)
		after_start(ended.calls);
}

bool canceller_unwatch(struct canceller *c, struct watcher *w)
{
	lock_acquire(&c->lock);
	bool linked = link_is_linked(&w->link);
	if (linked)
		list_remove(&w->link);
	lock_release(&c->lock);
	return linked;
}

// Links a new one below its parent; ends it if the parent has ended.
static void join_parent(struct canceller *c)
{
	struct canceller *parent = c->context.parent->canceller;

	if (!parent)
		return;
	lock_acquire(&parent->lock);
	int error = parent->error, cause = parent->cause;
	// One whose deadline came first is not linked, or nobody would unlink it: leave_parent()
	// takes this lock after the error was set.
	if (error == 0 && load_relaxed(&c->error) == 0)
		list_push_back(&parent->watchers, &c->as_child.link);
	lock_release(&parent->lock);
	if (error) {
		race_acquire(parent);
		canceller_end(c, error, cause);
	}
}

// ---- making -------------------------------------------------------------------------------

tuza_context *context_with_cancel(tuza_context *parent, uintptr_t created_at)
{
	struct canceller *c = context_new(sizeof *c, CONTEXT_CANCEL, parent, created_at);

	init(c);
	registry_add(&c->context);
	join_parent(c);
	return &c->context;
}

EXPORT tuza_context *tuza_context_with_cancel(tuza_context *parent)
{
	return context_with_cancel(parent, (uintptr_t)__builtin_return_address(0));
}

static void expire(void *context)
{
	struct deadline_context *d = context;

	store_relaxed(&d->expiring, 0); // looked at when nobody runs
	canceller_end(&d->canceller, -ETIMEDOUT, d->timeout_cause);
	tuza_context_release(&d->canceller.context);
}

bool canceller_stop_expiring(struct canceller *c)
{
	return c->context.kind == CONTEXT_DEADLINE &&
	       exchange_relaxed(&deadline_of(c)->expiring, 0) != 0; // nobody else is there
}

void canceller_expire_later(struct canceller *c)
{
	struct deadline_context *d = deadline_of(c);

	lock_acquire(&c->lock);
	if (load_relaxed(&c->error) == 0) // else nobody would stop the timer
		timer_keep(&d->timer, c->context.deadline);
	lock_release(&c->lock);
}

static struct goroutine *deadline_fire(struct timer *t, int64_t now)
{
	struct deadline_context *d = CONTAINER_OF(t, struct deadline_context, timer);
	struct goroutine *g;

	race_acquire(t);
	g = goroutine_new_at_hand(expire, d);
	if (unlikely(!g)) {
		t->when = clock_after(now, goroutine_none_can_be_had() ? RETRY_NS : 1);
		return NULL;
	}
	tuza_context_retain(&d->canceller.context); // not gone: its end stops the timer first
	store_relaxed(&d->expiring, 1);             // as in expire
	g->creation_pc = d->canceller.context.created_at;
	return g;
}

static tuza_context *with_deadline(
	tuza_context *parent, int64_t deadline, int cause, uintptr_t created_at)
{
	bool earlier = parent && deadline < parent->deadline;
	struct deadline_context *d = context_new(earlier ? sizeof *d : sizeof d->canceller,
		earlier ? CONTEXT_DEADLINE : CONTEXT_CANCEL, parent, created_at);

	init(&d->canceller);
	if (earlier) {
		int64_t now = clock_now();
		d->canceller.context.deadline = deadline;
		d->timeout_cause = cause ? cause : -ETIMEDOUT;
		d->expiring = 0;
		d->timer = (struct timer){.fire = deadline_fire, .outlives = true};
		race_release(&d->timer);
		registry_add(&d->canceller.context);
		if (deadline <= now) {
			// A parent that has ended was first.
			join_parent(&d->canceller);
			canceller_end(&d->canceller, -ETIMEDOUT, d->timeout_cause);
			return &d->canceller.context;
		}
		if (unlikely(timer_start(&d->timer, deadline) != 0)) {
			tuza_context_free(&d->canceller.context);
			tuza_panic("tuza: out of memory");
		}
	} else {
		registry_add(&d->canceller.context);
	}
	join_parent(&d->canceller);
	return &d->canceller.context;
}

EXPORT tuza_context *tuza_context_with_deadline(tuza_context *parent, int64_t deadline)
{
	return with_deadline(parent, deadline, 0, (uintptr_t)__builtin_return_address(0));
}

EXPORT tuza_context *tuza_context_with_timeout(tuza_context *parent, tuza_duration timeout)
{
	return with_deadline(parent, clock_after(clock_now(), timeout), 0,
		(uintptr_t)__builtin_return_address(0));
}

EXPORT tuza_context *tuza_context_with_deadline_cause(
	tuza_context *parent, int64_t deadline, int cause)
{
	return with_deadline(parent, deadline, cause, (uintptr_t)__builtin_return_address(0));
}

EXPORT tuza_context *tuza_context_with_timeout_cause(
	tuza_context *parent, tuza_duration timeout, int cause)
{
	return with_deadline(parent, clock_after(clock_now(), timeout), cause,
		(uintptr_t)__builtin_return_address(0));
}

// ---- the program's calls ------------------------------------------------------------------

EXPORT void tuza_context_cancel_cause(tuza_context *ctx, int code)
{
	context_check(ctx);
	if (unlikely(!context_is_canceller(ctx)))
		tuza_panic("tuza: cancel of a context that only ends with its parent");
	canceller_end(canceller_of(ctx), -ECANCELED, code ? code : -ECANCELED);
}

EXPORT void tuza_context_cancel(tuza_context *ctx) { tuza_context_cancel_cause(ctx, 0); }

EXPORT int tuza_context_err(tuza_context *ctx)
{
	context_check(ctx);
	return ctx->canceller ? canceller_error(ctx->canceller) : 0;
}

EXPORT int tuza_context_cause(tuza_context *ctx)
{
	context_check(ctx);
	return ctx->canceller && canceller_error(ctx->canceller) ? ctx->canceller->cause : 0;
}

EXPORT tuza_chan *tuza_context_done(tuza_context *ctx)
{
	context_check(ctx);
	struct canceller *c = ctx->canceller;
	if (!c)
		return NULL;
	// (context-done) pairs with the store below: the channel is made before it is seen.
	tuza_chan *done = load_acquire(&c->done);
	if (likely(done))
		return done;
	tuza_chan *made = chan_new_done();
	lock_acquire(&c->lock);
	done = c->done;
	if (!done) {
		done = made;
		if (c->error) { // under the lock: ended, not ending; nobody waits on it yet
			race_acquire(c); // what came before the end comes before the close
			(void)chan_close(made);
		}
		// (context-done) pairs with the load above.
		store_release(&c->done, made);
	}
	lock_release(&c->lock);
	if (done != made)
		tuza_chan_release(made);
	return done;
}
