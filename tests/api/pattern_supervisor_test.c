// SPDX-License-Identifier: MIT
/*
 * The supervisor: what fails is started again, after a pause, but not for ever.
 */
#include "pattern_support.h"

static tuza_context *background;
__attribute__((constructor)) static void setup(void) { background = tuza_context_background(); }

// What the function does each time, and what the supervisor told.
struct subject {
	int runs;    // plain: one run after the other
	int good_at; // the run that succeeds, from 1; 0: none
	bool panics, exits;
	tuza_context *cancel_in_run; // ended by the run

	int told;
	tuza_supervisor_failure last;
	char message[256];
	bool stack_told;
	tuza_duration pauses[64];
	tuza_context *cancel_when_told;
};

static int flaky(tuza_context *ctx, void *arg)
{
	struct subject *s = arg;

	(void)ctx;
	s->runs++;
	if (s->cancel_in_run)
		tuza_context_cancel(s->cancel_in_run);
	if (s->runs == s->good_at)
		return 0;
	if (s->panics)
		tuza_panic("run %d", s->runs);
	if (s->exits)
		tuza_goexit();
	return -EPIPE;
}

static void note(const tuza_supervisor_failure *f, void *arg)
{
	struct subject *s = arg;

	s->last = *f;
	snprintf(s->message, sizeof s->message, "%s", f->message);
	s->stack_told = f->stack[0] != 0;
	s->pauses[s->told++ % 64] = f->pause;
	if (s->cancel_when_told)
		tuza_context_cancel(s->cancel_when_told);
}

static tuza_supervisor_options quick(struct subject *s)
{
	tuza_supervisor_options o = {
		.backoff = 10 * TUZA_MICROSECOND,
		.backoff_max = 100 * TUZA_MICROSECOND,
		.within = TUZA_HOUR,
		.on_failure = note,
		.on_failure_arg = s,
	};
	return o;
}

TEST(success_is_not_repeated)
{
	struct subject s = {.good_at = 1};

	CHECK_EQ(tuza_supervise(background, NULL, flaky, &s), 0);
	CHECK_EQ(s.runs, 1);
}

TEST(failures_of_all_kinds_are_restarted_until_one_succeeds)
{
	for (int kind = 0; kind < 3; kind++) {
		struct subject s = {.good_at = 4, .panics = kind == 1, .exits = kind == 2};
		tuza_supervisor_options o = quick(&s);

		CHECK_EQ(tuza_supervise(background, &o, flaky, &s), 0);
		CHECK_EQ(s.runs, 4);
		CHECK_EQ(s.told, 3);
		CHECK_EQ(s.last.failures, 3);
		CHECK_EQ(s.last.code, kind ? TUZA_EPANIC : -EPIPE);
		CHECK_STR(s.message, kind == 1 ? "run 3" : tuza_strerror(s.last.code));
		CHECK_EQ(s.stack_told, kind == 1);
		for (int i = 0; i < 3; i++) {
			tuza_duration whole = (10 << i) * TUZA_MICROSECOND;
			CHECK(s.pauses[i] >= whole / 2 && s.pauses[i] <= whole);
		}
	}
}

TEST(too_many_restarts_within_the_time_give_up_with_the_last_code)
{
	struct subject s = {.good_at = 0};
	tuza_supervisor_options o = quick(&s);

	CHECK_EQ(tuza_supervise(background, &o, flaky, &s), -EPIPE);
	CHECK_EQ(s.runs, 1 + 5);
	CHECK_EQ(s.told, 6);
	CHECK_EQ(s.last.pause, -1);
	s = (struct subject){.panics = true};
	o.restarts = 20;
	CHECK_EQ(tuza_supervise(background, &o, flaky, &s), TUZA_EPANIC);
	CHECK_EQ(s.runs, 1 + 20);
	for (int i = 5; i < 20; i++)
		CHECK(s.pauses[i] >= 50 * TUZA_MICROSECOND &&
			s.pauses[i] <= 100 * TUZA_MICROSECOND);
}

TEST(restarts_out_of_the_window_do_not_count)
{
	struct subject s = {.good_at = 30};
	tuza_supervisor_options o = quick(&s);

	// Each pause is as long as the window of one restart.
	o.restarts = 1;
	o.within = TUZA_MICROSECOND;
	CHECK_EQ(tuza_supervise(background, &o, flaky, &s), 0);
	CHECK_EQ(s.runs, 30);
}

TEST(run_that_lasted_begins_the_back_off_anew)
{
	struct subject s = {.good_at = 20};
	tuza_supervisor_options o = quick(&s);

	o.restarts = SIZE_MAX;
	o.within = 1; // ns: every run lasts longer
	CHECK_EQ(tuza_supervise(background, &o, flaky, &s), 0);
	CHECK_EQ(s.told, 19);
	for (int i = 0; i < s.told; i++)
		CHECK(s.pauses[i] <= 10 * TUZA_MICROSECOND);
}

