// SPDX-License-Identifier: MIT
/*
 * Rate limits. After golang.org/x/time/rate's tests. Almost all of them bring their own time: T(3)
 * is three tenths of a second after the beginning, and TENTH a limit of one event each.
 */
#include "sync_support.h"

#include <math.h>
#include <tuza/context.h>
#include <tuza/limiter.h>

#define T(tenths) ((int64_t)1000000 * TUZA_SECOND + (tenths) * (TUZA_SECOND / 10))
#define TENTH 10.0
#define NEVER INT64_MAX

// One event in 11 days: no test lasts that long.
#define VERY_SLOW 1e-6

struct attempt {
	int at;
	int64_t n;
	bool allowed;
};

static void check_attempts(
	double limit, int64_t burst, const struct attempt *attempts, size_t count, int line)
{
	tuza_limiter l;

	tuza_limiter_init(&l, limit, burst);
	for (size_t i = 0; i < count; i++) {
		const struct attempt *a = &attempts[i];
		if (!CHECK_EQ(tuza_limiter_allow_n(&l, T(a->at), a->n), a->allowed))
			printf("  that was attempt %zu of line %d\n", i, line);
	}
}
#define CHECK_ATTEMPTS(limit, burst, ...)                                                          \
	do {                                                                                       \
		static const struct attempt attempts[] = {__VA_ARGS__};                            \
		check_attempts(                                                                    \
			limit, burst, attempts, sizeof(attempts) / sizeof(attempts[0]), __LINE__); \
	} while (0)

// ---- allow -------------------------------------------------------------------------------------

// E6, T7.4: a bucket starts full; what does not fit takes nothing.
TEST(allow_lets_a_burst_through_and_then_as_much_as_has_come)
{
	CHECK_ATTEMPTS(TENTH, 1, {0, 1, true}, {0, 1, false}, {0, 1, false}, {1, 1, true},
		{1, 1, false}, {2, 2, false}, {2, 1, true}, {2, 1, false});
	CHECK_ATTEMPTS(TENTH, 3, {0, 2, true}, {0, 2, false}, {0, 1, true}, {0, 1, false},
		{1, 4, false}, {2, 1, true}, {3, 1, true}, {4, 1, true}, {4, 1, true},
		{4, 1, false}, {9, 3, true}, {9, 0, true}, {9, 1, false});
}

// T7.4
TEST(a_clock_that_jumps_back_brings_no_tokens)
{
	CHECK_ATTEMPTS(TENTH, 3, {1, 1, true}, {0, 1, true}, {0, 1, true}, {0, 1, false},
		{0, 1, false}, {1, 1, true}, {1, 1, false}, {2, 1, true}, {2, 1, false});
}

// T7.4: after many steps it has neither lost a token nor found one.
TEST(steps_of_time_do_not_add_up_to_an_error)
{
	tuza_limiter l;
	int allowed = 0;

	tuza_limiter_init(&l, 0.7692307692307693, 1);
	CHECK(tuza_limiter_allow(&l));
	tuza_limiter_init(&l, 1000, 1);
	for (int64_t us = 0; us < TUZA_SECOND / TUZA_MICROSECOND; us += 7)
		allowed += tuza_limiter_allow_n(&l, T(0) + us * TUZA_MICROSECOND, 1);
	// An attempt each 7 us: every event is up to that late.
	CHECK(allowed >= 1000 * 1000 / 1007 && allowed <= 1001);
}

TEST(a_zeroed_limiter_lets_nothing_pass)
{
	tuza_limiter l = {0};

	CHECK(!tuza_limiter_allow(&l));
	CHECK(tuza_limiter_allow_n(&l, T(0), 0));
	CHECK(!tuza_limiter_reserve(&l).ok);
	CHECK_EQ(tuza_limiter_wait(&l, tuza_context_background(), 1), TUZA_EBURST);
}

