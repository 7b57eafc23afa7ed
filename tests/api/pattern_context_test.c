// SPDX-License-Identifier: MIT
/*
 * Every pattern gives back the references to the context that it took, whether it ends with its
 * input or with the context, and hands its values on.
 */
#include "pattern_support.h"

static int key, value;
static atomic_int contexts_gone;

static void note_gone(void *v)
{
	CHECK(v == &value);
	contexts_gone++;
}

static int look(tuza_context *ctx, const void *in, void *out, void *arg)
{
	(void)arg;
	CHECK(tuza_context_value(ctx, &key) == &value);
	*(int *)out = *(const int *)in;
	return 0;
}

static int look_at_index(tuza_context *ctx, size_t i, void *arg)
{
	int n = (int)i;

	return look(ctx, &n, &n, arg);
}

static int look_once(tuza_context *ctx, void *arg) { return look_at_index(ctx, 0, arg); }

static void drain(tuza_chan *c)
{
	while (tuza_recv(c, (int *)NULL))
		;
	tuza_chan_release(c);
}

static void use_stage(tuza_context *ctx, tuza_chan *in)
{
	drain(tuza_pipeline_stage(ctx, in, sizeof(int), look, NULL));
}

static void use_fans(tuza_context *ctx, tuza_chan *in)
{
	tuza_chan *outs[3];

	CHECK_EQ(tuza_fan_out(ctx, in, 3, sizeof(int), look, NULL, outs), 0);
	drain(tuza_fan_in(ctx, 3, outs));
}

static void use_or_done(tuza_context *ctx, tuza_chan *in) { drain(tuza_or_done(ctx, in)); }

static void use_tee(tuza_context *ctx, tuza_chan *in)
{
	tuza_chan *outs[2];

	CHECK_EQ(tuza_tee(ctx, in, 2, outs, NULL), 0);
	TUZA_GO(drain, outs[0]);
	drain(outs[1]);
}

static void use_pool(tuza_context *ctx, tuza_chan *in)
{
	tuza_chan *results = tuza_chan_new(sizeof(int), 10);

	CHECK_EQ(tuza_worker_pool(ctx, 3, in, results, look, NULL), tuza_context_err(ctx));
	drain(results);
	tuza_chan_release(in);
}

static void use_joining(tuza_context *ctx, tuza_chan *in)
{
	int code = tuza_context_err(ctx);
	tuza_scope *s = tuza_scope_open(ctx);

	tuza_scope_go(s, look_once, NULL);
	tuza_scope_supervise(s, NULL, look_once, NULL);
	CHECK_EQ(tuza_scope_close(s), code);
	CHECK_EQ(tuza_supervise(ctx, NULL, look_once, NULL), code);
	CHECK_EQ(tuza_parallel(ctx, 3, 2, look_at_index, NULL), code);
	tuza_chan_release(in);
}

static void use_broadcast(tuza_context *ctx, tuza_chan *in)
{
	tuza_broadcast *b = tuza_broadcast_new(sizeof(int));
	tuza_subscription *s = tuza_subscribe(b, 1, TUZA_SLOW_WAIT);
	int v = 1;

	CHECK_EQ(tuza_broadcast_send(b, ctx, &v), tuza_context_err(ctx));
	tuza_unsubscribe(s);
	tuza_broadcast_free(b);
	tuza_chan_release(in);
}

TEST(patterns_give_their_context_back)
{
	static void (*const use[])(tuza_context *, tuza_chan *) = {
		use_stage, use_fans, use_or_done, use_tee, use_pool, use_joining, use_broadcast};

	for (size_t i = 0; i < sizeof use / sizeof use[0]; i++) {
		for (int ended = 0; ended < 2; ended++) {
			tuza_context *parent = tuza_context_with_cancel(tuza_context_background());
			tuza_context *ctx =
				tuza_context_with_value_free(parent, &key, &value, note_gone);

			contexts_gone = 0;
			if (ended)
				tuza_context_cancel(parent);
			use[i](ctx, numbers_ready(8));
			CHECK_EQ(contexts_gone, 0);
			tuza_context_free(ctx);
			tuza_context_free(parent);
			WAIT_UNTIL(contexts_gone == 1);
		}
	}
}
