// SPDX-License-Identifier: MIT
/*
 * Fan-in, or-done and tee: values that pass unchanged.
 */
#include "pattern_support.h"

static tuza_context *background;
__attribute__((constructor)) static void setup(void) { background = tuza_context_background(); }

static void send_from(tuza_chan *c, int from, int n)
{
	for (int i = 0; i < n; i++)
		tuza_send(c, from + i);
	tuza_chan_close(c);
	tuza_chan_release(c);
}

TEST(fan_in_merges_all_and_keeps_the_order_of_each)
{
	enum { INPUTS = 5, N = 200 };
	tuza_chan *in[INPUTS];
	int next[INPUTS], count = 0;

	for (int i = 0; i < INPUTS; i++) {
		in[i] = tuza_chan_new(sizeof(int), (size_t)i);
		next[i] = 0;
		TUZA_GO(send_from, tuza_chan_retain(in[i]), i * N, i == 2 ? 0 : N);
	}
	tuza_chan *out = tuza_fan_in(background, INPUTS, in);
	for (int v; tuza_recv(out, &v); count++)
		CHECK_EQ(v % N, next[v / N]++);
	CHECK_EQ(count, (INPUTS - 1) * N);
	tuza_chan_release(out);
}

TEST(fan_in_of_one_channel_twice_takes_two_references)
{
	tuza_chan *in = numbers_ready(50), *twice[] = {in, tuza_chan_retain(in)};
	tuza_chan *out = tuza_fan_in(background, 2, twice);
	int v, sum = 0;

	while (tuza_recv(out, &v))
		sum += v;
	CHECK_EQ(sum, 1225);
	tuza_chan_release(out);
}

TEST(cancel_ends_a_fan_in_whose_inputs_stay_open)
{
	tuza_context *ctx = tuza_context_with_cancel(background);
	tuza_chan *in[3], *kept[3];

	for (int i = 0; i < 3; i++)
		kept[i] = tuza_chan_retain(in[i] = tuza_chan_new(sizeof(int), 0));
	tuza_chan *out = tuza_fan_in(ctx, 3, in);
	CHECK(wait_parked("select", 3));
	tuza_context_cancel(ctx);
	CHECK(!tuza_recv(out, (int *)NULL));
	tuza_chan_release(out);
	for (int i = 0; i < 3; i++)
		tuza_chan_release(kept[i]);
	tuza_context_free(ctx);
}

TEST(values_of_a_fan_in_are_dropped_as_those_of_its_inputs)
{
	for (int taken = 0; taken < 6; taken++) {
		tuza_context *ctx = tuza_context_with_cancel(background);
		tuza_chan *in[] = {owned_ready(10), owned_ready(3)};
		tuza_chan *out = tuza_fan_in(ctx, 2, in);
		int *p;

		for (int i = 0; i < taken && CHECK(tuza_recv(out, &p)); i++)
			owned_free(p);
		tuza_context_free(ctx);
		tuza_chan_release(out);
		WAIT_UNTIL(owned_now == 0);
	}
}

static void fan_in_nothing(void *unused)
{
	(void)unused;
	(void)!tuza_fan_in(background, 0, NULL);
}
static void fan_in_different(void *in) { (void)!tuza_fan_in(background, 2, in); }
static void fan_in_null(void *in) { (void)!tuza_fan_in(background, 2, in); }

TEST(misuse_of_fan_in_panics_and_takes_nothing)
{
	tuza_chan *in[2] = {tuza_chan_new(4, 0), tuza_chan_new(8, 0)};

	CHECK_PANICS("tuza_fan_in: no channels", fan_in_nothing, NULL);
	CHECK_PANICS("tuza_fan_in: channels of 4 and 8 bytes", fan_in_different, in);
	tuza_chan_release(in[1]);
	in[1] = NULL;
	CHECK_PANICS("tuza_fan_in of nil channel", fan_in_null, in);
	tuza_chan_release(in[0]);
}

// ---- or-done -------------------------------------------------------------------------------

TEST(or_done_passes_everything_on_until_the_close)
{
	tuza_chan *c = tuza_or_done(background, numbers(background, 100, 1));
	int v, n = 0;

	while (tuza_recv(c, &v))
		CHECK_EQ(v, n++);
	CHECK_EQ(n, 100);
	tuza_chan_release(c);
}