// E6, T7.4: zero and tiny limits
TEST(a_limit_of_zero_allows_the_burst_alone)
{
	const double none[] = {0, -1, NAN};

	for (int i = 0; i < 3; i++) {
		tuza_limiter l;
		tuza_limiter_init(&l, none[i], 2);
		CHECK(tuza_limiter_allow_n(&l, T(0), 1));
		CHECK(tuza_limiter_allow_n(&l, T(0), 1));
		CHECK(!tuza_limiter_allow_n(&l, T(1), 1));
		CHECK(!tuza_limiter_allow_n(&l, NEVER, 1));
		tuza_reservation r = tuza_limiter_reserve_n(&l, T(2), 1);
		CHECK(r.ok);
		CHECK_EQ(tuza_reservation_delay_from(&r, T(2)), NEVER);
	}
	tuza_limiter tiny;
	tuza_limiter_init(&tiny, 1e-300, 1);
	CHECK(tuza_limiter_allow_n(&tiny, T(0), 1));
	CHECK(!tuza_limiter_allow_n(&tiny, T(1), 1));
	tuza_reservation r = tuza_limiter_reserve_n(&tiny, T(2), 1);
	CHECK_EQ(tuza_reservation_delay_from(&r, T(2)), NEVER);
	tuza_reservation_cancel_at(&r, T(2));
	CHECK(tuza_limiter_tokens_at(&tiny, T(3)) >= 0);
}

// E6
TEST(without_a_limit_the_burst_does_not_matter)
{
	const double all[] = {TUZA_LIMIT_INF, INFINITY, tuza_limiter_every(0)};

	for (int i = 0; i < 3; i++) {
		tuza_limiter l;
		tuza_limiter_init(&l, all[i], 0);
		for (int n = 0; n < 100; n++)
			CHECK(tuza_limiter_allow_n(&l, T(0), 1000));
		tuza_reservation r = tuza_limiter_reserve_n(&l, T(0), 1000);
		CHECK(r.ok);
		CHECK_EQ(tuza_reservation_delay_from(&r, T(0)), 0);
		tuza_reservation_cancel_at(&r, T(0));
		CHECK_EQ(tuza_limiter_wait(&l, tuza_context_background(), 1000), 0);
	}
}

struct crowd {
	tuza_limiter limiter;
	atomic_int allowed;
};

static void try_often(void *arg)
{
	struct crowd *c = arg;
	for (int i = 0; i < 200; i++)
		c->allowed += tuza_limiter_allow(&c->limiter);
}

// T7.4: simultaneous requests
TEST(of_many_at_once_as_many_pass_as_the_burst)
{
	struct crowd c = {.allowed = 0};

	tuza_limiter_init(&c.limiter, VERY_SLOW, 15);
	run_goroutines(10, try_often, &c);
	CHECK_EQ(c.allowed, 15);
}

static void try_very_often(void *arg)
{
	struct crowd *c = arg;
	int allowed = 0;

	for (int i = 0; i < 100000; i++)
		allowed += tuza_limiter_allow(&c->limiter);
	c->allowed += allowed;
}

// T7.4: no more than the limit in the long run, though callers overtake each other, and the kernel
// stops some for a while.
TEST(in_the_long_run_no_more_pass_than_the_limit)
{
	const double limit = 5e6, burst = 1e5;
	struct crowd c = {.allowed = 0};
	int64_t start = tuza_now();

	tuza_limiter_init(&c.limiter, limit, (int64_t)burst);
	run_goroutines(8, try_very_often, &c);
	double most = burst + (double)(tuza_now() - start) / (double)TUZA_SECOND * limit;
	CHECK(c.allowed >= burst);
	if (!CHECK(c.allowed <= most + 1))
		printf("  %d events, not %.0f\n", c.allowed, most);
}

static void allow_negative(void *l) { (void)!tuza_limiter_allow_n(l, T(0), -1); }
static void reserve_negative(void *l) { (void)!tuza_limiter_reserve_n(l, T(0), -1).ok; }
static void wait_negative(void *l) { (void)!tuza_limiter_wait(l, tuza_context_background(), -1); }
static void wait_without_context(void *l) { (void)!tuza_limiter_wait(l, NULL, 1); }

TEST(negative_numbers_and_no_context_panic)
{
	tuza_limiter l;

	tuza_limiter_init(&l, TENTH, 1);
	CHECK_PANICS("tuza: negative number of events", allow_negative, &l);
	CHECK_PANICS("tuza: negative number of events", reserve_negative, &l);
	CHECK_PANICS("tuza: negative number of events", wait_negative, &l);
	CHECK_PANICS("nil context", wait_without_context, &l);
	CHECK(tuza_limiter_allow(&l));
}

