// SPDX-License-Identifier: MIT
/*
 * The steps of a history. See history_steps.h.
 */
#include "trace/history_steps.h"

void told_step(struct telling *t, struct step s)
{
	s.time = t->time;
	t->fn(&s, t->arg);
}

// ---- goroutines that stop and start ------------------------------------------------------------

void told_goroutine_stops(struct telling *t, struct told_goroutine *g, enum step_kind kind,
	enum history_state state, uint32_t detail, uint32_t stack)
{
	told_step(t, (struct step){.kind = kind,
			     .goroutine = g->id,
			     .thread = g->thread,
			     .processor = told_thread_at(t, g->thread)->processor,
			     .detail = detail,
			     .stack = stack});
	told_thread_at(t, g->thread)->goroutine = 0;
	g->thread = NOBODY;
	g->state = (uint8_t)state;
}

void told_goroutine_is_ready(struct telling *t, struct told_goroutine *g, uint32_t thread,
	uint32_t cause, uint32_t stack)
{
	told_step(t, (struct step){.kind = STEP_READY,
			     .goroutine = g->id,
			     .thread = thread,
			     .by = told_thread_at(t, thread)->goroutine,
			     .processor = told_thread_at(t, thread)->processor,
			     .detail = cause,
			     .stack = stack,
			     .sequence = ++g->sequence});
	g->state = HISTORY_RUNNABLE;
}

void told_goroutine_starts(struct telling *t, struct told_goroutine *g, uint32_t thread)
{
	told_step(t, (struct step){.kind = STEP_STARTS,
			     .goroutine = g->id,
			     .thread = thread,
			     .processor = told_thread_at(t, thread)->processor,
			     .entry = g->entry,
			     .sequence = ++g->sequence});
	g->state = HISTORY_RUNNING;
	g->thread = thread;
	told_thread_at(t, thread)->goroutine = g->id;
}

void told_thread_is_free(struct telling *t, uint32_t thread)
{
	struct told_goroutine *g = told_running_on(t, thread);

	if (!g)
		return;
	if (g->state == HISTORY_BLOCKED &&
		told_thread_at(t, thread)->processor != TRACE_NO_PROCESSOR)
		told_processor_stops(t, thread);
	if (g->state == HISTORY_BLOCKED)
		told_goroutine_stops(t, g, STEP_UNBLOCKS_LATE, HISTORY_RUNNABLE, 0, 0);
	else
		told_goroutine_stops(t, g, STEP_YIELDS, HISTORY_RUNNABLE, 1, 0);
}

// ---- processors --------------------------------------------------------------------------------

void told_processor_stops(struct telling *t, uint32_t thread)
{
	struct told_thread *m = told_thread_at(t, thread);

	told_step(t,
		(struct step){
			.kind = STEP_PROCESSOR_STOPS, .thread = thread, .processor = m->processor});
	told_processor_at(t, m->processor)->thread = NOBODY;
	m->processor = TRACE_NO_PROCESSOR;
}

void told_processor_is_taken(struct telling *t, uint32_t from, uint32_t by)
{
	struct told_thread *m = told_thread_at(t, from);
	const struct told_goroutine *g = told_running_on(t, from);
	uint32_t processor = m->processor;

	if (from == by || !g || g->state != HISTORY_BLOCKED) {
		if (!g || g->state != HISTORY_BLOCKED)
			told_thread_is_free(t, from);
		told_processor_stops(t, from);
		return;
	}
	struct told_processor *p = told_processor_at(t, processor);

	told_step(t, (struct step){.kind = STEP_PROCESSOR_STOLEN,
			     .thread = by,
			     .from = from,
			     .processor = processor,
			     .sequence = ++p->sequence});
	p->thread = NOBODY;
	m->processor = TRACE_NO_PROCESSOR;
}

void told_thread_has(struct telling *t, uint32_t thread, uint32_t processor)
{
	struct told_thread *m = told_thread_at(t, thread);

	if (m->processor == processor || processor >= PROCESSOR_SLOTS)
		return;
	if (m->processor != TRACE_NO_PROCESSOR)
		told_processor_is_taken(t, thread, thread);
	struct told_processor *p = told_processor_at(t, processor);

	if (p->thread != NOBODY)
		told_processor_is_taken(t, p->thread, thread);
	told_step(t, (struct step){.kind = STEP_PROCESSOR_STARTS,
			     .thread = thread,
			     .processor = processor,
			     .sequence = ++p->sequence});
	p->thread = thread;
	m->processor = processor;
}
