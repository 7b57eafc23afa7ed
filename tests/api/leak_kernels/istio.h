// SPDX-License-Identifier: MIT
// After bugs of Istio.
#include "kernel.h"

// An event is sent under the lock; who should read it wants the lock.
struct i16224 {
	tuza_mutex mu;
	tuza_chan *events;
	struct meeting held;
};

static void i16224_updates(struct i16224 *s)
{
	lock(&s->mu);
	meet(&s->held);
	put(s->events);
	unlock(&s->mu);
}

KERNEL(istio16224, 2)
{
	struct i16224 *s = NEW(struct i16224);

	s->events = chan(is_fixed ? 1 : 0);
	expect_two(&s->held);
	TUZA_GO(i16224_updates, s);
	meet(&s->held);
	lock(&s->mu);
	take(s->events);
	unlock(&s->mu);
}

// The agent ends with its context; the proxies that end after it have nobody to tell.
struct i17860 {
	tuza_chan *status;
	tuza_context *ctx;
};

static void i17860_waits(struct i17860 *a, bool is_fixed)
{
	take(tuza_context_done(a->ctx));
	if (is_fixed)
		(void)TUZA_SELECT(TUZA_SEND(a->status, &(int){1}), TUZA_DONE(a->ctx));
	else
		put(a->status);
}

KERNEL(istio17860, 2)
{
	struct i17860 *a = NEW(struct i17860);

	a->status = chan(0);
	a->ctx = tuza_context_with_cancel(tuza_context_background());
	for (int i = 0; i < 2; i++)
		TUZA_GO(i17860_waits, a, is_fixed);
	tuza_context_cancel(a->ctx);
	(void)TUZA_SELECT(TUZA_DONE(a->ctx)); // Run
}

// A timer that was stopped before it fired is drained as if it had.
struct i18454 {
	tuza_timer *timer;
	tuza_chan *stop;
};

static void i18454_works(struct i18454 *s, bool is_fixed)
{
	take(s->stop);
	(void)tuza_timer_stop(s->timer);
	if (!is_fixed)
		tuza_chan_recv(tuza_timer_chan(s->timer), NULL);
}

KERNEL(istio18454, 1)
{
	struct i18454 *s = NEW(struct i18454);

	s->timer = tuza_timer_new(TUZA_HOUR);
	s->stop = chan(0);
	TUZA_GO(i18454_works, s, is_fixed);
	tuza_chan_close(s->stop);
}
