// SPDX-License-Identifier: MIT
// After bugs of CockroachDB.
#include "kernel.h"

// The loop is left with the lock held.
struct c584 {
	tuza_mutex mu;
	bool is_closed;
};

KERNEL(cockroach584, 1)
{
	struct c584 *s = NEW(struct c584);

	s->is_closed = true;
	for (;;) {
		lock(&s->mu);
		if (s->is_closed) {
			if (is_fixed)
				unlock(&s->mu);
			break;
		}
		unlock(&s->mu);
	}
	lock(&s->mu);
	unlock(&s->mu);
}

// Quiesce waits for the tasks under the lock of the first stopper; the tasks wait for their stopper
// to stop, which comes after.
struct c1055 {
	tuza_mutex mu;
	tuza_waitgroup drain, stopped;
	tuza_chan *should_stop;
	struct c1055 *all;
	tuza_waitgroup *started;
};

static void c1055_task(struct c1055 *s)
{
	lock(&s->mu);
	tuza_waitgroup_add(&s->drain, 1);
	unlock(&s->mu);
	tuza_waitgroup_done(s->started);
	take(s->should_stop);
	tuza_waitgroup_done(&s->drain);
	tuza_waitgroup_done(&s->stopped);
}

static void c1055_stop(struct c1055 *all, bool is_fixed)
{
	for (int i = 0; is_fixed && i < 3; i++)
		tuza_chan_close(all[i].should_stop);
	for (int i = 0; i < 3; i++) {
		lock(&all[i].mu);
		tuza_waitgroup_wait(&all[i].drain);
		unlock(&all[i].mu);
		if (!is_fixed)
			tuza_chan_close(all[i].should_stop);
	}
}

KERNEL(cockroach1055, 5)
{
	struct c1055 *all = kernel_new(3 * sizeof(*all));
	tuza_waitgroup *started = NEW(tuza_waitgroup);

	tuza_waitgroup_add(started, 3);
	for (int i = 0; i < 3; i++) {
		all[i].should_stop = chan(0);
		all[i].started = started;
		tuza_waitgroup_add(&all[i].stopped, 1);
		TUZA_GO(c1055_task, &all[i]);
	}
	tuza_waitgroup_wait(started);
	TUZA_GO(c1055_stop, all, is_fixed);
	for (int i = 0; i < 3; i++)
		tuza_waitgroup_wait(&all[i].stopped);
}

// The worker that takes events stops first; the one that makes them is stuck, and Stop waits for
// it.
struct c1462 {
	tuza_waitgroup workers;
	tuza_chan *events, *stopper;
};

static void c1462_makes(struct c1462 *s, bool is_fixed)
{
	take(s->stopper);
	if (is_fixed)
		(void)TUZA_SELECT(
			TUZA_SEND(s->events, &(int){1}), TUZA_RECV(s->stopper, (int *)NULL));
	else
		put(s->events);
	tuza_waitgroup_done(&s->workers);
}

static void c1462_takes(struct c1462 *s)
{
	(void)TUZA_SELECT(TUZA_RECV(s->stopper, (int *)NULL));
	tuza_waitgroup_done(&s->workers);
}

KERNEL(cockroach1462, 2)
{
	struct c1462 *s = NEW(struct c1462);

	s->events = chan(0);
	s->stopper = chan(0);
	tuza_waitgroup_add(&s->workers, 2);
	TUZA_GO(c1462_makes, s, is_fixed);
	TUZA_GO(c1462_takes, s);
	tuza_chan_close(s->stopper);
	tuza_waitgroup_wait(&s->workers);
}

// Two loops: one sends events to the other, which calls back over a channel that the first reads.
struct c2448 {
	tuza_chan *events, *callback;
};

static void c2448_store(struct c2448 *s)
{
	take(s->events);
	put(s->callback);
}

static void c2448_raft(struct c2448 *s)
{
	put(s->events);
	put(s->events);
	take(s->callback);
}

KERNEL(cockroach2448, 2)
{
	struct c2448 *s = NEW(struct c2448);

	s->events = chan(is_fixed ? 2 : 0);
	s->callback = chan(0);
	TUZA_GO(c2448_store, s);
	TUZA_GO(c2448_raft, s);
}

// A read lock twice in one chain of calls, a writer in between.
static void c3710_writes(tuza_rwmutex *rw)
{
	tuza_rwmutex_lock(rw);
	tuza_rwmutex_unlock(rw);
}