TEST(every_is_the_limit_of_an_interval)
{
	CHECK(tuza_limiter_every(TUZA_SECOND / 10) == TENTH);
	CHECK(tuza_limiter_every(2 * TUZA_SECOND) == 0.5);
	CHECK(tuza_limiter_every(-1) >= TUZA_LIMIT_INF);
}

// ---- reserve -----------------------------------------------------------------------------------

// Reserves n at T(at), which must come at T(act); tells the place if not. act < 0: must not be had.
static tuza_reservation reserve_at(tuza_limiter *l, int at, int64_t n, int act, int line)
{
	tuza_reservation r = tuza_limiter_reserve_n(l, T(at), n);
	int64_t late = r.act_at - T(act);
	bool right = r.ok == (act >= 0) &&
		     (!r.ok || (late > -TUZA_MICROSECOND && late < TUZA_MICROSECOND));

	if (!CHECK(right))
		printf("  line %d: ok is %d, %lld ns late\n", line, r.ok, (long long)late);
	return r;
}
#define RESERVE(at, n, act) reserve_at(&l, at, n, act, __LINE__)

#define LIMITER(limit, burst)                                                                      \
	tuza_limiter l;                                                                            \
	tuza_limiter_init(&l, limit, burst)

TEST(reservations_are_built_on_one_another)
{
	LIMITER(TENTH, 2);
	RESERVE(0, 2, 0);
	RESERVE(0, 2, 2);
	RESERVE(3, 2, 4);
	RESERVE(3, 3, -1); // above the burst: nothing was taken
	RESERVE(3, 1, 5);
}

TEST(the_delay_is_what_is_left_until_the_event)
{
	LIMITER(TENTH, 1);
	RESERVE(0, 1, 0);
	tuza_reservation r = RESERVE(0, 1, 1), none = RESERVE(0, 2, -1);
	CHECK_EQ(tuza_reservation_delay_from(&r, T(0)), r.act_at - T(0));
	CHECK_EQ(tuza_reservation_delay_from(&r, r.act_at - 7), 7);
	CHECK_EQ(tuza_reservation_delay_from(&r, r.act_at), 0);
	CHECK_EQ(tuza_reservation_delay_from(&r, T(5)), 0);
	CHECK_EQ(tuza_reservation_delay_from(&none, T(0)), NEVER);
	tuza_reservation_cancel_at(&none, T(0));
	RESERVE(0, 1, 2);

	tuza_limiter_init(&l, VERY_SLOW, 1);
	r = tuza_limiter_reserve(&l);
	CHECK_EQ(tuza_reservation_delay(&r), 0);
	r = tuza_limiter_reserve(&l);
	CHECK(tuza_reservation_delay(&r) > 24 * TUZA_HOUR);
	tuza_reservation_cancel(&r);
	r = tuza_limiter_reserve(&l);
	CHECK(tuza_reservation_delay(&r) <= 1000001 * TUZA_SECOND);
}

// T7.4: reserve/cancel arithmetic
TEST(cancel_gives_the_last_reservation_back)
{
	LIMITER(TENTH, 2);
	RESERVE(0, 2, 0);
	tuza_reservation r = RESERVE(0, 2, 2);
	tuza_reservation_cancel_at(&r, T(1));
	RESERVE(1, 2, 2);
}

TEST(cancel_after_the_event_gives_nothing_back)
{
	LIMITER(TENTH, 2);
	RESERVE(0, 2, 0);
	tuza_reservation r = RESERVE(0, 2, 2);
	tuza_reservation_cancel_at(&r, T(3));
	RESERVE(3, 2, 4);
}

