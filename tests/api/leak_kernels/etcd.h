// SPDX-License-Identifier: MIT
// After bugs of etcd.
#include "kernel.h"

// A failing acquire returns with the read lock held; Close wants to write.
struct e5509 {
	tuza_rwmutex mu;
	bool is_closed;
};

static bool e5509_acquire(struct e5509 *s, bool is_fixed)
{
	tuza_rwmutex_rlock(&s->mu);
	if (s->is_closed) {
		if (is_fixed)
			tuza_rwmutex_runlock(&s->mu);
		return false;
	}
	tuza_rwmutex_runlock(&s->mu);
	return true;
}

KERNEL(etcd5509, 1)
{
	struct e5509 *s = NEW(struct e5509);

	s->is_closed = true;
	(void)e5509_acquire(s, is_fixed);
	tuza_rwmutex_lock(&s->mu);
	tuza_rwmutex_unlock(&s->mu);
}

// Under the write lock a helper is called that takes the read lock.
struct e6708 {
	tuza_rwmutex mu;
	int pinned;
};

static int e6708_pinned(struct e6708 *s)
{
	tuza_rwmutex_rlock(&s->mu);
	int pinned = s->pinned;
	tuza_rwmutex_runlock(&s->mu);
	return pinned;
}

KERNEL(etcd6708, 1)
{
	struct e6708 *s = NEW(struct e6708);

	if (is_fixed)
		(void)e6708_pinned(s);
	tuza_rwmutex_lock(&s->mu);
	if (!is_fixed)
		(void)e6708_pinned(s);
	tuza_rwmutex_unlock(&s->mu);
}

// The node has stopped when its status is asked.
struct e6857 {
	tuza_chan *status, *stop, *done;
};

static void e6857_runs(struct e6857 *n)
{
	while (TUZA_SELECT(TUZA_RECV(n->status, (int *)NULL), TUZA_RECV(n->stop, (int *)NULL)) == 0)
		;
	tuza_chan_close(n->done);
}

static void e6857_asks(struct e6857 *n, bool is_fixed)
{
	take(n->done);
	if (is_fixed)
		(void)TUZA_SELECT(TUZA_SEND(n->status, &(int){1}), TUZA_RECV(n->done, (int *)NULL));
	else
		put(n->status);
}

KERNEL(etcd6857, 1)
{
	struct e6857 *n = NEW(struct e6857);

	*n = (struct e6857){chan(0), chan(0), chan(0)};
	TUZA_GO(e6857_runs, n);
	TUZA_GO(e6857_asks, n, is_fixed);
	put(n->stop);
	take(n->done);
}

// Stop waits, with the lock, for a loop that wants the lock.
struct e6873 {
	tuza_mutex mu;
	tuza_chan *update, *done;
	struct meeting held;
};

static void e6873_loop(struct e6873 *w)
{
	meet(&w->held);
	while (take(w->update)) {
		lock(&w->mu); // coalesce
		unlock(&w->mu);
	}
	tuza_chan_close(w->done);
}

KERNEL(etcd6873, 2)
{
	struct e6873 *w = NEW(struct e6873);

	w->update = chan(1);
	w->done = chan(0);
	expect_two(&w->held);
	put(w->update);
	TUZA_GO(e6873_loop, w);
	lock(&w->mu);
	meet(&w->held);
	tuza_chan_close(w->update);
	if (is_fixed)
		unlock(&w->mu);
	take(w->done);
	if (!is_fixed)
		unlock(&w->mu);
}

// A token is added under the lock, over a channel whose reader is about to take the lock.
struct e7492 {
	tuza_mutex tokens;
	tuza_chan *add;
	struct meeting held;
};

static void e7492_keeps(struct e7492 *s)
{
	meet(&s->held); // the ticker has ticked
	lock(&s->tokens);
	unlock(&s->tokens);
	take(s->add);
}

KERNEL(etcd7492, 2)
{
	struct e7492 *s = NEW(struct e7492);

	s->add = chan(is_fixed ? 1 : 0);
	expect_two(&s->held);
	TUZA_GO(e7492_keeps, s);
	lock(&s->tokens);
	meet(&s->held);
	put(s->add);
	unlock(&s->tokens);
}

// The follower waits, under the lock, for the leader, who needs the lock to let it go.
struct e7902 {
	tuza_mutex mu;
	tuza_chan *next;
	tuza_waitgroup rounds;
	struct meeting held;
};

static void e7902_follows(struct e7902 *s, bool is_fixed)
{
	lock(&s->mu);
	meet(&s->held);
	if (is_fixed)
		unlock(&s->mu);
	take(s->next);
	if (!is_fixed)
		unlock(&s->mu);
	tuza_waitgroup_done(&s->rounds);
}

static void e7902_leads(struct e7902 *s)
{
	meet(&s->held);
	lock(&s->mu);
	tuza_chan_close(s->next);
	unlock(&s->mu);
	tuza_waitgroup_done(&s->rounds);
}

KERNEL(etcd7902, 3)
{
	struct e7902 *s = NEW(struct e7902);

	s->next = chan(0);
	expect_two(&s->held);
	tuza_waitgroup_add(&s->rounds, 2);
	TUZA_GO(e7902_follows, s, is_fixed);
	TUZA_GO(e7902_leads, s);
	tuza_waitgroup_wait(&s->rounds);
}

// The checkpoint takes the lock that its caller holds.
struct e10492 {
	tuza_rwmutex mu;
	void (*checkpoint)(struct e10492 *le);
};

static void e10492_checkpoint(struct e10492 *le)
{
	tuza_rwmutex_lock(&le->mu);
	tuza_rwmutex_unlock(&le->mu);
}

KERNEL(etcd10492, 1)
{
	struct e10492 *le = NEW(struct e10492);

	le->checkpoint = e10492_checkpoint;
	if (is_fixed)
		le->checkpoint(le);
	tuza_rwmutex_lock(&le->mu);
	if (!is_fixed)
		le->checkpoint(le);
	tuza_rwmutex_unlock(&le->mu);
}
