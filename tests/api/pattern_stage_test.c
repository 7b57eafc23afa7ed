// SPDX-License-Identifier: MIT
/*
 * Pipelines: stages and fan-out. Values come out complete and in order; a cancel, a failure or a
 * panic ends the whole and is told by the context; nobody is left behind.
 */
#include "pattern_support.h"

static tuza_context *background;
__attribute__((constructor)) static void setup(void) { background = tuza_context_background(); }

static int plus(tuza_context *ctx, const void *in, void *out, void *arg)
{
	(void)ctx;
	*(int *)out = *(const int *)in + *(const int *)arg;
	return 0;
}

static int widen(tuza_context *ctx, const void *in, void *out, void *arg)
{
	int64_t *pair = out;

	(void)ctx;
	(void)arg;
	CHECK(pair[0] == 0 && pair[1] == 0); // zeroed, whatever was there before
	pair[0] = *(const int *)in;
	pair[1] = -pair[0];
	return 0;
}

TEST(values_pass_all_stages_in_order)
{
	int one = 1, ten = 10;

	for (size_t capacity = 0; capacity < 10; capacity += 3) {
		tuza_chan *c = numbers(background, 500, capacity);
		int64_t pair[2];
		int n = 0;

		c = tuza_pipeline_stage(background, c, sizeof(int), plus, &one);
		c = tuza_pipeline_stage(background, c, sizeof(int), plus, &ten);
		c = tuza_pipeline_stage(background, c, sizeof pair, widen, NULL);
		CHECK_EQ(tuza_chan_cap(c), capacity);
		for (; tuza_recv(c, &pair); n++)
			CHECK(pair[0] == n + 11 && pair[1] == -pair[0]);
		CHECK_EQ(n, 500);
		tuza_chan_release(c);
	}
}

TEST(closed_input_closes_the_output)
{
	tuza_chan *c = tuza_pipeline_stage(background, numbers_ready(0), 4, square, NULL);

	CHECK(!tuza_recv(c, (int *)NULL));
	tuza_chan_release(c);
}

static int nothing(tuza_context *ctx, const void *in, void *out, void *arg)
{
	(void)ctx;
	(void)in;
	(void)out;
	++*(atomic_int *)arg;
	return 0;
}

TEST(values_may_carry_nothing)
{
	atomic_int calls = 0;
	tuza_chan *c = tuza_chan_new(0, 3);

	for (int i = 0; i < 3; i++)
		tuza_chan_send(c, NULL);
	tuza_chan_close(c);
	c = tuza_pipeline_stage(background, c, 0, nothing, &calls);
	while (tuza_chan_recv(c, NULL))
		;
	CHECK_EQ(calls, 3);
	tuza_chan_release(c);
}

TEST(buffers_of_stages_have_a_limit)
{
	tuza_chan *in = tuza_chan_new_unbounded(sizeof(int));
	tuza_chan *c = tuza_pipeline_stage(background, tuza_chan_retain(in), 4, square, NULL);

	CHECK_EQ(tuza_chan_cap(c), 256);
	tuza_chan_close(in);
	CHECK(!tuza_recv(c, (int *)NULL));
	tuza_chan_release(in);
	tuza_chan_release(c);
}

// ---- early ends ----------------------------------------------------------------------------

// Once the output is closed the stage has let go of its input, its context and its argument.
TEST(stage_has_let_go_of_everything_when_its_output_is_closed)
{
	for (int i = 0; i < 200; i++) {
		int *arg = malloc(sizeof *arg);
		tuza_context *ctx = tuza_context_with_cancel(background);
		tuza_chan *c = tuza_pipeline_stage(ctx, owned_ready(20), 8, owned_square, NULL);
		int v = 0;

		*arg = 7;
		tuza_chan_on_drop(c, owned_drop);
		tuza_chan *d = tuza_pipeline_stage(ctx, numbers(ctx, -1, 0), 4, plus, arg);
		for (int k = 0; k < i % 5; k++)
			CHECK(tuza_recv(d, &v) && v == k + 7);
		tuza_context_free(ctx); // the stages have references of their own
		while (tuza_recv(d, &v))
			;
		free(arg);
		for (int *p; tuza_recv(c, &p);)
			owned_free(p);
		tuza_chan_release(c);
		tuza_chan_release(d);
	}
	WAIT_UNTIL(owned_now == 0);
}

// The context's end closes the last output, perhaps before the stages before it have returned.
TEST(cancel_ends_every_stage_of_an_endless_pipeline)
{
	static int one = 1;
	tuza_context *ctx = tuza_context_with_cancel(background);
	int v;
	tuza_chan *c = numbers(ctx, -1, 2);

	for (int i = 0; i < 10; i++)
		c = tuza_pipeline_stage(ctx, c, sizeof(int), plus, &one);
	for (int i = 0; i < 100; i++)
		CHECK(tuza_recv(c, &v) && v == i + 10);
	tuza_context_cancel(ctx);
	while (tuza_recv(c, &v))
		;
	tuza_chan_release(c);
	tuza_context_free(ctx);
}

