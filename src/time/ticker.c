// SPDX-License-Identifier: MIT
/*
 * Tickers: a periodic timer of the scheduler behind the buffer of a channel with room for one tick.
 * A tick that finds the room taken is dropped by chan_timer_fire; the period is kept by
 * sched/timer.c. See also timer.c.
 *
 * Go: src/time/tick.go
 */
#include <tuza/time.h>

#include "base/race_hooks.h"
#include "chan/chan.h"
#include "sched/timer.h"

#include <tuza/panic.h>

struct tuza_ticker {
	struct timer timer;
	struct tuza_chan *chan; // the one that it lies in; constant after init
};

static struct tuza_ticker *ticker_of(struct timer *t)
{
	return CONTAINER_OF(t, struct tuza_ticker, timer);
}

static struct goroutine *ticker_fire(struct timer *t, int64_t now)
{
	(void)now;
	race_acquire(t);
	return chan_timer_fire(ticker_of(t)->chan, t->when);
}

static bool ticker_take_back(struct timer *t) { return chan_timer_drain(ticker_of(t)->chan); }

EXPORT tuza_ticker *tuza_ticker_new(tuza_duration d)
{
	struct tuza_ticker *t;
	struct tuza_chan *c;

	if (unlikely(d <= 0))
		tuza_panic("non-positive interval for NewTicker");
	c = chan_new_timer(sizeof(*t), NULL);
	t = chan_timer_tail(c);
	*t = (struct tuza_ticker){
		.timer = {.fire = ticker_fire, .period = d, .outlives = true}, .chan = c};
	race_release(&t->timer);
	if (unlikely(timer_start(&t->timer, clock_after(clock_now(), d)) != 0)) {
		tuza_chan_release(c);
		tuza_panic("tuza: out of memory");
	}
	return t;
}

EXPORT tuza_chan *tuza_ticker_chan(const tuza_ticker *t) { return t->chan; }

EXPORT void tuza_ticker_stop(tuza_ticker *t)
{
	if (t)
		(void)timer_stop_and(&t->timer, ticker_take_back);
}

EXPORT void tuza_ticker_reset(tuza_ticker *t, tuza_duration d)
{
	int error;

	if (unlikely(d <= 0))
		tuza_panic("non-positive interval for Ticker.Reset");
	if (unlikely(!t))
		tuza_panic("time: Reset called on uninitialized Ticker");
	race_release(&t->timer);
	(void)timer_restart(&t->timer, clock_after(clock_now(), d), d, ticker_take_back, &error);
	if (unlikely(error))
		tuza_panic("tuza: out of memory");
}

EXPORT void tuza_ticker_free(tuza_ticker *t)
{
	if (!t)
		return;
	(void)timer_stop(&t->timer);
	tuza_chan_release(t->chan);
}
