// SPDX-License-Identifier: MIT
// One blocked goroutine for each thing that can be waited for.
#include "kernel.h"

static void simple_recv(tuza_chan *c) { take(c); }
static void simple_send(tuza_chan *c) { put(c); }

KERNEL(simple_nil_recv, 1)
{
	if (!is_fixed)
		take(NULL);
}

KERNEL(simple_nil_send, 1)
{
	if (!is_fixed)
		tuza_chan_send(NULL, NULL);
}

KERNEL(simple_select_no_cases, 1)
{
	if (!is_fixed)
		tuza_select(NULL, 0);
}

KERNEL(simple_chan_recv, 1)
{
	tuza_chan *c = chan(0);

	TUZA_GO(simple_recv, c);
	if (is_fixed)
		put(c);
}

KERNEL(simple_chan_send, 1)
{
	tuza_chan *c = chan(0);

	TUZA_GO(simple_send, c);
	if (is_fixed)
		take(c);
}

static void simple_selects(tuza_chan *a, tuza_chan *b)
{
	(void)TUZA_SELECT(TUZA_RECV(a, (int *)NULL), TUZA_SEND(b, &(int){1}));
}

KERNEL(simple_select, 1)
{
	tuza_chan *a = chan(0), *b = chan(0);

	TUZA_GO(simple_selects, a, b);
	if (is_fixed)
		take(b);
}

KERNEL(simple_waitgroup, 1)
{
	tuza_waitgroup *wg = NEW(tuza_waitgroup);

	tuza_waitgroup_add(wg, 1);
	if (is_fixed)
		tuza_waitgroup_done(wg);
	tuza_waitgroup_wait(wg);
}

KERNEL(simple_mutex_on_stack, 1)
{
	tuza_mutex mu = {0};

	lock(&mu);
	if (is_fixed)
		unlock(&mu);
	lock(&mu);
}

KERNEL(simple_mutex_on_heap, 1)
{
	tuza_mutex *mu = NEW(tuza_mutex);

	lock(mu);
	if (is_fixed)
		unlock(mu);
	lock(mu);
}

static void simple_rlocks(tuza_rwmutex *rw) { tuza_rwmutex_rlock(rw); }
static void simple_wlocks(tuza_rwmutex *rw) { tuza_rwmutex_lock(rw); }

KERNEL(simple_rwmutex_rlock, 1)
{
	tuza_rwmutex *rw = NEW(tuza_rwmutex);

	tuza_rwmutex_lock(rw);
	TUZA_GO(simple_rlocks, rw);
	if (is_fixed)
		tuza_rwmutex_unlock(rw);
}

KERNEL(simple_rwmutex_lock, 1)
{
	tuza_rwmutex *rw = NEW(tuza_rwmutex);

	tuza_rwmutex_rlock(rw);
	TUZA_GO(simple_wlocks, rw);
	if (is_fixed)
		tuza_rwmutex_runlock(rw);
}

struct simple_cond {
	tuza_mutex mu;
	tuza_cond cond;
	bool is_done;
};

static void simple_waits(struct simple_cond *s)
{
	lock(&s->mu);
	while (!s->is_done)
		tuza_cond_wait(&s->cond, &s->mu);
	unlock(&s->mu);
}

KERNEL(simple_cond, 1)
{
	struct simple_cond *s = NEW(struct simple_cond);

	TUZA_GO(simple_waits, s);
	if (is_fixed) {
		lock(&s->mu);
		s->is_done = true;
		tuza_cond_signal(&s->cond);
		unlock(&s->mu);
	}
}

// A lock, a group and a channel, each the key to the next.
struct simple_mixed {
	tuza_mutex mu;
	tuza_waitgroup wg;
	tuza_chan *c;
};

static void simple_done_under_lock(struct simple_mixed *s)
{
	lock(&s->mu);
	tuza_waitgroup_done(&s->wg);
	unlock(&s->mu);
}

static void simple_put_after_wait(struct simple_mixed *s)
{
	tuza_waitgroup_wait(&s->wg);
	put(s->c);
}

KERNEL(simple_mixed, 3)
{
	struct simple_mixed *s = NEW(struct simple_mixed);

	s->c = chan(0);
	tuza_waitgroup_add(&s->wg, 1);
	lock(&s->mu);
	TUZA_GO(simple_done_under_lock, s);
	TUZA_GO(simple_put_after_wait, s);
	if (is_fixed)
		unlock(&s->mu);
	take(s->c);
}

static void simple_nothing(void *unused) { (void)unused; }
static void simple_waits_in(tuza_chan *c) { take(c); }

static void simple_blocks(void *c) { simple_waits_in(c); }

// Two: the one that joins, and the one that it joins.
KERNEL(simple_join, 2)
{
	tuza_goroutine *g = tuza_spawn(is_fixed ? simple_nothing : simple_blocks, chan(0));

	tuza_join(g);
}

KERNEL(simple_semaphore, 1)
{
	tuza_semaphore *s = NEW(tuza_semaphore);

	tuza_semaphore_init(s, 2);
	for (int i = 0; i < 2; i++) {
		if (tuza_semaphore_acquire(s, tuza_context_background(), 2) != 0)
			abort();
		if (is_fixed)
			tuza_semaphore_release(s, 2);
	}
}

static void simple_inner(void *once);
static void simple_does(void *once) { tuza_once_do(once, simple_inner, once); }
static void simple_inner(void *once) { tuza_once_do(once, simple_nothing, NULL); }

// What is done once needs itself to be done.
KERNEL(simple_once, 1)
{
	tuza_once *once = NEW(tuza_once);

	if (is_fixed)
		tuza_once_do(once, simple_nothing, NULL);
	else
		simple_does(once);
}