TEST(stage_in_the_middle_of_a_send_is_ended_and_its_value_dropped)
{
	tuza_context *ctx = tuza_context_with_cancel(background);
	tuza_chan *in = tuza_chan_new(sizeof(int *), 0);
	tuza_chan_on_drop(in, owned_drop);
	tuza_chan *c = tuza_pipeline_stage(ctx, tuza_chan_retain(in), 8, owned_square, NULL);

	owned_dropped = 0;
	tuza_send(in, owned_new(5));
	CHECK(wait_parked("select", 1));
	tuza_chan_on_drop(c, owned_drop);
	tuza_context_cancel(ctx);
	CHECK(!tuza_recv(c, (int **)NULL));
	tuza_chan_release(in);
	tuza_chan_release(c);
	WAIT_UNTIL(owned_now == 0);
	CHECK_EQ(owned_dropped, 1);
	tuza_context_free(ctx);
}

// Closes what it has no reference to.
static void send_uncounted(tuza_context *ctx, tuza_chan *c, atomic_int *ended, bool slowly)
{
	int *p = NULL;

	do {
		p = owned_new(1);
		if (slowly)
			tuza_yield();
	} while (tuza_chan_send_ctx(c, ctx, &p) == 0);
	owned_free(p);
	if (slowly)
		tuza_sleep(TUZA_MILLISECOND); // the stage has left by now, most often
	tuza_chan_close(c);
	tuza_context_release(ctx);
	++*ended;
}

// AddressSanitizer watches: neither side touches what the other has freed, and it is freed.
TEST(sender_without_a_reference_may_close_after_the_stage_has_left)
{
	for (int i = 0; i < 100; i++) {
		tuza_context *ctx = tuza_context_with_cancel(background);
		tuza_chan *in = tuza_chan_new(sizeof(int *), (size_t)i % 3);
		atomic_int ended = 0;
		int *p;

		tuza_chan_on_drop(in, owned_drop);
		TUZA_GO(send_uncounted, tuza_context_retain(ctx), in, &ended, i % 10 == 0);
		tuza_chan *out = tuza_pipeline_stage(ctx, in, sizeof p, owned_square, NULL);
		tuza_chan_on_drop(out, owned_drop);
		if (i % 2 && CHECK(tuza_recv(out, &p)))
			owned_free(p);
		tuza_context_free(ctx);
		while (tuza_recv(out, &p))
			owned_free(p);
		tuza_chan_release(out);
		WAIT_UNTIL(ended == 1 && owned_now == 0);
	}
}

static int fail_at(tuza_context *ctx, const void *in, void *out, void *arg)
{
	int n = *(const int *)in;

	(void)ctx;
	*(int *)out = n;
	return n == *(const int *)arg ? -EBADMSG : 0;
}

// As above, stages may still run when the last output is closed.
TEST(failure_ends_the_context_with_its_code_and_the_pipeline_with_it)
{
	static int one = 1, at = 50;
	tuza_context *ctx = tuza_context_with_cancel(background);
	int v, n = 0;
	tuza_chan *c = numbers(ctx, -1, 0);

	c = tuza_pipeline_stage(ctx, c, sizeof(int), plus, &one);
	c = tuza_pipeline_stage(ctx, c, sizeof(int), fail_at, &at);
	c = tuza_pipeline_stage(ctx, c, sizeof(int), plus, &one);
	while (tuza_recv(c, &v))
		CHECK_EQ(v, n++ + 2);
	CHECK(n <= at - 1);
	CHECK_EQ(tuza_context_err(ctx), -ECANCELED);
	CHECK_EQ(tuza_context_cause(ctx), -EBADMSG);
	tuza_chan_release(c);
	tuza_context_free(ctx);
}

// A merged output is closed by the end of the context, perhaps before each stage has returned.
TEST(failure_on_the_first_or_the_last_value_is_told)
{
	static int ends[] = {0, 29};

	for (int i = 0; i < 6; i++) {
		tuza_context *ctx = tuza_context_with_cancel(background);
		int *at = &ends[i % 2], v, n = 0;
		tuza_chan *in = numbers_ready(30), *outs[3], *c;

		if (i < 2) {
			c = tuza_pipeline_stage(ctx, in, sizeof(int), fail_at, at);
		} else {
			size_t width = i < 4 ? 1 : 3;
			CHECK_EQ(tuza_fan_out(ctx, in, width, 4, fail_at, at, outs), 0);
			c = tuza_fan_in(ctx, width, outs);
		}
		for (; tuza_recv(c, &v); n++)
			CHECK(v != *at);
		CHECK(n <= 29);
		CHECK_EQ(tuza_context_cause(ctx), -EBADMSG);
		tuza_chan_release(c);
		tuza_context_free(ctx);
	}
}

// Nothing ends the context of those who feed the stage: they must not be left waiting.
TEST(failure_without_a_context_to_tell_drains_the_input)
{
	static int key;
	int at = 5, v, n = 0;
	tuza_context *value = tuza_context_with_value(background, &key, NULL);
	tuza_context *contexts[] = {background, value};

	for (int i = 0; i < 2; i++, n = 0) {
		tuza_chan *in = tuza_chan_new(sizeof(int), 0);
		tuza_chan *c = tuza_pipeline_stage(
			contexts[i], tuza_chan_retain(in), sizeof(int), fail_at, &at);
		TUZA_GO(numbers_send, tuza_context_retain(background), in, 1000);
		while (tuza_recv(c, &v))
			CHECK_EQ(v, n++);
		CHECK_EQ(n, at);
		tuza_chan_release(c);
	}
	tuza_context_free(value);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}