KERNEL(cockroach3710, 2)
{
	tuza_rwmutex *rw = NEW(tuza_rwmutex);

	tuza_rwmutex_rlock(rw);
	TUZA_GO(c3710_writes, rw);
	until_writer_waits(rw);
	if (is_fixed)
		tuza_rwmutex_runlock(rw);
	tuza_rwmutex_rlock(rw);
	tuza_rwmutex_runlock(rw);
	if (!is_fixed)
		tuza_rwmutex_runlock(rw);
}

// A cache prints itself, which takes the read lock again, while another wants to write.
struct c6181 {
	tuza_rwmutex cache;
	struct meeting looked;
};

static void c6181_looks_up(struct c6181 *s)
{
	tuza_rwmutex_rlock(&s->cache);
	meet(&s->looked);
	tuza_rwmutex_runlock(&s->cache);
	tuza_rwmutex_lock(&s->cache);
	tuza_rwmutex_unlock(&s->cache);
}

KERNEL(cockroach6181, 2)
{
	struct c6181 *s = NEW(struct c6181);

	expect_two(&s->looked);
	TUZA_GO(c6181_looks_up, s);
	tuza_rwmutex_rlock(&s->cache);
	meet(&s->looked);
	until_writer_waits(&s->cache);
	if (is_fixed)
		tuza_rwmutex_runlock(&s->cache);
	tuza_rwmutex_rlock(&s->cache); // String
	tuza_rwmutex_runlock(&s->cache);
	if (!is_fixed)
		tuza_rwmutex_runlock(&s->cache);
}

// Lease, then cache, against cache, then lease.
struct c7504 {
	tuza_mutex table, lease, cache;
	struct meeting held;
};

static void c7504_releases(struct c7504 *s)
{
	lock(&s->table);
	lock(&s->lease);
	meet(&s->held);
	lock(&s->cache);
	unlock(&s->cache);
	unlock(&s->lease);
	unlock(&s->table);
}

KERNEL(cockroach7504, 2)
{
	struct c7504 *s = NEW(struct c7504);

	expect_two(&s->held);
	TUZA_GO(c7504_releases, s);
	lock(&s->cache);
	meet(&s->held);
	if (is_fixed)
		unlock(&s->cache);
	lock(&s->lease);
	unlock(&s->lease);
	if (!is_fixed)
		unlock(&s->cache);
}

// An error path locks again.
KERNEL(cockroach9935, 1)
{
	tuza_mutex *mu = NEW(tuza_mutex);
	bool fails = true;

	lock(mu);
	if (fails) {
		if (is_fixed)
			unlock(mu);
		lock(mu);
	}
	unlock(mu);
}

// Heartbeats: coalesced lock, then raft lock, against raft lock, replica lock, coalesced lock.
struct c10214 {
	tuza_mutex coalesced, raft, replica;
	struct meeting held;
};

static void c10214_ticks(struct c10214 *s)
{
	lock(&s->raft);
	lock(&s->replica);
	meet(&s->held);
	lock(&s->coalesced);
	unlock(&s->coalesced);
	unlock(&s->replica);
	unlock(&s->raft);
}

KERNEL(cockroach10214, 2)
{
	struct c10214 *s = NEW(struct c10214);

	expect_two(&s->held);
	TUZA_GO(c10214_ticks, s);
	lock(&s->coalesced);
	meet(&s->held);
	if (is_fixed)
		unlock(&s->coalesced);
	lock(&s->raft);
	unlock(&s->raft);
	if (!is_fixed)
		unlock(&s->coalesced);
}

// The context ends while answers are awaited; who answers is not read any more.
static void c10790_answers(tuza_chan *c, tuza_context *ctx)
{
	take(tuza_context_done(ctx));
	put(c);
	tuza_context_release(ctx);
}

KERNEL(cockroach10790, 2)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());

	for (int i = 0; i < 2; i++)
		TUZA_GO(c10790_answers, chan(is_fixed ? 1 : 0), tuza_context_retain(ctx));
	tuza_context_free(ctx);
}

// A transaction waits for its context, which is never cancelled.
static void c13197_awaits_done(tuza_context *ctx)
{
	take(tuza_context_done(ctx));
	tuza_context_release(ctx);
}

struct c13197 {
	tuza_context *ctx;
};

static struct c13197 *c13197_begin(void)
{
	struct c13197 *tx = NEW(struct c13197);

	tx->ctx = tuza_context_with_cancel(tuza_context_background());
	TUZA_GO(c13197_awaits_done, tuza_context_retain(tx->ctx));
	return tx;
}

KERNEL(cockroach13197, 1)
{
	struct c13197 *tx = c13197_begin();

	if (is_fixed)
		tuza_context_free(tx->ctx); // commit
}

