// SPDX-License-Identifier: MIT
// After bugs of Kubernetes.
#include "kernel.h"

// An event goes to a watcher under the lock; to stop the watcher takes the lock.
struct k1321 {
	tuza_mutex mu;
	tuza_chan *result, *stopped;
	struct meeting held;
};

static void k1321_distributes(struct k1321 *m, bool is_fixed)
{
	lock(&m->mu);
	meet(&m->held);
	if (is_fixed)
		(void)TUZA_SELECT(
			TUZA_SEND(m->result, &(int){1}), TUZA_RECV(m->stopped, (int *)NULL));
	else
		put(m->result);
	unlock(&m->mu);
}

KERNEL(kubernetes1321, 2)
{
	struct k1321 *m = NEW(struct k1321);

	m->result = chan(0);
	m->stopped = chan(0);
	expect_two(&m->held);
	TUZA_GO(k1321_distributes, m, is_fixed);
	meet(&m->held);
	if (is_fixed)
		tuza_chan_close(m->stopped);
	lock(&m->mu); // Stop
	tuza_chan_close(m->result);
	unlock(&m->mu);
}

// The request's time is up; its result has no reader.
static void k5316_does(tuza_chan *result, tuza_chan *time_is_up)
{
	take(time_is_up);
	put(result);
}

KERNEL(kubernetes5316, 1)
{
	tuza_chan *result = chan(is_fixed ? 1 : 0), *time_is_up = chan(0);

	TUZA_GO(k5316_does, result, time_is_up);
	if (TUZA_SELECT(TUZA_RECV(result, (int *)NULL), TUZA_AFTER(TUZA_MILLISECOND)) == 1)
		tuza_chan_close(time_is_up);
}

// WriteFrame has the lock and no room for its message; the monitor needs the lock to make room.
struct k6632 {
	tuza_mutex write_lock;
	tuza_chan *reset, *closed;
	struct meeting held;
};

static void k6632_monitors(struct k6632 *s, bool is_fixed)
{
	take(s->closed);
	meet(&s->held);
	if (is_fixed)
		while (take(s->reset))
			;
	lock(&s->write_lock);
	unlock(&s->write_lock);
}

static void k6632_writes(struct k6632 *s, bool is_fixed)
{
	lock(&s->write_lock);
	meet(&s->held);
	put(s->reset);
	if (is_fixed)
		tuza_chan_close(s->reset);
	unlock(&s->write_lock);
}

KERNEL(kubernetes6632, 2)
{
	struct k6632 *s = NEW(struct k6632);

	s->reset = chan(0);
	s->closed = chan(0);
	expect_two(&s->held);
	TUZA_GO(k6632_monitors, s, is_fixed);
	TUZA_GO(k6632_writes, s, is_fixed);
	put(s->closed);
}

// Status updates are sent under the lock to one who wants the lock after the first.
struct k10182 {
	tuza_mutex pods;
	tuza_chan *status;
	struct meeting held;
};

static void k10182_syncs(struct k10182 *m)
{
	take(m->status);
	meet(&m->held);
	lock(&m->pods); // DeletePodStatus
	unlock(&m->pods);
	take(m->status);
}

static void k10182_sets(struct k10182 *m)
{
	lock(&m->pods);
	put(m->status);
	unlock(&m->pods);
}

KERNEL(kubernetes10182, 2)
{
	struct k10182 *m = NEW(struct k10182);

	m->status = chan(is_fixed ? 1 : 0);
	expect_two(&m->held);
	TUZA_GO(k10182_syncs, m);
	k10182_sets(m);
	lock(&m->pods);
	meet(&m->held);
	put(m->status);
	unlock(&m->pods);
}

// A signal is given before the one it is for waits; nobody gives another.
struct k11298 {
	tuza_mutex mu;
	tuza_cond cond;
	bool is_stopped;
};

static void k11298_notifies(struct k11298 *n)
{
	lock(&n->mu);
	n->is_stopped = true;
	tuza_cond_signal(&n->cond);
	unlock(&n->mu);
}

KERNEL(kubernetes11298, 1)
{
	struct k11298 *n = NEW(struct k11298);

	k11298_notifies(n);
	lock(&n->mu);
	if (!is_fixed || !n->is_stopped)
		tuza_cond_wait(&n->cond, &n->mu);
	unlock(&n->mu);
}

// Cacher, then watch cache, against watch cache, then cacher.
struct k13135 {
	tuza_rwmutex cacher;
	tuza_mutex watch_cache;
	struct meeting held;
};

static void k13135_adds(struct k13135 *c)
{
	lock(&c->watch_cache);
	meet(&c->held);
	tuza_rwmutex_lock(&c->cacher);
	tuza_rwmutex_unlock(&c->cacher);
	unlock(&c->watch_cache);
}

KERNEL(kubernetes13135, 2)
{
	struct k13135 *c = NEW(struct k13135);

	expect_two(&c->held);
	TUZA_GO(k13135_adds, c);
	tuza_rwmutex_lock(&c->cacher);
	meet(&c->held);
	if (is_fixed)
		tuza_rwmutex_unlock(&c->cacher);
	lock(&c->watch_cache);
	unlock(&c->watch_cache);
	if (!is_fixed)
		tuza_rwmutex_unlock(&c->cacher);
}

// An error is sent to one who has cancelled and gone.
struct k25331 {
	tuza_context *ctx;
	tuza_chan *errors, *results;
};

static void k25331_runs(struct k25331 *wc, bool is_fixed)
{
	take(wc->errors);
	tuza_context_cancel(wc->ctx);
	if (is_fixed)
		(void)TUZA_SELECT(TUZA_SEND(wc->results, &(int){1}), TUZA_DONE(wc->ctx));
	else
		put(wc->results);
}