static int crash_at(tuza_context *ctx, const void *in, void *out, void *arg)
{
	int n = *(const int *)in;

	(void)ctx;
	*(int *)out = n;
	if (n == 3 && arg)
		tuza_goexit();
	if (n == 3)
		tuza_panic("three");
	return 0;
}

TEST(panic_and_goexit_of_work_are_failures)
{
	for (int by_goexit = 0; by_goexit < 2; by_goexit++) {
		tuza_context *ctx = tuza_context_with_cancel(background);
		tuza_chan *c = tuza_pipeline_stage(
			ctx, numbers(ctx, -1, 0), 4, crash_at, by_goexit ? ctx : NULL);
		int v, n = 0;

		while (tuza_recv(c, &v))
			CHECK_EQ(v, n++);
		CHECK(n <= 3);
		CHECK_EQ(tuza_context_cause(ctx), TUZA_EPANIC);
		tuza_chan_release(c);
		tuza_context_free(ctx);
	}
}

TEST(goexit_without_a_context_to_tell_ends_the_output)
{
	tuza_chan *c = tuza_pipeline_stage(
		background, numbers(background, 100, 0), 4, crash_at, background);
	int v, n = 0;

	while (tuza_recv(c, &v))
		CHECK_EQ(v, n++);
	CHECK_EQ(n, 3);
	tuza_chan_release(c);
}

// ---- fan-out -------------------------------------------------------------------------------

TEST(fan_out_gives_each_value_to_one_output)
{
	enum { N = 300, OUTS = 4 };
	tuza_chan *outs[OUTS];
	bool seen[N] = {false};
	int zero = 0, count = 0;

	CHECK_EQ(tuza_fan_out(background, numbers(background, N, 8), OUTS, sizeof(int), plus, &zero,
			 outs),
		0);
	tuza_chan *all = tuza_fan_in(background, OUTS, outs);
	for (int v; tuza_recv(all, &v); count++) {
		CHECK(v >= 0 && v < N && !seen[v]);
		seen[v] = true;
	}
	CHECK_EQ(count, N);
	tuza_chan_release(all);
}

TEST(output_that_nobody_reads_does_not_hold_the_others_up)
{
	tuza_context *ctx = tuza_context_with_cancel(background);
	tuza_chan *outs[2];
	int zero = 0, v, last = -1;

	CHECK_EQ(tuza_fan_out(ctx, numbers(ctx, -1, 0), 2, sizeof(int), plus, &zero, outs), 0);
	for (int i = 0; i < 200; i++) {
		CHECK(tuza_recv(outs[1], &v) && v > last); // each output is in order
		last = v;
	}
	tuza_context_cancel(ctx);
	for (int i = 0; i < 2; i++) {
		while (tuza_recv(outs[i], &v))
			;
		tuza_chan_release(outs[i]);
	}
	tuza_context_free(ctx);
}

TEST(failure_of_one_ends_all_outputs)
{
	for (int told = 0; told < 2; told++) {
		tuza_context *ctx = tuza_context_with_cancel(background);
		tuza_context *given = told ? ctx : background;
		tuza_chan *outs[3];
		int at = 40, v;

		CHECK_EQ(tuza_fan_out(given, numbers(ctx, 1000, 0), 3, 4, fail_at, &at, outs), 0);
		tuza_chan *all = tuza_fan_in(given, 3, outs);
		while (tuza_recv(all, &v))
			CHECK(v != at);
		CHECK_EQ(tuza_context_cause(ctx), told ? -EBADMSG : 0);
		tuza_chan_release(all);
		WAIT_UNTIL(tuza_num_goroutine() == 1);
		tuza_context_free(ctx);
	}
}

// ---- misuse --------------------------------------------------------------------------------

static void no_outputs(void *in) { (void)!tuza_fan_out(background, in, 0, 4, square, NULL, NULL); }
static void no_input(void *unused)
{
	(void)unused;
	(void)!tuza_pipeline_stage(background, NULL, 4, square, NULL);
}
static void no_context(void *in) { (void)!tuza_pipeline_stage(NULL, in, 4, square, NULL); }
static void too_large(void *in) { (void)!tuza_pipeline_stage(background, in, 65536, square, NULL); }

TEST(misuse_panics_and_takes_nothing)
{
	tuza_chan *c = numbers_ready(2);

	CHECK_PANICS("tuza_fan_out: no outputs", no_outputs, c);
	CHECK_PANICS("tuza_pipeline_stage of nil channel", no_input, NULL);
	CHECK_PANICS("nil context", no_context, c);
	CHECK_PANICS("makechan: size out of range", too_large, c);
	CHECK_EQ(tuza_chan_len(c), 2);
	tuza_chan_release(c);
}