TEST(cancel_does_not_give_back_what_later_reservations_count_on)
{
	{
		LIMITER(TENTH, 2);
		RESERVE(0, 2, 0);
		tuza_reservation r = RESERVE(0, 1, 1);
		RESERVE(0, 1, 2);
		tuza_reservation_cancel_at(&r, T(0)); // 0 of 1
		RESERVE(0, 1, 3);
	}
	{
		LIMITER(TENTH, 4);
		RESERVE(0, 4, 0);
		tuza_reservation r = RESERVE(0, 1, 1);
		RESERVE(0, 3, 4);
		tuza_reservation_cancel_at(&r, T(0)); // 0 of 1, not less
		RESERVE(0, 1, 5);
	}
	{
		LIMITER(TENTH, 2);
		RESERVE(0, 2, 0);
		tuza_reservation r = RESERVE(0, 2, 2);
		RESERVE(0, 1, 3);
		tuza_reservation_cancel_at(&r, T(2)); // 1 of 2
		RESERVE(2, 2, 4);
	}
	{
		LIMITER(TENTH, 4);
		RESERVE(0, 4, 0);
		tuza_reservation first = RESERVE(0, 3, 3);
		RESERVE(0, 1, 4);
		tuza_reservation last = RESERVE(0, 1, 5);
		tuza_reservation_cancel_at(&last, T(1));  // 1 of 1
		tuza_reservation_cancel_at(&first, T(1)); // 2 of 3
		RESERVE(1, 3, 5);
	}
}

TEST(reservations_survive_a_clock_that_jumps_back)
{
	LIMITER(TENTH, 2);
	RESERVE(1, 2, 1);
	RESERVE(0, 1, 1);
	RESERVE(2, 2, 3);

	tuza_limiter_init(&l, TENTH, 2);
	RESERVE(1, 2, 1);
	tuza_reservation r = RESERVE(1, 2, 3);
	RESERVE(1, 1, 4);
	tuza_reservation_cancel_at(&r, T(0)); // 1 of 2
	RESERVE(1, 2, 4);
}

// T7.4: Go: SetLimit/SetBurst with outstanding reservations
TEST(a_new_limit_or_burst_leaves_reservations_alone)
{
	{
		LIMITER(5, 2);
		RESERVE(0, 2, 0);
		tuza_reservation r = RESERVE(0, 2, 4);
		tuza_limiter_set_limit_at(&l, T(2), TENTH);
		RESERVE(2, 1, 4);
		CHECK_EQ(r.act_at, T(4));
	}
	{
		LIMITER(5, 2);
		RESERVE(0, 2, 0);
		RESERVE(0, 2, 4);
		tuza_limiter_set_burst_at(&l, T(3), 4);
		RESERVE(3, 4, 12);
	}
	{
		LIMITER(5, 2);
		RESERVE(0, 2, 0);
		tuza_reservation r = RESERVE(0, 2, 4);
		tuza_limiter_set_limit_at(&l, T(2), TENTH);
		tuza_reservation_cancel_at(&r, T(2)); // 2 of 2
		RESERVE(2, 2, 3);
	}
}

TEST(limit_burst_and_tokens_can_be_read_and_set)
{
	LIMITER(TENTH, 4);
	CHECK(tuza_limiter_limit(&l) == TENTH);
	CHECK_EQ(tuza_limiter_burst(&l), 4);
	CHECK(tuza_limiter_tokens_at(&l, T(0)) == 4);
	RESERVE(0, 3, 0);
	CHECK(tuza_limiter_tokens_at(&l, T(0)) == 1);
	CHECK(fabs(tuza_limiter_tokens_at(&l, T(1)) - 2) < 1e-6);
	CHECK(tuza_limiter_tokens_at(&l, T(9)) == 4);
	RESERVE(0, 4, 3);
	CHECK(tuza_limiter_tokens_at(&l, T(0)) == -3);
	tuza_limiter_set_burst_at(&l, T(9), 2);
	CHECK_EQ(tuza_limiter_burst(&l), 2);
	CHECK(tuza_limiter_tokens_at(&l, T(9)) == 2);

	tuza_limiter_init(&l, 0, 1);
	tuza_limiter_set_limit(&l, VERY_SLOW);
	CHECK(tuza_limiter_limit(&l) == VERY_SLOW);
	tuza_limiter_set_burst(&l, 5);
	CHECK(tuza_limiter_tokens(&l) >= 1 && tuza_limiter_tokens(&l) < 1.01);
}
