// SPDX-License-Identifier: MIT
// After bugs of Docker's engine.
#include "kernel.h"

// Global lock, then device's, against device's, then global.
struct m4951 {
	tuza_mutex devices, base;
	struct meeting held;
};

static void m4951_removes(struct m4951 *s)
{
	lock(&s->base);
	meet(&s->held);
	lock(&s->devices);
	unlock(&s->devices);
	unlock(&s->base);
}

KERNEL(moby4951, 2)
{
	struct m4951 *s = NEW(struct m4951);

	expect_two(&s->held);
	TUZA_GO(m4951_removes, s);
	lock(&s->devices);
	meet(&s->held);
	if (is_fixed)
		unlock(&s->devices);
	lock(&s->base);
	unlock(&s->base);
	if (!is_fixed)
		unlock(&s->devices);
}

// An error in the proxy's loop: on to the next packet, with the lock.
KERNEL(moby7559, 1)
{
	tuza_mutex *track = NEW(tuza_mutex);

	for (int packet = 0; packet < 2; packet++) {
		bool fails = packet == 0;

		lock(track);
		if (fails) {
			if (is_fixed)
				unlock(track);
			continue;
		}
		unlock(track);
	}
}

// Nothing to delete: a return without unlock.
struct m17176 {
	tuza_mutex devices;
	int deleted;
};

static void m17176_cleans_up(struct m17176 *s, bool is_fixed)
{
	lock(&s->devices);
	if (s->deleted == 0) {
		if (is_fixed)
			unlock(&s->devices);
		return;
	}
	unlock(&s->devices);
}

KERNEL(moby17176, 1)
{
	struct m17176 *s = NEW(struct m17176);

	m17176_cleans_up(s, is_fixed);
	lock(&s->devices);
	unlock(&s->devices);
}

// Progress is overwritten, not queued: who counts the messages waits for one too many.
struct m21233 {
	tuza_chan *progress, *running;
};

static void m21233_writes(struct m21233 *s, bool is_fixed)
{
	for (int i = 0; i < 3; i++)
		(void)tuza_chan_try_send(s->progress, &i);
	if (is_fixed)
		tuza_chan_close(s->progress);
}

static void m21233_counts(struct m21233 *s)
{
	for (int i = 0; i < 4; i++)
		take(s->progress);
	tuza_chan_close(s->running);
}

KERNEL(moby21233, 2)
{
	struct m21233 *s = NEW(struct m21233);

	s->progress = chan(1);
	s->running = chan(0);
	TUZA_GO(m21233_counts, s);
	TUZA_GO(m21233_writes, s, is_fixed);
	take(s->running);
}

// The wait for all stands inside the loop that starts them.
static void m25384_done(tuza_waitgroup *all) { tuza_waitgroup_done(all); }

KERNEL(moby25384, 1)
{
	tuza_waitgroup *all = NEW(tuza_waitgroup);

	tuza_waitgroup_add(all, 2);
	for (int i = 0; i < 2; i++) {
		TUZA_GO(m25384_done, all);
		if (!is_fixed)
			tuza_waitgroup_wait(all);
	}
	tuza_waitgroup_wait(all);
}

// A watcher is removed: it waits for a word of its reader, who is stuck with an event.
struct m27782 {
	tuza_mutex mu;
	tuza_cond removed;
	bool is_removed;
	tuza_chan *events;
};

static void m27782_reads(struct m27782 *w)
{
	put(w->events);
	lock(&w->mu);
	w->is_removed = true;
	tuza_cond_broadcast(&w->removed);
	unlock(&w->mu);
}

KERNEL(moby27782, 2)
{
	struct m27782 *w = NEW(struct m27782);

	w->events = chan(is_fixed ? 1 : 0);
	TUZA_GO(m27782_reads, w);
	lock(&w->mu);
	while (!w->is_removed)
		tuza_cond_wait(&w->removed, &w->mu);
	unlock(&w->mu);
}

// The health monitor is told to stop under the lock that it is waiting for.
struct m28462 {
	tuza_mutex container;
	tuza_chan *stop;
	struct meeting held;
};

static void m28462_monitors(struct m28462 *s)
{
	meet(&s->held);
	lock(&s->container); // handleProbeResult
	unlock(&s->container);
	take(s->stop);
}

KERNEL(moby28462, 2)
{
	struct m28462 *s = NEW(struct m28462);

	s->stop = chan(is_fixed ? 1 : 0);
	expect_two(&s->held);
	TUZA_GO(m28462_monitors, s);
	lock(&s->container);
	meet(&s->held);
	put(s->stop);
	unlock(&s->container);
}

// Waits for a plugin to be activated; the failure is not announced.
struct m30408 {
	tuza_mutex mu;
	tuza_cond activated;
	bool is_active;
	tuza_chan *done;
};

static void m30408_waits(struct m30408 *p)
{
	lock(&p->mu);
	while (!p->is_active)
		tuza_cond_wait(&p->activated, &p->mu);
	unlock(&p->mu);
	tuza_chan_close(p->done);
}

KERNEL(moby30408, 2)
{
	struct m30408 *p = NEW(struct m30408);

	p->done = chan(0);
	TUZA_GO(m30408_waits, p);
	if (is_fixed) {
		lock(&p->mu);
		p->is_active = true;
		tuza_cond_broadcast(&p->activated);
		unlock(&p->mu);
	}
	take(p->done);
}

// The monitor stops while a probe is out.
static void m33781_probes(tuza_chan *results, tuza_context *ctx)
{
	take(tuza_context_done(ctx));
	put(results);
	tuza_context_release(ctx);
}

KERNEL(moby33781, 1)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_chan *results = chan(is_fixed ? 1 : 0), *stop = chan(1);

	TUZA_GO(m33781_probes, results, tuza_context_retain(ctx));
	put(stop);
	if (TUZA_SELECT(TUZA_RECV(stop, (int *)NULL), TUZA_RECV(results, (int *)NULL)) == 0)
		tuza_context_free(ctx);
}

// Removes, under the lock, by a function that takes the lock.
static void m36114_hot_removes(tuza_mutex *svm)
{
	lock(svm);
	unlock(svm);
}

KERNEL(moby36114, 1)
{
	tuza_mutex *svm = NEW(tuza_mutex);

	if (is_fixed)
		m36114_hot_removes(svm);
	lock(svm);
	if (!is_fixed)
		m36114_hot_removes(svm);
	unlock(svm);
}
