// SPDX-License-Identifier: MIT
/*
 * Waiting at a rate limit. After golang.org/x/time/rate's tests.
 */
#include "sync_support.h"

#include <tuza/context.h>
#include <tuza/limiter.h>

// One event in 11 days: no test lasts that long.
#define VERY_SLOW 1e-6

// E6, T7.4
TEST(wait_fails_at_once_when_it_must)
{
	tuza_context *background = tuza_context_background();
	tuza_context *hour = tuza_context_with_timeout(background, TUZA_HOUR);
	tuza_context *ended = tuza_context_with_cancel(background);
	tuza_context *late = tuza_context_with_timeout(background, 0);
	tuza_limiter l;

	tuza_limiter_init(&l, VERY_SLOW, 3);
	CHECK_EQ(tuza_limiter_wait(&l, background, 4), TUZA_EBURST);
	tuza_context_cancel(ended);
	CHECK_EQ(tuza_limiter_wait(&l, ended, 1), -ECANCELED);
	CHECK_EQ(tuza_limiter_wait(&l, ended, 4), TUZA_EBURST);
	CHECK_EQ(tuza_limiter_wait(&l, late, 1), -ETIMEDOUT);
	CHECK_EQ(tuza_limiter_wait(&l, background, 0), 0);
	CHECK_EQ(tuza_limiter_wait(&l, background, 2), 0);
	CHECK_EQ(tuza_limiter_wait(&l, hour, 1), 0);
	CHECK_EQ(tuza_limiter_wait(&l, hour, 1), TUZA_EDEADLINE);
	CHECK(tuza_limiter_tokens(&l) >= 0); // nothing was taken for it
	CHECK_STR(tuza_strerror(TUZA_EBURST), "rate: Wait exceeds limiter's burst");
	CHECK_STR(tuza_strerror(TUZA_EDEADLINE), "rate: Wait would exceed context deadline");
	tuza_context_free(hour);
	tuza_context_free(ended);
	tuza_context_free(late);
}

struct waiter {
	tuza_limiter *limiter;
	tuza_context *ctx;
	int64_t n;
	atomic_int result;
};

static void wait_as(struct waiter *w)
{
	int code = tuza_limiter_wait(w->limiter, w->ctx, w->n);
	w->result = code == 0 ? 1 : code;
}

// E6
TEST(a_cancelled_wait_gives_its_tokens_back)
{
	const double limits[] = {VERY_SLOW, 0};

	for (int i = 0; i < 2; i++) {
		tuza_limiter l;
		struct waiter w = {.limiter = &l, .n = 2};
		w.ctx = tuza_context_with_cancel(tuza_context_background());
		tuza_limiter_init(&l, limits[i], 2);
		CHECK(tuza_limiter_allow_n(&l, tuza_now(), 2));
		TUZA_GO(wait_as, &w);
		wait_parked("select", 1);
		CHECK_EQ(w.result, 0);
		CHECK(tuza_limiter_tokens(&l) < -1);
		tuza_context_cancel(w.ctx);
		WAIT_UNTIL(w.result != 0);
		CHECK_EQ(w.result, -ECANCELED);
		CHECK(tuza_limiter_tokens(&l) >= 0);
		tuza_context_free(w.ctx);
	}
}

static void *wait_on_thread(void *limiter)
{
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), TUZA_HOUR);

	for (int i = 0; i < 5; i++)
		CHECK_EQ(tuza_limiter_wait(limiter, ctx, 1), 0);
	tuza_context_free(ctx);
	return NULL;
}

static void wait_five_times(void *limiter)
{
	for (int i = 0; i < 5; i++)
		CHECK_EQ(tuza_limiter_wait(limiter, tuza_context_background(), 1), 0);
}

// T7.4: no more than the limit in the long run; how many at least is the machine's to say.
TEST(waits_let_no_more_pass_than_the_limit)
{
	tuza_limiter l;
	pthread_t thread;
	int64_t start = tuza_now();

	tuza_limiter_init(&l, 1000, 1);
	CHECK(tuza_limiter_allow(&l));
	pthread_create(&thread, NULL, wait_on_thread, &l);
	run_goroutines(3, wait_five_times, &l);
	tuza_blocking_begin();
	pthread_join(thread, NULL);
	tuza_blocking_end();
	// 20 events after the first, however the callers overtake each other; what is computed in
	// doubles is right to the microsecond.
	CHECK(tuza_now() - start >= 20 * TUZA_MILLISECOND - TUZA_MICROSECOND);
}
