// SPDX-License-Identifier: MIT
/*
 * Timers of the program: a struct timer of the scheduler and what it does when it fires.
 *
 * One with a channel lies behind the channel's buffer: one allocation, which the last reference to
 * the channel frees. Firing and taking the value back (stop, reset) both happen under the lock of
 * the timer's heap, with the channel's lock inside: hence no value of before is there once stop has
 * returned.
 *
 * The timer of tuza_after belongs to nobody; the last release of its channel stops it.
 *
 * One with a function starts it as a goroutine. fire makes the descriptor only, which knows fn and
 * arg and not the timer, so the timer may be freed as soon as it has fired.
 *
 * Go: src/time/sleep.go, src/runtime/time.go
 */
#include <tuza/time.h>

#include "base/fatal.h"
#include "base/race_hooks.h"
#include "chan/chan.h"
#include "sched/schedule.h"
#include "sched/timer.h"

#include <stdlib.h>
#include <tuza/panic.h>

struct tuza_timer {
	struct timer timer;
	// constant after init
	struct tuza_chan *chan; // the one that it lies in; NULL with a function
	void (*fn)(void *);
	void *arg;
};

// How long a call waits before it tries again when memory for its goroutine is short. A guess.
#define RETRY_NS TUZA_MILLISECOND

static struct tuza_timer *timer_of(struct timer *t)
{
	return CONTAINER_OF(t, struct tuza_timer, timer);
}

static struct goroutine *timer_fire_send(struct timer *t, int64_t now)
{
	(void)now;
	race_acquire(t);
	return chan_timer_fire(timer_of(t)->chan, t->when);
}

static struct goroutine *timer_fire_call(struct timer *t, int64_t now)
{
	struct goroutine *g;

	race_acquire(t);
	g = goroutine_new_at_hand(timer_of(t)->fn, timer_of(t)->arg);
	if (unlikely(!g))
		t->when = clock_after(now, goroutine_none_can_be_had() ? RETRY_NS : 1);
	return g;
}

// Takes back a value that nobody has received.
static bool timer_take_back(struct timer *t)
{
	struct tuza_chan *c = timer_of(t)->chan;

	return c && chan_timer_drain(c);
}

static NORETURN COLD void out_of_memory(void) { tuza_panic("tuza: out of memory"); }

// Starts a new timer. False without memory.
static bool timer_begin(struct tuza_timer *t, tuza_duration d)
{
	race_release(&t->timer);
	return timer_start(&t->timer, clock_after(clock_now(), d)) == 0;
}

static tuza_timer *timer_new_sending(tuza_duration d, void (*on_free)(tuza_chan *c))
{
	struct tuza_chan *c = chan_new_timer(sizeof(struct tuza_timer), on_free);
	struct tuza_timer *t = chan_timer_tail(c);

	*t = (struct tuza_timer){.timer = {.fire = timer_fire_send, .outlives = true}, .chan = c};
	if (unlikely(!timer_begin(t, d))) {
		tuza_chan_release(c);
		out_of_memory();
	}
	return t;
}

EXPORT tuza_timer *tuza_timer_new(tuza_duration d) { return timer_new_sending(d, NULL); }

static void after_free(tuza_chan *c)
{
	struct tuza_timer *t = chan_timer_tail(c);

	(void)timer_stop(&t->timer);
}

EXPORT tuza_chan *tuza_after(tuza_duration d) { return timer_new_sending(d, after_free)->chan; }

EXPORT tuza_timer *tuza_after_func(tuza_duration d, void (*fn)(void *), void *arg)
{
	struct tuza_timer *t;

	if (unlikely(!fn))
		fatal("go of nil func value");
	t = malloc(sizeof(*t));
	if (unlikely(!t))
		out_of_memory();
	*t = (struct tuza_timer){.timer = {.fire = timer_fire_call}, .fn = fn, .arg = arg};
	if (unlikely(!timer_begin(t, d))) {
		free(t);
		out_of_memory();
	}
	return t;
}

EXPORT tuza_chan *tuza_timer_chan(const tuza_timer *t) { return t->chan; }

EXPORT bool tuza_timer_stop(tuza_timer *t)
{
	if (unlikely(!t))
		tuza_panic("time: Stop called on uninitialized Timer");
	return timer_stop_and(&t->timer, timer_take_back);
}

EXPORT bool tuza_timer_reset(tuza_timer *t, tuza_duration d)
{
	int error;
	bool was_pending;

	if (unlikely(!t))
		tuza_panic("time: Reset called on uninitialized Timer");
	race_release(&t->timer);
	was_pending =
		timer_restart(&t->timer, clock_after(clock_now(), d), 0, timer_take_back, &error);
	if (unlikely(error))
		out_of_memory();
	return was_pending;
}

EXPORT void tuza_timer_free(tuza_timer *t)
{
	if (!t)
		return;
	(void)timer_stop(&t->timer);
	if (t->chan)
		tuza_chan_release(t->chan);
	else
		free(t);
}