// Rows that are not closed keep the one that waits for their context.
struct c13755 {
	tuza_context *ctx;
	tuza_chan *closed;
};

static void c13755_awaits(struct c13755 *rows)
{
	(void)TUZA_SELECT(TUZA_DONE(rows->ctx), TUZA_RECV(rows->closed, (int *)NULL));
}

KERNEL(cockroach13755, 1)
{
	struct c13755 *rows = NEW(struct c13755);

	rows->ctx = tuza_context_with_cancel(tuza_context_background());
	rows->closed = chan(0);
	TUZA_GO(c13755_awaits, rows);
	if (is_fixed)
		tuza_chan_close(rows->closed);
}

// Two names of one lock: write, and then read, with another writer in between.
struct c16167 {
	tuza_rwmutex config;
	tuza_rwmutex *by_cond;
	tuza_waitgroup has_lock;
};

static void c16167_updates(struct c16167 *s)
{
	tuza_waitgroup_wait(&s->has_lock);
	tuza_rwmutex_lock(&s->config);
	tuza_rwmutex_unlock(&s->config);
}

KERNEL(cockroach16167, 2)
{
	struct c16167 *s = NEW(struct c16167);

	s->by_cond = &s->config;
	tuza_waitgroup_add(&s->has_lock, 1);
	TUZA_GO(c16167_updates, s);
	tuza_rwmutex_lock(s->by_cond);
	tuza_waitgroup_done(&s->has_lock);
	if (is_fixed)
		tuza_rwmutex_unlock(s->by_cond);
	tuza_rwmutex_rlock(&s->config);
	tuza_rwmutex_runlock(&s->config);
	if (!is_fixed)
		tuza_rwmutex_unlock(s->by_cond);
}

// The reader leaves at the end of its context, the senders do not look at it.
static void c18101_scatters(tuza_chan *ready, tuza_context *ctx, bool is_fixed)
{
	for (int i = 0; i < 3; i++)
		if (!is_fixed)
			put(ready);
		else if (TUZA_SELECT(TUZA_SEND(ready, &(int){1}), TUZA_DONE(ctx)) == 1)
			break;
	tuza_context_release(ctx);
}

KERNEL(cockroach18101, 1)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_chan *ready = chan(0);

	TUZA_GO(c18101_scatters, ready, tuza_context_retain(ctx), is_fixed);
	take(ready);
	tuza_context_free(ctx);
}

// A suggestion is there before the compactor starts: the channel of one is full.
static void c24808_compacts(tuza_chan *c) { take(c); }

KERNEL(cockroach24808, 1)
{
	tuza_chan *c = chan(1);

	put(c);
	if (is_fixed)
		TUZA_GO(c24808_compacts, c);
	put(c); // Start: "look at what is there already"
}

// "Is the store draining?" waits until it drains.
struct c25456 {
	tuza_chan *quiesce;
};

KERNEL(cockroach25456, 1)
{
	struct c25456 *stopper = NEW(struct c25456);

	stopper->quiesce = chan(0);
	if (is_fixed)
		(void)tuza_chan_try_recv(stopper->quiesce, NULL);
	else
		take(stopper->quiesce);
}

// The outbox fails at its start, and its sender finds the channel full.
static void c35073_sends_rows(tuza_chan *rows)
{
	for (int i = 0; i < 4; i++)
		put(rows);
}

static void c35073_drains(tuza_chan *rows)
{
	for (int i = 0; i < 4; i++)
		take(rows);
}

KERNEL(cockroach35073, 1)
{
	tuza_chan *rows = chan(2);

	TUZA_GO(c35073_sends_rows, rows);
	if (is_fixed)
		TUZA_GO(c35073_drains, rows);
}

// The canceller tells the streams one after the other; the first is full, the second is read.
struct c35931 {
	tuza_chan *streams[2];
	tuza_waitgroup ended;
};

static void c35931_reads_second(struct c35931 *s)
{
	take(s->streams[1]);
	tuza_waitgroup_done(&s->ended);
}

KERNEL(cockroach35931, 2)
{
	struct c35931 *s = NEW(struct c35931);

	s->streams[0] = chan(1);
	s->streams[1] = chan(1);
	put(s->streams[0]);
	tuza_waitgroup_add(&s->ended, 1);
	TUZA_GO(c35931_reads_second, s);
	for (int i = 0; i < 2; i++)
		if (is_fixed)
			(void)tuza_chan_try_send(s->streams[i], &(int){1});
		else
			put(s->streams[i]);
	tuza_waitgroup_wait(&s->ended);
}
