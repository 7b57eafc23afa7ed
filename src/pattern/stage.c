// SPDX-License-Identifier: MIT
/*
 * Pipeline stages, and fan-out: several stages that share their input.
 *
 * The stages of one call are a crew; what they share is freed by the last of them to end. It is
 * let go of before the output is closed, so whoever has seen all outputs closed may free what work
 * used.
 *
 * A failure has to reach the caller, who has nothing but the context: it is ended, if it can be,
 * and with it whatever feeds the stage. If it cannot be, senders would wait for ever: the last
 * stage receives what still comes.
 */
#include "base/race_hooks.h"
#include "context/context.h"
#include "pattern/crew.h"
#include "pattern/outlet.h"
#include "sched/current.h"

#include <stdlib.h>
#include <string.h>
#include <tuza/goroutine.h>

// What the stages of one call share.
struct stages {
	// constant
	tuza_context *ctx; // the caller's, one reference
	tuza_chan *in;     // one reference
	tuza_work_fn work;
	void *arg;

	// any stage
	struct crew crew;
	uint32_t members; // atomic: those that have not ended
};

// A goroutine's own.
struct stage {
	struct stages *all;
	tuza_chan *out; // one reference; has one slot
	bool working;   // work has not returned
};

// Whether a failure can be told by the caller's context.
static bool stages_can_tell(const struct stages *all) { return context_is_canceller(all->ctx); }

static COLD void stages_fail(struct stages *all, int code)
{
	if (stages_can_tell(all))
		tuza_context_cancel_cause(all->ctx, code); // ends the crew's context as well
	crew_fail(&all->crew, code);
}

static void stage_loop(void *stage)
{
	struct stage *s = stage;
	struct stages *all = s->all;
	const struct until *until = &all->crew.until;
	struct outlet_slot *slot = outlet_slot(s->out, 0);
	void *in = outlet_scratch(s->out, 0);
	size_t out_bytes = s->out->elem_bytes;

	while (until_recv(until, all->in, in) == 0) {
		memset(slot->value, 0, out_bytes);
		s->working = true;
		int code = all->work(until->ctx, in, slot->value, all->arg);
		s->working = false;
		if (unlikely(code != 0)) {
			stages_fail(all, code);
			break;
		}
		if (outlet_send(s->out, slot, until) != 0)
			break;
	}
}

// Receives and drops what still comes, until the input is closed or the caller's context ends.
static COLD void stages_drain(struct stages *all, void *scratch)
{
	struct until until = {all->ctx, tuza_context_done(all->ctx)};

	while (until_recv(&until, all->in, scratch) == 0)
		flow_drop(all->in, scratch);
}

static void stages_free(struct stages *all)
{
	crew_end(&all->crew);
	chan_leave(all->in);
	tuza_context_release(all->ctx);
	free(all);
}

// One has ended: its output is closed, and the last one frees what they share.
static void stage_leave(struct stage *s)
{
	struct stages *all = s->all;

	race_release(&all->members);
	// (stage-end) pairs with the other stages' ends: the last one comes after all of them.
	bool last = sub_acq_rel(&all->members, 1) == 1; // (stage-end)
	if (last)
		race_acquire(&all->members);
	if (last && crew_result(&all->crew) != 0 && !stages_can_tell(all)) {
		tuza_chan_close(s->out);
		stages_drain(all, outlet_scratch(s->out, 0));
		stages_free(all);
	} else {
		if (last)
			stages_free(all);
		tuza_chan_close(s->out);
	}
	tuza_chan_release(s->out);
}

// Deferred: tuza_goexit comes through here as well.
static void stage_end(struct stage *s)
{
	if (unlikely(goroutine_current()->flags & GOROUTINE_PANICKING))
		return; // nothing contains it: the process ends, and nobody is to see an end before
	if (unlikely(s->working))
		stages_fail(s->all, TUZA_EPANIC);
	stage_leave(s);
}

static void stage_main(void *stage)
{
	struct stage *s = stage;

	TUZA_DEFER(stage_end, s);
	if (stages_can_tell(s->all))
		TUZA_IGNORE(tuza_try(stage_loop, s, NULL)); // s->working tells
	else
		stage_loop(s);
}

// Nothing but the lack of memory fails. -ENOMEM: nothing was taken.
static int stages_start(tuza_context *ctx, tuza_chan *in, size_t n, size_t out_bytes,
	tuza_work_fn work, void *arg, tuza_chan *outs[])
{
	struct stages *all;
	size_t made = 0;

	for (; made < n; made++) {
		outs[made] = outlet_new(out_bytes, in, 1, in->elem_bytes);
		if (!outs[made])
			goto release_outs;
	}
	all = malloc(sizeof *all);
	if (!all)
		goto release_outs;
	*all = (struct stages){.in = in, .work = work, .arg = arg, .members = (uint32_t)n};
	if (crew_begin(&all->crew, ctx) != 0)
		goto free_all;
	all->ctx = tuza_context_retain(ctx);
	for (size_t i = 0; i < n; i++) {
		struct stage s = {.all = all, .out = tuza_chan_retain(outs[i])};

		if (likely(tuza_go_copy(stage_main, &s, sizeof s) == 0))
			continue;
		tuza_chan_release(outs[i]);
		if (i == 0) {
			crew_end(&all->crew);
			tuza_context_release(ctx);
			goto free_all;
		}
		s.out = tuza_chan_retain(outs[i]); // the others do its work
		stage_leave(&s);
	}
	return 0;

free_all:
	free(all);
release_outs:
	for (size_t i = 0; i < n; i++) {
		if (i < made)
			tuza_chan_release(outs[i]);
		outs[i] = NULL;
	}
	return -ENOMEM;
}

static void stages_check(const tuza_context *ctx, const tuza_chan *in, const char *function)
{
	context_check(ctx);
	flow_check_input(in, function);
}

EXPORT tuza_chan *tuza_pipeline_stage(
	tuza_context *ctx, tuza_chan *in, size_t out_bytes, tuza_work_fn work, void *arg)
{
	tuza_chan *out;

	stages_check(ctx, in, "tuza_pipeline_stage");
	FLOW_CHECK_FUNCTION(work);
	if (unlikely(stages_start(ctx, in, 1, out_bytes, work, arg, &out) != 0))
		tuza_panic("tuza: out of memory");
	return out;
}

EXPORT int tuza_fan_out(tuza_context *ctx, tuza_chan *in, size_t n, size_t out_bytes,
	tuza_work_fn work, void *arg, tuza_chan *outs[])
{
	stages_check(ctx, in, "tuza_fan_out");
	FLOW_CHECK_FUNCTION(work);
	if (unlikely(n == 0))
		tuza_panic("tuza_fan_out: no outputs");
	if (unlikely(n > UINT32_MAX))
		return -ENOMEM;
	return stages_start(ctx, in, n, out_bytes, work, arg, outs);
}
