// SPDX-License-Identifier: MIT
/*
 * Time: the clock, sleeping, timers and tickers.
 *
 *	tuza_timer *idle = tuza_timer_new(TUZA_MINUTE);
 *	tuza_chan *too_long = tuza_timer_chan(idle);
 *	while (TUZA_SELECT(TUZA_RECV(jobs, &job), TUZA_RECV(too_long, NULL)) == 0) {
 *		run(&job);
 *		tuza_timer_reset(idle, TUZA_MINUTE);   // nothing to drain first
 *	}
 *	tuza_timer_free(idle);
 *
 * Times and durations are nanoseconds; times are those of tuza_now, which no change of the wall
 * clock moves. A duration too long to add to the time now means "never".
 *
 * The channels of timers and tickers carry int64_t: the time at which the value was due, however
 * late it is received. They behave as if unbuffered: once stop or reset has returned, nobody
 * receives a value of before. To bound one wait, TUZA_AFTER and TUZA_UNTIL in a select are cheaper
 * than any of these.
 */
#ifndef TUZA_TIME_H
#define TUZA_TIME_H

#include <tuza/chan.h>
#include <tuza/macros.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The time now: nanoseconds of a clock that never goes back (CLOCK_MONOTONIC). It is not the time
 * of day.
 *
 * Callable from  anywhere, signal handlers included.
 * Go       time.Now, its monotonic reading
 */
int64_t tuza_now(void);

/*
 * Waits for at least d.
 *
 *   d  at once if <= 0.
 *
 * Blocks   parks the goroutine; a plain thread sleeps, and so does the thread of a blocking
 *          section.
 * Cancel   not by itself; TUZA_AFTER in a select, beside what cancels.
 * Callable from  any goroutine or thread. Not from a signal handler.
 * Go       time.Sleep   (src/runtime/time.go, timeSleep)
 */
void tuza_sleep(tuza_duration d);

/*
 * An event in the future: a value on a channel, or a call. One timer is one event at a time: reset
 * gives it a new one. Its functions may be called from several goroutines at once, except
 * tuza_timer_free.
 *
 * One with a channel that runs when tuza_run returns goes on, and fires in the next run if its time
 * is past; so do tickers and the deadlines of contexts. A call is dropped, as goroutines are.
 */
typedef struct tuza_timer tuza_timer;

/*
 * Makes a timer that sends on its channel once d has passed.
 *
 *   d  promptly if <= 0.
 *
 * Returns  the running timer; never NULL.
 * Panics   "tuza: out of memory".
 * Blocks   never.
 * Callable from  any goroutine or thread.
 * Orders   everything before this, or before the reset, is visible to whoever receives the value.
 * Owns/frees  tuza_timer_free.
 * Go       time.NewTimer   (src/time/sleep.go)
 */
void tuza_timer_free(tuza_timer *t);
TUZA_MUST_USE tuza_timer *tuza_timer_new(tuza_duration d) TUZA_FREED_BY_(tuza_timer_free);

/*
 * The timer's channel, of int64_t; its len and cap are 0.
 *
 * Returns  a channel that belongs to the timer: retain it to keep it longer. It is never closed.
 *          NULL for a timer of tuza_after_func.
 * Go       Timer.C
 */
tuza_chan *tuza_timer_chan(const tuza_timer *t);

/*
 * Stops the timer. Afterwards nothing is received from its channel until it is reset.
 *
 * Returns  true when this prevented something: the time has not come, or has but the value was
 *          received by nobody. false when it was received or the timer was stopped before; for
 *          tuza_after_func, when the call was started. (Its end is not awaited.)
 * Panics   "time: Stop called on uninitialized Timer" for NULL.
 * Blocks   never.
 * Go       Timer.Stop
 */
bool tuza_timer_stop(tuza_timer *t);

/*
 * Has the timer fire once d has passed from now, whatever it was about to do. Works on a stopped or
 * fired timer too.
 *
 *   d  promptly if <= 0.
 *
 * Returns  what tuza_timer_stop would have. For tuza_after_func false means that two calls may
 *          overlap.
 * Panics   "time: Reset called on uninitialized Timer" for NULL; "tuza: out of memory".
 * Blocks   never.
 * Go       Timer.Reset
 */
bool tuza_timer_reset(tuza_timer *t, tuza_duration d);

/*
 * tuza_timer_free, above: stops the timer and frees it. NULL is allowed. A call that
 * tuza_after_func started goes on, and may itself free the timer.
 */

/*
 * A channel that gets one value once d has passed.
 *
 *   d  promptly if <= 0.
 *
 * Returns  a channel of int64_t; never NULL. Releasing it before is the way to stop it.
 * Panics   "tuza: out of memory".
 * Owns/frees  tuza_chan_release.
 * Go       time.After
 */
TUZA_MUST_USE tuza_chan *tuza_after(tuza_duration d);

/*
 * Starts fn(arg) as a goroutine once d has passed.
 *
 *   d  promptly if <= 0.
 *
 * Returns  the running timer; never NULL.
 * Panics   "tuza: out of memory". If there is no memory to start the goroutine when the time has
 *          come, it starts later. "go of nil func value" is fatal, and now.
 * Orders   everything before this, or before the reset, is visible to fn.
 * Owns/frees  tuza_timer_free, also after the call.
 * Go       time.AfterFunc
 */
TUZA_MUST_USE tuza_timer *tuza_after_func(tuza_duration d, void (*fn)(void *), void *arg);

/*
 * An event that comes back: a value on a channel every d. At most one waits there; ticks that find
 * it taken are left out, and the ticks keep to multiples of d from the start.
 */
typedef struct tuza_ticker tuza_ticker;

/*
 * Makes a ticker.
 *
 *   d  the period, > 0.
 *
 * Returns  the running ticker; never NULL.
 * Panics   "non-positive interval for NewTicker"; "tuza: out of memory".
 * Blocks   never.
 * Callable from  any goroutine or thread.
 * Owns/frees  tuza_ticker_free.
 * Go       time.NewTicker   (src/time/tick.go)
 */
void tuza_ticker_free(tuza_ticker *t);
TUZA_MUST_USE tuza_ticker *tuza_ticker_new(tuza_duration d) TUZA_FREED_BY_(tuza_ticker_free);

/*
 * The ticker's channel, of int64_t; its len and cap are 0.
 *
 * Returns  a channel that belongs to the ticker: retain it to keep it longer. It is never closed,
 *          not even by stop.
 * Go       Ticker.C
 */
tuza_chan *tuza_ticker_chan(const tuza_ticker *t);

// Stops the ticker: no tick is received any more until it is reset. Does not close the channel.
// NULL is allowed. Go: Ticker.Stop
void tuza_ticker_stop(tuza_ticker *t);

/*
 * Has the ticker tick every d from now on, the first time once d has passed; a tick that waits is
 * dropped.
 *
 *   d  the period, > 0.
 *
 * Panics   "non-positive interval for Ticker.Reset"; "time: Reset called on uninitialized Ticker"
 *          for NULL; "tuza: out of memory".
 * Go       Ticker.Reset
 */
void tuza_ticker_reset(tuza_ticker *t, tuza_duration d);

// tuza_ticker_free, above: stops the ticker and frees it. NULL is allowed.

#ifdef __cplusplus
}
#endif

// Rate limits, which are about time as well.
#include <tuza/limiter.h>

#endif
