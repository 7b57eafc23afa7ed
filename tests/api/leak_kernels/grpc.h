// SPDX-License-Identifier: MIT
// After bugs of gRPC for Go.
#include "kernel.h"

// The loop of the benchmark's client stops; a call in flight has nobody to report to.
static void g660_calls(tuza_chan *done) { put(done); }

KERNEL(grpc660, 1)
{
	tuza_chan *stop = chan(1), *done = chan(is_fixed ? 1 : 0);

	TUZA_GO(g660_calls, done);
	put(stop);
	(void)TUZA_SELECT(TUZA_RECV(stop, (int *)NULL));
}

// A return without unlock when there is nothing to drain.
struct g795 {
	tuza_mutex mu;
	bool is_drained;
};

static void g795_stop_gracefully(struct g795 *s, bool is_fixed)
{
	lock(&s->mu);
	if (s->is_drained) {
		if (is_fixed)
			unlock(&s->mu);
		return;
	}
	s->is_drained = true;
	unlock(&s->mu);
}

KERNEL(grpc795, 1)
{
	struct g795 *s = NEW(struct g795);

	for (int i = 0; i < 2; i++)
		g795_stop_gracefully(s, is_fixed);
	lock(&s->mu); // Stop
	unlock(&s->mu);
}

// Dialing fails; the connection is forgotten, not closed.
struct g862 {
	tuza_context *ctx;
};

static void g862_resets(struct g862 *cc) { take(tuza_context_done(cc->ctx)); }

static struct g862 *g862_dial(bool is_fixed)
{
	struct g862 *cc = NEW(struct g862);

	cc->ctx = tuza_context_with_cancel(tuza_context_background());
	TUZA_GO(g862_resets, cc);
	if (is_fixed)
		tuza_context_cancel(cc->ctx);
	return NULL;
}

KERNEL(grpc862, 1) { (void)g862_dial(is_fixed); }

// The stream is closed without a word to whoever reads it; its end is waited for.
struct g1275 {
	tuza_chan *received, *done;
};

static void g1275_reads(struct g1275 *s)
{
	take(s->received);
	tuza_chan_close(s->done);
}

KERNEL(grpc1275, 2)
{
	struct g1275 *s = NEW(struct g1275);

	s->received = chan(1);
	s->done = chan(0);
	TUZA_GO(g1275_reads, s);
	if (is_fixed)
		put(s->received); // CloseStream
	take(s->done);
}

// The watcher of the balancer ends at its first error without having said that it is up.
static void g1424_watches(tuza_chan *addresses, tuza_chan *up, bool is_fixed)
{
	while (take(addresses))
		if (!is_fixed)
			return;
	tuza_chan_close(up);
}

static void g1424_waits(tuza_chan *up) { take(up); }

KERNEL(grpc1424, 1)
{
	tuza_chan *addresses = chan(1), *up = chan(0);

	TUZA_GO(g1424_waits, up);
	TUZA_GO(g1424_watches, addresses, up, is_fixed);
	put(addresses);
	tuza_chan_close(addresses);
}

// Keepalive sleeps with the lock until a stream wakes it; a new stream needs the lock.
struct g1460 {
	tuza_mutex mu;
	tuza_chan *awaken;
	struct meeting asleep;
};

static void g1460_keepalive(struct g1460 *t, bool is_fixed)
{
	lock(&t->mu);
	meet(&t->asleep);
	if (is_fixed)
		unlock(&t->mu);
	take(t->awaken);
	if (!is_fixed)
		unlock(&t->mu);
}

KERNEL(grpc1460, 2)
{
	struct g1460 *t = NEW(struct g1460);

	t->awaken = chan(0);
	expect_two(&t->asleep);
	TUZA_GO(g1460_keepalive, t, is_fixed);
	meet(&t->asleep);
	lock(&t->mu); // NewStream
	put(t->awaken);
	unlock(&t->mu);
}

// A timer that comes too late returns without unlocking.
struct g3017 {
	tuza_mutex mu;
	bool is_aborted;
	tuza_chan *fired;
};

static void g3017_deletes(struct g3017 *s, bool is_fixed)
{
	lock(&s->mu);
	if (s->is_aborted) {
		if (is_fixed)
			unlock(&s->mu);
		put(s->fired);
		return;
	}
	unlock(&s->mu);
}

static void g3017_removes(struct g3017 *s, tuza_chan *done)
{
	lock(&s->mu);
	unlock(&s->mu);
	put(done);
}

KERNEL(grpc3017, 2)
{
	struct g3017 *s = NEW(struct g3017);
	tuza_chan *done = chan(0);

	s->is_aborted = true;
	s->fired = chan(1);
	TUZA_GO(g3017_deletes, s, is_fixed);
	take(s->fired);
	TUZA_GO(g3017_removes, s, done);
	take(done);
}
