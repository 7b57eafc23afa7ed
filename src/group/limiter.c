// SPDX-License-Identifier: MIT
/*
 * Rate limits: a bucket of tokens that is filled when somebody looks.
 *
 * `tokens` is what there was at `last`; it is negative while more are reserved than have come.
 * `last_event` is the time of the latest reservation: what a cancelled one may give back is what
 * was not reserved after it, and that is told by the distance of their times. Reservations never
 * move, so who waits needs no queue: it sleeps until its time.
 *
 * The clock is read under the lock. Otherwise who read it first might come second, time would go
 * back, and what passed in between bring its tokens twice.
 *
 * Lock: the limiter's mutex, over arithmetic and the clock. After golang.org/x/time/rate.
 */
#include <tuza/limiter.h>

#include "base/compiler.h"
#include "sched/timer.h"

#include <tuza/error.h>
#include <tuza/panic.h>

static bool is_unlimited(double limit) { return limit >= TUZA_LIMIT_INF; }

// Not negative: a time that goes back, as it may for the functions with one, passes none.
static int64_t elapsed(int64_t from, int64_t to)
{
	int64_t d;

	if (to <= from)
		return 0;
	return __builtin_sub_overflow(to, from, &d) ? INT64_MAX : d;
}

// Either is 0 or never when nothing comes in: a limit of NaN is none.
static double tokens_in(double limit, int64_t ns)
{
	return limit > 0 ? (double)ns / (double)TUZA_SECOND * limit : 0;
}
static int64_t time_for(double limit, double tokens)
{
	if (!(limit > 0))
		return INT64_MAX;
	double ns = tokens / limit * (double)TUZA_SECOND;
	return ns < (double)INT64_MAX ? (int64_t)ns : INT64_MAX; // 2^63 as a double: too large
}

// Locks. Returns the time that it is, or *t.
static int64_t lock_at(tuza_limiter *l, const int64_t *t) TUZA_TSA_(no_thread_safety_analysis)
{
	tuza_mutex_lock(&l->lock);
	return t ? *t : clock_now();
}

static void unlock(tuza_limiter *l) TUZA_TSA_(no_thread_safety_analysis)
{
	tuza_mutex_unlock(&l->lock);
}

// The tokens at time t. Needs: the lock.
static double tokens_at(const tuza_limiter *l, int64_t t)
{
	double tokens = l->tokens + tokens_in(l->limit, elapsed(l->last, t));

	return tokens > (double)l->burst ? (double)l->burst : tokens;
}

static bool exceeds_burst(const tuza_limiter *l, int64_t n)
{
	return n > l->burst && !is_unlimited(l->limit);
}

/*
 * Takes n tokens if they come in max_delay at the latest. Needs: the lock.
 *
 * Returns  the reservation; ok says whether it is one.
 */
static tuza_reservation reserve(tuza_limiter *l, int64_t t, int64_t n, int64_t max_delay)
{
	tuza_reservation r = {.ok = true, .limiter = l, .n = n, .act_at = t, .limit = l->limit};

	if (is_unlimited(l->limit))
		return r;
	double left = tokens_at(l, t) - (double)n;
	int64_t delay = left < 0 ? time_for(l->limit, -left) : 0;
	if (n > l->burst || delay > max_delay) {
		r.ok = false;
		return r;
	}
	r.act_at = clock_after(t, delay);
	l->last = t;
	l->tokens = left;
	l->last_event = r.act_at;
	return r;
}

static void check_number(int64_t n)
{
	if (unlikely(n < 0))
		tuza_panic("tuza: negative number of events");
}

// t: NULL: now.
static tuza_reservation reserve_at(tuza_limiter *l, const int64_t *t, int64_t n, int64_t max_delay)
{
	check_number(n);
	int64_t at = lock_at(l, t);
	tuza_reservation r = reserve(l, at, n, max_delay);
	unlock(l);
	return r;
}

EXPORT void tuza_limiter_init(tuza_limiter *l, double limit, int64_t burst)
{
	*l = (tuza_limiter){.limit = limit, .burst = burst, .tokens = (double)burst};
}

EXPORT double tuza_limiter_every(tuza_duration interval)
{
	return interval > 0 ? (double)TUZA_SECOND / (double)interval : TUZA_LIMIT_INF;
}

// ---- taking tokens -------------------------------------------------------------------------

EXPORT bool tuza_limiter_allow(tuza_limiter *l) { return reserve_at(l, NULL, 1, 0).ok; }

EXPORT bool tuza_limiter_allow_n(tuza_limiter *l, int64_t t, int64_t n)
{
	return reserve_at(l, &t, n, 0).ok;
}

EXPORT tuza_reservation tuza_limiter_reserve(tuza_limiter *l)
{
	return reserve_at(l, NULL, 1, INT64_MAX);
}