TEST(or_done_ends_with_the_context_though_the_input_stays_open)
{
	tuza_context *ctx = tuza_context_with_cancel(background);
	tuza_context *late = tuza_context_with_timeout(ctx, 5 * TUZA_MILLISECOND);
	tuza_chan *in = tuza_chan_new(sizeof(int), 4);
	tuza_chan *c = tuza_or_done(late, tuza_chan_retain(in));
	int v, n = 0;

	// With a deadline: it may have passed before anything came.
	CHECK(!tuza_recv(c, &v));
	CHECK_EQ(tuza_context_err(late), -ETIMEDOUT);
	tuza_chan_release(c);
	tuza_context_free(late);
	c = tuza_or_done(ctx, tuza_chan_retain(in));
	tuza_send(in, 1);
	tuza_send(in, 2);
	while (n < 2 && tuza_recv(c, &v))
		CHECK_EQ(v, ++n);
	tuza_context_cancel(ctx);
	CHECK(!tuza_recv(c, &v));
	tuza_chan_release(c);
	tuza_context_free(ctx);
	// The input lives on, with nobody at it.
	tuza_send(in, 3);
	while (tuza_chan_try_recv(in, &v) == 0)
		CHECK_EQ(v, ++n);
	CHECK(n == 3);
	tuza_chan_release(in);
}

// ---- tee -----------------------------------------------------------------------------------

static void expect_all(tuza_chan *c, int n, atomic_int *done)
{
	int v, next = 0;

	while (tuza_recv(c, &v))
		CHECK_EQ(v, next++);
	CHECK_EQ(next, n);
	tuza_chan_release(c);
	++*done;
}

TEST(tee_gives_every_value_to_every_output_in_order)
{
	for (int n = 1; n <= 9; n += 4) {
		tuza_chan *outs[9];
		atomic_int done = 0;

		CHECK_EQ(tuza_tee(background, numbers(background, 300, (size_t)n % 2), (size_t)n,
				 outs, NULL),
			0);
		for (int i = 0; i < n; i++)
			TUZA_GO(expect_all, outs[i], 300, &done);
		WAIT_UNTIL(done == n);
	}
}

// One goroutine that reads the outputs in turn: whatever the order in which it does.
TEST(tee_waits_for_no_output_in_particular)
{
	tuza_chan *outs[3];
	int v;

	CHECK_EQ(tuza_tee(background, numbers(background, 50, 0), 3, outs, NULL), 0);
	for (int i = 0; i < 50; i++)
		for (int k = 2; k >= 0; k--)
			CHECK(tuza_recv(outs[(k + i) % 3], &v) && v == i);
	for (int k = 0; k < 3; k++) {
		CHECK(!tuza_recv(outs[k], &v));
		tuza_chan_release(outs[k]);
	}
}

static void owned_copy(void *elem)
{
	int **p = elem;

	*p = owned_new(**p);
}

TEST(tee_of_owned_values_makes_copies_and_drops_those_not_taken)
{
	for (int taken = 0; taken < 12; taken++) {
		tuza_context *ctx = tuza_context_with_cancel(background);
		tuza_chan *outs[3];
		int *p;

		CHECK_EQ(tuza_tee(ctx, owned_ready(8), 3, outs, owned_copy), 0);
		for (int i = 0; i < taken; i++)
			if (CHECK(tuza_recv(outs[i % 3], &p)))
				CHECK_EQ(owned_free(p), i / 3);
		tuza_context_free(ctx);
		for (int i = 0; i < 3; i++)
			tuza_chan_release(outs[i]);
		WAIT_UNTIL(owned_now == 0);
	}
}

TEST(cancel_ends_a_tee_that_waits_for_a_slow_output)
{
	tuza_context *ctx = tuza_context_with_cancel(background);
	tuza_chan *outs[2];
	int v;

	CHECK_EQ(tuza_tee(ctx, numbers(ctx, -1, 0), 2, outs, NULL), 0);
	CHECK(tuza_recv(outs[0], &v) && v == 0);
	CHECK(wait_parked("select", 2)); // the tee and its source
	tuza_context_cancel(ctx);
	for (int i = 0; i < 2; i++) {
		CHECK(!tuza_recv(outs[i], &v));
		tuza_chan_release(outs[i]);
	}
	tuza_context_free(ctx);
}

static void tee_to_nothing(void *in) { (void)!tuza_tee(background, in, 0, NULL, NULL); }
static void tee_of_nothing(void *unused)
{
	(void)unused;
	(void)!tuza_tee(background, NULL, 1, NULL, NULL);
}

TEST(misuse_of_tee_and_or_done_panics)
{
	tuza_chan *c = numbers_ready(1);

	CHECK_PANICS("tuza_tee: no outputs", tee_to_nothing, c);
	CHECK_PANICS("tuza_tee of nil channel", tee_of_nothing, NULL);
	tuza_chan_release(c);
}
