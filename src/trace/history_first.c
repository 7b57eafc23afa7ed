// SPDX-License-Identifier: MIT
/*
 * How things were when a history begins: what the first event of each goroutine, thread and
 * processor tells of what was before it. See history.c.
 */
#include "sched/machine.h"
#include "trace/history_table.h"

static bool is_by_goroutine(enum trace_kind kind)
{
	return kind >= TRACE_PARK && kind <= TRACE_LAST_BY;
}

static enum history_state state_before(enum trace_kind kind)
{
	switch (kind) {
	case TRACE_CREATED:
		return HISTORY_NONE;
	case TRACE_READY:
		return HISTORY_WAITING;
	case TRACE_RUN:
		return HISTORY_RUNNABLE;
	case TRACE_UNBLOCK:
	case TRACE_UNBLOCK_NO:
		return HISTORY_BLOCKED;
	default:
		return HISTORY_RUNNING;
	}
}

// The first event on a processor tells whose it is, unless its thread has had another one before.
static void see_processor(
	struct history *h, uint32_t thread, uint32_t processor, enum trace_kind kind)
{
	struct told_thread *t = &h->p->threads[thread];

	if (processor >= PROCESSOR_SLOTS || h->p->processors[processor].is_known)
		return;
	struct told_processor *p = &h->p->processors[processor];

	p->is_known = true;
	p->first = NOBODY;
	// Whoever lets it idle only looked for something to do, or is not even its owner.
	if (kind == TRACE_IDLE || t->is_known || t->first_processor != TRACE_NO_PROCESSOR)
		return;
	p->first = thread;
	t->first_processor = processor;
}

static bool see_event(struct history *h, const struct trace_event *e, uint32_t thread)
{
	struct told_thread *t = &h->p->threads[thread];
	enum trace_kind kind = trace_kind_of(e);
	bool is_new;

	if (kind != TRACE_UNBLOCK) // that is the processor that it got
		see_processor(h, thread, trace_processor(e), kind);
	if (kind == TRACE_ENTRY || kind == TRACE_MORE || kind == TRACE_IDLE)
		return true;
	struct told_goroutine *g = history_goroutine(h->p, trace_id(e), &is_new);

	if (!g)
		return false;
	is_new = !g->is_seen;
	g->is_seen = true;
	if (is_new)
		g->first = (uint8_t)state_before(kind);
	if (kind == TRACE_RUN || is_by_goroutine(kind)) {
		if (is_new && !t->is_known && g->first >= HISTORY_RUNNING) {
			t->first = g->id;
			g->thread = thread;
		} else if (is_new && g->first == HISTORY_RUNNING) {
			g->first = HISTORY_RUNNABLE;
		}
		t->is_known = true;
	}
	if (kind == TRACE_UNBLOCK)
		see_processor(h, thread, trace_processor(e), kind);
	return true;
}

// A goroutine that lives: how it always was, if it will occur in no event. inspect_each's.
void history_see_living(const struct inspected *i, void *history)
{
	static const uint8_t states[] = {
		[GOROUTINE_RUNNABLE] = HISTORY_RUNNABLE,
		[GOROUTINE_RUNNING] = HISTORY_RUNNABLE, // as good as: what it runs on is not known
		[GOROUTINE_WAITING] = HISTORY_WAITING,
		[GOROUTINE_BLOCKED] = HISTORY_BLOCKED,
	};
	struct history *h = history;
	struct machine *m = machine_current();
	bool is_new;

	if (i->g->flags & GOROUTINE_THREAD || (size_t)i->state >= COUNT_OF(states))
		return;
	struct told_goroutine *g = history_goroutine(h->p, i->id, &is_new);

	if (!g || !is_new)
		return;
	g->first = states[i->state];
	if (g->first == HISTORY_BLOCKED)
		g->first = HISTORY_WAITING; // its thread is not known either
	if (i->context && m && m->trace)
		g->stack = stack_number_of(&m->trace->walker, i->context, i->stack.top);
}

bool history_see(struct history *h)
{
	const struct trace_event *e;
	uint32_t thread;
	uint64_t ticks;

	merge_begin(h);
	while ((e = merge_next(h, &thread, &ticks)) != NULL)
		if (!see_event(h, e, thread))
			return false;
	return true;
}