EXPORT tuza_reservation tuza_limiter_reserve_n(tuza_limiter *l, int64_t t, int64_t n)
{
	return reserve_at(l, &t, n, INT64_MAX);
}

EXPORT int tuza_limiter_wait(tuza_limiter *l, tuza_context *ctx, int64_t n)
{
	int error = tuza_context_err(ctx);
	int64_t deadline;
	bool has_deadline = tuza_context_deadline(ctx, &deadline);
	tuza_reservation r = {.ok = false};

	check_number(n);
	int64_t t = lock_at(l, NULL);
	if (exceeds_burst(l, n))
		error = TUZA_EBURST;
	else if (error == 0)
		r = reserve(l, t, n, has_deadline ? deadline - t : INT64_MAX);
	unlock(l);
	if (error)
		return error;
	if (!r.ok)
		return TUZA_EDEADLINE;
	if (r.act_at <= t || TUZA_SELECT(TUZA_DONE(ctx), TUZA_UNTIL(r.act_at)) == 1)
		return 0;
	tuza_reservation_cancel(&r);
	return tuza_context_err(ctx);
}

// ---- reservations --------------------------------------------------------------------------

EXPORT tuza_duration tuza_reservation_delay_from(const tuza_reservation *r, int64_t t)
{
	if (!r->ok || r->act_at == INT64_MAX)
		return INT64_MAX;
	return elapsed(t, r->act_at);
}

EXPORT tuza_duration tuza_reservation_delay(const tuza_reservation *r)
{
	return tuza_reservation_delay_from(r, clock_now());
}

// Needs: the lock.
static void give_back(tuza_limiter *l, const tuza_reservation *r, int64_t t)
{
	if (is_unlimited(l->limit) || r->n == 0 || r->act_at < t)
		return;
	// What was reserved after it, at its own limit.
	double later = tokens_in(r->limit, elapsed(r->act_at, l->last_event));
	double restored = (double)r->n - later;
	if (restored <= 0)
		return;
	double tokens = tokens_at(l, t) + restored;
	l->last = t;
	l->tokens = tokens > (double)l->burst ? (double)l->burst : tokens;
	if (r->act_at == l->last_event) {
		int64_t previous;
		if (!__builtin_sub_overflow(
			    r->act_at, time_for(r->limit, (double)r->n), &previous) &&
			previous >= t)
			l->last_event = previous;
	}
}

static void cancel(const tuza_reservation *r, const int64_t *t)
{
	if (!r->ok)
		return;
	int64_t at = lock_at(r->limiter, t);
	give_back(r->limiter, r, at);
	unlock(r->limiter);
}

EXPORT void tuza_reservation_cancel(const tuza_reservation *r) { cancel(r, NULL); }

EXPORT void tuza_reservation_cancel_at(const tuza_reservation *r, int64_t t) { cancel(r, &t); }

// ---- looking and changing ------------------------------------------------------------------

EXPORT double tuza_limiter_limit(tuza_limiter *l)
{
	tuza_mutex_lock(&l->lock);
	double limit = l->limit;
	tuza_mutex_unlock(&l->lock);
	return limit;
}

EXPORT int64_t tuza_limiter_burst(tuza_limiter *l)
{
	tuza_mutex_lock(&l->lock);
	int64_t burst = l->burst;
	tuza_mutex_unlock(&l->lock);
	return burst;
}

static double tokens(tuza_limiter *l, const int64_t *t)
{
	int64_t at = lock_at(l, t);
	double there = tokens_at(l, at);
	unlock(l);
	return there;
}

EXPORT double tuza_limiter_tokens(tuza_limiter *l) { return tokens(l, NULL); }

EXPORT double tuza_limiter_tokens_at(tuza_limiter *l, int64_t t) { return tokens(l, &t); }

// Locks, and takes in what has come at the old limit and burst.
static void lock_to_change(tuza_limiter *l, const int64_t *t)
{
	int64_t at = lock_at(l, t);
	l->tokens = tokens_at(l, at);
	l->last = at;
}

static void set_limit(tuza_limiter *l, const int64_t *t, double limit)
{
	lock_to_change(l, t);
	l->limit = limit;
	unlock(l);
}

EXPORT void tuza_limiter_set_limit(tuza_limiter *l, double limit) { set_limit(l, NULL, limit); }

EXPORT void tuza_limiter_set_limit_at(tuza_limiter *l, int64_t t, double limit)
{
	set_limit(l, &t, limit);
}

static void set_burst(tuza_limiter *l, const int64_t *t, int64_t burst)
{
	lock_to_change(l, t);
	l->burst = burst;
	unlock(l);
}

EXPORT void tuza_limiter_set_burst(tuza_limiter *l, int64_t burst) { set_burst(l, NULL, burst); }

EXPORT void tuza_limiter_set_burst_at(tuza_limiter *l, int64_t t, int64_t burst)
{
	set_burst(l, &t, burst);
}
