// SPDX-License-Identifier: MIT
/*
 * Tee: one goroutine gives each value to all outputs, in whatever order they take it.
 *
 * The value is received into the first output's slot and copied to the others'; what an output has
 * not taken when the context ends stays in its slot and is dropped with it.
 */
#include "context/context.h"
#include "pattern/outlet.h"

#include <stdlib.h>
#include <string.h>
#include <tuza/goroutine.h>

// The goroutine's own; freed by it.
struct tee {
	// constant
	struct until until; // one reference to its context
	tuza_chan *in;      // one reference
	void (*retain)(void *elem);
	size_t n;
	tuza_chan **outs; // n, one reference each, with one slot each; behind the cases

	tuza_select_case cases[]; // the end, and one for each output
};

enum { OUTPUTS_MAX = 65535 }; // the cases of a select

static void tee_fill_slots(struct tee *t)
{
	struct outlet_slot *first = outlet_slot(t->outs[0], 0);

	first->held = true;
	for (size_t i = 1; i < t->n; i++) {
		struct outlet_slot *slot = outlet_slot(t->outs[i], 0);

		memcpy(slot->value, first->value, t->outs[i]->elem_bytes);
		if (t->retain)
			t->retain(slot->value);
		slot->held = true;
	}
}

// Sends what is in the slots: first to those that have room. False: the context has ended.
static bool tee_send_all(struct tee *t)
{
	size_t left = 0;

	for (size_t i = 0; i < t->n; i++) {
		struct outlet_slot *slot = outlet_slot(t->outs[i], 0);

		slot->held = tuza_chan_try_send(t->outs[i], slot->value) != 0;
		left += slot->held;
		t->cases[i + 1] =
			tuza_select_send_(slot->held ? t->outs[i] : NULL, slot->value, UINT32_MAX);
	}
	while (left > 0) {
		int taken = tuza_select(t->cases, t->n + 1);

		if (taken == 0)
			return false;
		t->cases[taken].chan = NULL;
		outlet_slot(t->outs[taken - 1], 0)->held = false;
		left--;
	}
	return true;
}

static void tee_main(void *tee)
{
	struct tee *t = tee;
	void *value = outlet_slot(t->outs[0], 0)->value;

	while (until_recv(&t->until, t->in, value) == 0) {
		tee_fill_slots(t);
		if (!tee_send_all(t))
			break;
	}
	chan_leave(t->in);
	tuza_context_release(t->until.ctx);
	for (size_t i = 0; i < t->n; i++) {
		tuza_chan_close(t->outs[i]);
		tuza_chan_release(t->outs[i]);
	}
	free(t);
}

// -ENOMEM: nothing was taken, and the caller frees `t`.
static int tee_start(struct tee *t, tuza_chan *outs[])
{
	size_t made = 0;

	for (; made < t->n; made++) {
		tuza_chan *out = outlet_new(t->in->elem_bytes, t->in, 1, 0);
		if (!out)
			break;
		if (t->retain || t->n == 1)
			tuza_chan_on_drop(out, t->in->drop);
		outs[made] = t->outs[made] = tuza_chan_retain(out);
	}
	if (made == t->n && tuza_go(tee_main, t) == 0)
		return 0;
	while (made-- > 0) {
		tuza_chan_release(outs[made]);
		tuza_chan_release(outs[made]);
	}
	return -ENOMEM;
}

EXPORT int tuza_tee(
	tuza_context *ctx, tuza_chan *in, size_t n, tuza_chan *outs[], void (*retain)(void *elem))
{
	context_check(ctx);
	flow_check_input(in, "tuza_tee");
	if (unlikely(n == 0))
		tuza_panic("tuza_tee: no outputs");
	if (unlikely(n > OUTPUTS_MAX))
		tuza_panic("tuza_tee: too many outputs (max %d)", OUTPUTS_MAX);
	tuza_chan *done = tuza_context_done(ctx); // may panic
	struct tee *t = malloc(sizeof *t + (n + 1) * sizeof t->cases[0] + n * sizeof t->outs[0]);
	int code = -ENOMEM;
	if (t) {
		*t = (struct tee){.in = in, .retain = retain, .n = n};
		t->until = (struct until){tuza_context_retain(ctx), done};
		t->outs = (tuza_chan **)(void *)&t->cases[n + 1];
		t->cases[0] = tuza_select_recv_(done, NULL, 0, NULL);
		code = tee_start(t, outs);
	}
	if (unlikely(code != 0)) {
		memset(outs, 0, n * sizeof outs[0]);
		if (t)
			tuza_context_release(ctx);
		free(t);
	}
	return code;
}
