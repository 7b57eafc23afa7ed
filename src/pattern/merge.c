// SPDX-License-Identifier: MIT
/*
 * Fan-in: a goroutine for each input sends to the one output; the last to end closes it. Or-done is
 * a fan-in of one.
 *
 * Rejected: one goroutine that selects over all inputs. Each value would cost a look at every one.
 */
#include "base/atomic.h"
#include "base/race_hooks.h"
#include "context/context.h"
#include "pattern/outlet.h"

#include <stdlib.h>
#include <tuza/goroutine.h>

// What the goroutines of one call share.
struct merge {
	// constant
	struct until until; // one reference to its context
	tuza_chan *out;     // one reference; has a slot for each input

	uint32_t members; // atomic: those that have not ended
};

// A goroutine's own.
struct merge_input {
	struct merge *all;
	tuza_chan *in; // one reference
	size_t index;
};

static void merge_input_end(struct merge_input *m)
{
	struct merge *all = m->all;

	chan_leave(m->in);
	race_release(&all->members);
	// (merge-end) pairs with the other inputs' ends: the last one comes after all of them.
	if (sub_acq_rel(&all->members, 1) != 1) // (merge-end)
		return;
	race_acquire(&all->members);
	tuza_context_release(all->until.ctx);
	tuza_chan_close(all->out);
	tuza_chan_release(all->out);
	free(all);
}

static void merge_main(void *input)
{
	struct merge_input *m = input;
	struct merge *all = m->all;
	struct outlet_slot *slot = outlet_slot(all->out, m->index);

	while (until_recv(&all->until, m->in, slot->value) == 0)
		if (outlet_send(all->out, slot, &all->until) != 0)
			break;
	merge_input_end(m);
}

// The output, or NULL without memory: then nothing was taken.
static tuza_chan *merge_start(tuza_context *ctx, size_t n, tuza_chan *const in[])
{
	tuza_chan *done = tuza_context_done(ctx); // may panic
	tuza_chan *out = outlet_new(in[0]->elem_bytes, in[0], n, 0);
	struct merge *all = out ? malloc(sizeof *all) : NULL;

	if (!all) {
		tuza_chan_release(out);
		return NULL;
	}
	tuza_chan_on_drop(out, in[0]->drop);
	*all = (struct merge){
		.until = {tuza_context_retain(ctx), done},
		.out = tuza_chan_retain(out),
		.members = (uint32_t)n,
	};
	for (size_t i = 0; i < n; i++) {
		struct merge_input m = {.all = all, .in = in[i], .index = i};

		if (likely(tuza_go_copy(merge_main, &m, sizeof m) == 0))
			continue;
		if (i == 0) {
			tuza_context_release(ctx);
			tuza_chan_release(out);
			tuza_chan_release(out);
			free(all);
			return NULL;
		}
		while (tuza_go_copy(merge_main, &m, sizeof m) != 0)
			tuza_sleep(TUZA_MILLISECOND); // what was taken cannot be given back
	}
	return out;
}

EXPORT tuza_chan *tuza_fan_in(tuza_context *ctx, size_t n, tuza_chan *const in[])
{
	context_check(ctx);
	if (unlikely(n == 0))
		tuza_panic("tuza_fan_in: no channels");
	for (size_t i = 0; i < n; i++) {
		flow_check_input(in[i], "tuza_fan_in");
		if (unlikely(in[i]->elem_bytes != in[0]->elem_bytes))
			tuza_panic("tuza_fan_in: channels of %u and %u bytes", in[0]->elem_bytes,
				in[i]->elem_bytes);
	}
	tuza_chan *out = n <= UINT32_MAX ? merge_start(ctx, n, in) : NULL;
	if (unlikely(!out))
		tuza_panic("tuza: out of memory");
	return out;
}

EXPORT tuza_chan *tuza_or_done(tuza_context *ctx, tuza_chan *in)
{
	context_check(ctx);
	flow_check_input(in, "tuza_or_done");
	tuza_chan *out = merge_start(ctx, 1, &in);
	if (unlikely(!out))
		tuza_panic("tuza: out of memory");
	return out;
}