KERNEL(kubernetes25331, 1)
{
	struct k25331 *wc = NEW(struct k25331);

	wc->ctx = tuza_context_with_cancel(tuza_context_background());
	wc->errors = chan(0);
	wc->results = chan(0);
	TUZA_GO(k25331_runs, wc, is_fixed);
	put(wc->errors);
	tuza_context_cancel(wc->ctx); // Stop
}

// A listener hands notifications on under its lock, after its reader has gone.
struct k26980 {
	tuza_mutex mu;
	tuza_chan *next, *stop;
	struct meeting held;
};

static void k26980_pops(struct k26980 *p, bool is_fixed)
{
	lock(&p->mu);
	meet(&p->held);
	if (is_fixed)
		(void)TUZA_SELECT(TUZA_SEND(p->next, &(int){1}), TUZA_RECV(p->stop, (int *)NULL));
	else
		put(p->next);
	unlock(&p->mu);
}

KERNEL(kubernetes26980, 2)
{
	struct k26980 *p = NEW(struct k26980);

	p->next = chan(0);
	p->stop = chan(0);
	expect_two(&p->held);
	TUZA_GO(k26980_pops, p, is_fixed);
	meet(&p->held);
	tuza_chan_close(p->stop);
	lock(&p->mu); // add
	unlock(&p->mu);
}

// Three locks round a federation: informer's, cluster's, deliverer's.
struct k30872 {
	tuza_mutex informer, cluster, deliverer;
	struct meeting held;
};

static void k30872_adds_cluster(struct k30872 *s)
{
	lock(&s->cluster);
	meet(&s->held);
	lock(&s->informer);
	lock(&s->deliverer);
	unlock(&s->deliverer);
	unlock(&s->informer);
	unlock(&s->cluster);
}

KERNEL(kubernetes30872, 2)
{
	struct k30872 *s = NEW(struct k30872);

	expect_two(&s->held);
	TUZA_GO(k30872_adds_cluster, s);
	lock(&s->informer);
	meet(&s->held);
	if (is_fixed)
		unlock(&s->informer);
	lock(&s->cluster);
	unlock(&s->cluster);
	if (!is_fixed)
		unlock(&s->informer);
}

// The event source of a test has no sender.
struct k38669 {
	tuza_chan *events, *done;
};

static void k38669_watches(struct k38669 *s)
{
	(void)TUZA_SELECT(TUZA_RECV(s->events, (int *)NULL), TUZA_RECV(s->done, (int *)NULL));
}

KERNEL(kubernetes38669, 1)
{
	struct k38669 *s = NEW(struct k38669);

	s->events = chan(0);
	s->done = chan(0);
	TUZA_GO(k38669_watches, s);
	if (is_fixed)
		tuza_chan_close(s->done);
}

// A worker waits for its queue under a read lock; a writer waits for the worker; the next reader,
// who could fill the queue, waits for the writer.
struct k58107 {
	tuza_rwmutex workers;
	tuza_mutex queue;
	tuza_cond has_work;
	bool has_any;
	tuza_waitgroup waits;
};

static void k58107_works(struct k58107 *q, bool is_fixed)
{
	tuza_rwmutex_rlock(&q->workers);
	lock(&q->queue);
	tuza_waitgroup_done(&q->waits);
	if (is_fixed)
		tuza_rwmutex_runlock(&q->workers);
	while (!q->has_any)
		tuza_cond_wait(&q->has_work, &q->queue);
	unlock(&q->queue);
	if (!is_fixed)
		tuza_rwmutex_runlock(&q->workers);
}

static void k58107_syncs(struct k58107 *q)
{
	tuza_rwmutex_lock(&q->workers);
	tuza_rwmutex_unlock(&q->workers);
}

KERNEL(kubernetes58107, 3)
{
	struct k58107 *q = NEW(struct k58107);

	tuza_waitgroup_add(&q->waits, 1);
	TUZA_GO(k58107_works, q, is_fixed);
	tuza_waitgroup_wait(&q->waits);
	TUZA_GO(k58107_syncs, q);
	if (!is_fixed)
		until_writer_waits(&q->workers);
	tuza_rwmutex_rlock(&q->workers);
	lock(&q->queue);
	q->has_any = true;
	tuza_cond_signal(&q->has_work);
	unlock(&q->queue);
	tuza_rwmutex_runlock(&q->workers);
}

// The CPU manager reads its state, and while it has the read lock reads again.
static void k62464_removes(tuza_rwmutex *state)
{
	tuza_rwmutex_lock(state);
	tuza_rwmutex_unlock(state);
}

static void k62464_gets(tuza_rwmutex *state)
{
	tuza_rwmutex_rlock(state);
	tuza_rwmutex_runlock(state);
}

KERNEL(kubernetes62464, 2)
{
	tuza_rwmutex *state = NEW(tuza_rwmutex);

	if (is_fixed)
		k62464_gets(state);
	tuza_rwmutex_rlock(state);
	TUZA_GO(k62464_removes, state);
	until_writer_waits(state);
	if (!is_fixed)
		k62464_gets(state);
	tuza_rwmutex_runlock(state);
}

// A poller ends when its done channel is closed, which nobody does.
static void k70277_polls(tuza_chan *ticks, tuza_chan *done)
{
	for (;;)
		if (TUZA_SELECT(TUZA_SEND(ticks, &(int){1}), TUZA_RECV(done, (int *)NULL)) == 1)
			return;
}

KERNEL(kubernetes70277, 1)
{
	tuza_chan *ticks = chan(0), *done = chan(0);

	TUZA_GO(k70277_polls, ticks, done);
	take(ticks);
	if (is_fixed)
		tuza_chan_close(done);
}
