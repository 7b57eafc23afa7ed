// SPDX-License-Identifier: MIT
/*
 * Rate limits: how often something may happen. After golang.org/x/time/rate.
 *
 *	tuza_limiter limiter;
 *	tuza_limiter_init(&limiter, 10, 3);             // ten a second, three at once
 *
 *	if (tuza_limiter_allow(&limiter))               // drop what is too much …
 *		answer(request);
 *
 *	int code = tuza_limiter_wait(&limiter, ctx, 1); // … or wait for it
 *	if (code != 0)
 *		return code;
 *
 * A limiter is a bucket of tokens. An event takes one, or n of them; `limit` tokens a second come
 * in, up to `burst`. What may wait reserves its tokens at once, so that they are served in the
 * order in which they came, and later ones wait longer.
 *
 * A limiter lies in the caller's memory and owns nothing. Zeroed it lets no event pass. It may not
 * be copied or moved after its first use; its fields are private. All functions may be called from
 * any goroutine or thread, at the same time; none blocks, except tuza_limiter_wait.
 *
 * The functions with a time `t` (tuza_now, ns) act as their counterparts without it would at that
 * time. A number of events below 0 panics "tuza: negative number of events".
 */
#ifndef TUZA_LIMITER_H
#define TUZA_LIMITER_H

#include <tuza/context.h>
#include <tuza/macros.h>
#include <tuza/sync.h>
#include <tuza/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tuza_context tuza_context; // tuza/context.h, which may be what includes this

// No limit: every event passes, whatever the burst. So does infinity. Go: rate.Inf
#define TUZA_LIMIT_INF __DBL_MAX__

typedef struct tuza_limiter {
	tuza_mutex lock;
	double limit;
	int64_t burst;
	double tokens;
	int64_t last;
	int64_t last_event;
} tuza_limiter;

/*
 * Makes a limiter, its bucket full.
 *
 *   limit  events per second; 0, negative or not a number: none beyond the burst, ever.
 *          TUZA_LIMIT_INF: no limit.
 *   burst  how many may come at once. 0: none, unless there is no limit.
 *
 * Go       rate.NewLimiter   (E6)
 */
void tuza_limiter_init(tuza_limiter *l, double limit, int64_t burst);

// The limit of one event each `interval` (ns); TUZA_LIMIT_INF if it is <= 0. Go: rate.Every
double tuza_limiter_every(tuza_duration interval);

// ---- now or not at all -------------------------------------------------------------------------

/*
 * Takes one token if there is one.
 *
 * Returns  whether the event may happen now.
 * Go       (*rate.Limiter).Allow
 */
TUZA_MUST_USE bool tuza_limiter_allow(tuza_limiter *l);

// The same for n events at time t: all or none. Go: AllowN
TUZA_MUST_USE bool tuza_limiter_allow_n(tuza_limiter *l, int64_t t, int64_t n);

// ---- waiting -----------------------------------------------------------------------------------

/*
 * Takes n tokens, waiting for them if need be.
 *
 * Returns  0 when the events may happen. Else no token was taken, and at once, if not said
 *          otherwise:
 *          TUZA_EBURST ("rate: Wait exceeds limiter's burst"), n can never be had;
 *          TUZA_EDEADLINE ("rate: Wait would exceed context deadline"), not before it;
 *          -ECANCELED or -ETIMEDOUT, the context has ended, or did so during the wait: then the
 *          tokens are given back, except those that others' reservations were built on.
 * Blocks   until the tokens have come or the context ends. With a limit of 0 and an empty bucket
 *          only the latter.
 * Go       (*rate.Limiter).WaitN
 */
TUZA_MUST_USE int tuza_limiter_wait(tuza_limiter *l, tuza_context *ctx, int64_t n);

// ---- reservations ------------------------------------------------------------------------------

/*
 * Tokens that were taken in advance: the event may happen once the delay has passed. A plain value;
 * may be copied, and is not used after its limiter's end.
 */