// Those of the window are counted, however many they may be, and as many as there were before.
TEST(limit_of_restarts_may_be_as_large_as_one_likes)
{
	static const size_t limits[] = {1, 7, 8, 9, 100, INT32_MAX, SIZE_MAX - 1};

	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		struct subject s = {.good_at = 150};
		tuza_supervisor_options o = quick(&s);
		bool enough = limits[i] >= 149;

		o.restarts = limits[i];
		o.backoff = o.backoff_max = TUZA_MICROSECOND;
		CHECK_EQ(tuza_supervise(background, &o, flaky, &s), enough ? 0 : -EPIPE);
		CHECK_EQ(s.runs, enough ? 150 : (int)limits[i] + 1);
	}
}

TEST(without_a_limit_it_goes_on_until_the_context_ends)
{
	tuza_context *ctx = tuza_context_with_cancel(background);
	struct subject s = {.good_at = 200};
	tuza_supervisor_options o = quick(&s);

	o.restarts = SIZE_MAX;
	CHECK_EQ(tuza_supervise(ctx, &o, flaky, &s), 0);
	CHECK_EQ(s.runs, 200);
	s = (struct subject){.cancel_in_run = ctx};
	CHECK_EQ(tuza_supervise(ctx, &o, flaky, &s), -ECANCELED);
	CHECK_EQ(s.runs, 1);
	CHECK_EQ(s.told, 0); // to stop as one is told is no failure
	CHECK_EQ(tuza_supervise(ctx, &o, flaky, &s), -ECANCELED);
	CHECK_EQ(s.runs, 1); // not even begun
	tuza_context_free(ctx);
}

TEST(context_ends_the_pause)
{
	tuza_context *ctx = tuza_context_with_cancel(background);
	struct subject s = {.cancel_when_told = ctx};
	tuza_supervisor_options o = quick(&s);
	int64_t began = tuza_now();

	o.backoff = o.backoff_max = TUZA_HOUR;
	CHECK_EQ(tuza_supervise(ctx, &o, flaky, &s), -ECANCELED);
	CHECK(tuza_now() - began < TUZA_MINUTE);
	CHECK_EQ(s.runs, 1);
	tuza_context_free(ctx);
}

// ---- in a scope ----------------------------------------------------------------------------

static int wait_for_end(tuza_context *ctx, void *arg)
{
	++*(atomic_int *)arg;
	tuza_recv(tuza_context_done(ctx), (int *)NULL);
	return tuza_context_err(ctx);
}

TEST(one_for_one_restarts_the_one_that_failed_alone)
{
	tuza_scope *scope = tuza_scope_open(background);
	struct subject s = {.good_at = 5, .panics = true};
	tuza_supervisor_options o = quick(&s);
	atomic_int starts = 0;

	CHECK_EQ(tuza_scope_supervise(scope, &o, flaky, &s), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(tuza_scope_supervise(scope, &o, wait_for_end, &starts), 0);
	o.on_failure = NULL; // the options were read
	WAIT_UNTIL(starts == 3);
	WAIT_UNTIL(tuza_num_goroutine() == 1 + 3 * 2); // the flaky one has done its work
	CHECK_EQ(s.runs, 5);
	CHECK_EQ(s.told, 4);
	CHECK_EQ(starts, 3);
	tuza_scope_cancel(scope);
	CHECK_EQ(tuza_scope_close(scope), -ECANCELED);
}

TEST(one_that_is_given_up_ends_the_others)
{
	tuza_scope *scope = tuza_scope_open(background);
	struct subject s = {.good_at = 0};
	tuza_supervisor_options o = quick(&s);
	atomic_int starts = 0;

	for (int i = 0; i < 3; i++)
		tuza_scope_supervise(scope, &o, wait_for_end, &starts);
	WAIT_UNTIL(starts == 3);
	tuza_scope_supervise(scope, &o, flaky, &s);
	CHECK_EQ(tuza_scope_close(scope), -EPIPE);
	CHECK_EQ(s.runs, 6);
}

// ---- misuse --------------------------------------------------------------------------------

static void no_context(void *unused)
{
	(void)unused;
	(void)tuza_supervise(NULL, NULL, flaky, NULL);
}
static void negative(void *unused)
{
	tuza_supervisor_options o = {.backoff = -1};
	(void)unused;
	(void)tuza_supervise(background, &o, flaky, NULL);
}
static void panic_when_told(const tuza_supervisor_failure *f, void *arg)
{
	(void)arg;
	tuza_panic("told of %d", f->code == -EPIPE);
}
static void told_badly(void *arg)
{
	tuza_supervisor_options o = {.on_failure = panic_when_told};
	(void)tuza_supervise(background, &o, flaky, arg);
}

TEST(misuse_panics)
{
	struct subject s = {.good_at = 0};

	CHECK_PANICS("nil context", no_context, NULL);
	CHECK_PANICS("tuza_supervise: a negative time", negative, NULL);
	CHECK_PANICS("told of 1", told_badly, &s);
}