typedef struct tuza_reservation {
	bool ok; // false: n is above the burst, nothing was taken, do not let the event happen
	tuza_limiter *limiter;
	int64_t n;
	int64_t act_at; // when the event may happen (tuza_now, ns); INT64_MAX: never
	double limit;
} tuza_reservation;

/*
 * Takes one token, which may come later.
 *
 * Returns  the reservation, which has nothing to free.
 * Go       (*rate.Limiter).Reserve
 */
TUZA_MUST_USE tuza_reservation tuza_limiter_reserve(tuza_limiter *l);

// The same for n events, all at once, at time t. Go: ReserveN
TUZA_MUST_USE tuza_reservation tuza_limiter_reserve_n(tuza_limiter *l, int64_t t, int64_t n);

/*
 * How long to wait for the event.
 *
 * Returns  ns; 0: it may happen now. INT64_MAX: never, also when it is not ok.
 * Go       (*rate.Reservation).Delay
 */
tuza_duration tuza_reservation_delay(const tuza_reservation *r);

// The same from time t on. Go: DelayFrom
tuza_duration tuza_reservation_delay_from(const tuza_reservation *r, int64_t t);

/*
 * Gives the tokens back: the event will not happen. Those that later reservations have counted on
 * are lost; once the time of the event has come, all are. To be called once.
 *
 * Go       (*rate.Reservation).Cancel
 */
void tuza_reservation_cancel(const tuza_reservation *r);

// The same at time t. Go: CancelAt
void tuza_reservation_cancel_at(const tuza_reservation *r, int64_t t);

// ---- looking and changing ----------------------------------------------------------------------

// What it was given. Go: Limit, Burst
double tuza_limiter_limit(tuza_limiter *l);
int64_t tuza_limiter_burst(tuza_limiter *l);

// How many tokens there are now, or at time t; negative when more are reserved.
// Go: Tokens, TokensAt
double tuza_limiter_tokens(tuza_limiter *l);
double tuza_limiter_tokens_at(tuza_limiter *l, int64_t t);

/*
 * Changes the limit or the burst. Reservations that were made keep their time; tokens that are
 * there stay, up to the new burst.
 *
 * Go       SetLimit, SetLimitAt, SetBurst, SetBurstAt
 */
void tuza_limiter_set_limit(tuza_limiter *l, double limit);
void tuza_limiter_set_limit_at(tuza_limiter *l, int64_t t, double limit);
void tuza_limiter_set_burst(tuza_limiter *l, int64_t burst);
void tuza_limiter_set_burst_at(tuza_limiter *l, int64_t t, int64_t burst);

// ---- sometimes ---------------------------------------------------------------------------------

/*
 * Something that is done on some occasions only, such as to log. The three fields say on which;
 * several together: on each that one of them says. All zero: on the first.
 *
 *	static tuza_sometimes complaints = {.first = 3, .interval = 10 * TUZA_SECOND};
 *	tuza_sometimes_do(&complaints, complain, disk);
 *
 * Zeroed is valid; it owns nothing, and may not be copied after its first use.
 */
typedef struct tuza_sometimes {
	int64_t first;          // if > 0: the first `first` calls
	int64_t every;          // if > 0: the first call, then every `every`-th
	tuza_duration interval; // if > 0: when that much time (ns) has passed since the last one
	// private
	tuza_mutex lock;
	int64_t count;
	int64_t last;
} tuza_sometimes;

/*
 * Calls fn(arg) if this is an occasion.
 *
 *   fn  runs in the caller, one call at a time. It must not use the same `s`: that deadlocks. A
 *       call that it leaves by a panic does not count.
 *
 * Panics   as fn does.
 * Blocks   while another caller is in fn.
 * Go       (*rate.Sometimes).Do   (E7)
 */
void tuza_sometimes_do(tuza_sometimes *s, void (*fn)(void *), void *arg);

#ifdef __cplusplus
}
#endif
#endif
