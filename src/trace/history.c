// SPDX-License-Identifier: MIT
/*
 * Makes one consistent story of what the machines noted.
 *
 * Twice all events are gone through in the order of their times. The first time tells how things
 * were at the beginning: a goroutine whose first event is that it was made ready had waited, one
 * that parks had run, and so on. The second time they are replayed.
 *
 * Events may be missing (before the beginning, or without memory), and clocks of two CPUs may
 * differ by some nanoseconds, so that a goroutine starts before it is made ready. So an event that
 * does not fit makes the step happen that it needs, or is left out: what is told is always
 * possible. Goroutines that did nothing are told of, too: whoever lives now and occurs in no event
 * was all the time what it is now.
 */
#include "trace/history.h"

#include "sched/inspect.h"
#include "trace/history_steps.h"

#include <errno.h>

// ---- events ------------------------------------------------------------------------------------

static void tell_created(struct telling *t, const struct trace_event *e, uint32_t thread)
{
	const struct trace_event *entry = merge_more(t->h, TRACE_ENTRY);
	struct told_goroutine *g = history_find(t->h->p, trace_id(e)), *by;

	// Goroutine 1 there is once in each run.
	if (g->state != HISTORY_NONE)
		return;
	g->sequence = 0;
	g->is_ready = g->owes_ready = false;
	by = told_running_on(t, thread);
	if (!by || by->state == HISTORY_RUNNING)
		told_thread_has(t, thread, trace_processor(e));
	g->state = HISTORY_RUNNABLE;
	g->entry = entry ? trace_number(entry) : 0;
	told_step(t, (struct step){.kind = STEP_CREATED,
			     .goroutine = g->id,
			     .thread = thread,
			     .processor = told_thread_at(t, thread)->processor,
			     .by = by ? by->id : 0,
			     .state = by ? (enum history_state)by->state : HISTORY_NONE,
			     .stack = trace_number(e),
			     .entry = g->entry});
}

static void tell_ready(
	struct telling *t, struct told_goroutine *g, uint32_t thread, const struct trace_event *e)
{
	const struct told_goroutine *by = told_running_on(t, thread);

	if (g->owes_ready) { // it has run already
		g->owes_ready = false;
		return;
	}
	if (g->state == HISTORY_RUNNING) {
		g->is_ready = true; // it parks in a moment
		return;
	}
	if (g->state != HISTORY_WAITING)
		return;
	if (!by || by->state == HISTORY_RUNNING)
		told_thread_has(t, thread, trace_processor(e));
	told_goroutine_is_ready(t, g, thread, trace_detail(e), trace_number(e));
}

static void tell_run(
	struct telling *t, struct told_goroutine *g, uint32_t thread, uint32_t processor)
{
	told_thread_is_free(t, thread);
	if (g->thread != NOBODY)
		told_thread_is_free(t, g->thread);
	told_thread_has(t, thread, processor);
	if (told_thread_at(t, thread)->processor == TRACE_NO_PROCESSOR)
		return;
	if (g->state == HISTORY_WAITING) {
		told_goroutine_is_ready(t, g, thread, EVENT_BY_SCHEDULER, 0);
		g->owes_ready = true;
	}
	g->is_ready = false;
	if (g->state == HISTORY_RUNNABLE)
		told_goroutine_starts(t, g, thread);
}

static void tell_unblock(
	struct telling *t, struct told_goroutine *g, uint32_t thread, const struct trace_event *e)
{
	struct told_thread *m = told_thread_at(t, thread);
	uint32_t processor = trace_processor(e);

	if (g->state != HISTORY_BLOCKED || g->thread != thread)
		return;
	if (processor != TRACE_NO_PROCESSOR && processor == m->processor) {
		g->state = HISTORY_RUNNING;
		told_step(t, (struct step){.kind = STEP_UNBLOCKS,
				     .goroutine = g->id,
				     .thread = thread,
				     .processor = processor,
				     .entry = g->entry});
		return;
	}
	if (m->processor != TRACE_NO_PROCESSOR)
		told_processor_stops(t, thread);
	told_goroutine_stops(t, g, STEP_UNBLOCKS_LATE, HISTORY_RUNNABLE, 0, 0);
	if (processor != TRACE_NO_PROCESSOR)
		tell_run(t, g, thread, processor);
}

static void tell_annotation(
	struct telling *t, const struct told_goroutine *g, const struct trace_event *e)
{
	const struct trace_event *more = merge_more(t->h, TRACE_MORE);
	struct step s = {.goroutine = g->id, .thread = g->thread};

	if (!more)
		return;
	s.id = trace_id(more);
	s.name = trace_number(more);
	more = merge_more(t->h, TRACE_MORE);
	if (more) {
		s.parent = trace_id(more);
		s.text = trace_number(more);
	}
	struct told_region r = {s.goroutine, s.id, s.name};

	switch (trace_kind_of(e)) {
	case TRACE_TASK:
		s.kind = trace_detail(e) ? STEP_TASK_ENDS : STEP_TASK_BEGINS;
		break;
	case TRACE_REGION:
		s.kind = trace_detail(e) ? STEP_REGION_ENDS : STEP_REGION_BEGINS;
		if (!(trace_detail(e) ? region_ends : region_begins)(t->h->p, r))
			return;
		break;
	default:
		s.kind = STEP_LOG;
		break;
	}
	s.stack = trace_number(e);
	s.processor = told_thread_at(t, g->thread)->processor;
	told_step(t, s);
}

// An event by the goroutine itself, which so runs on the thread.
static void tell_by(
	struct telling *t, struct told_goroutine *g, uint32_t thread, const struct trace_event *e)
{
	if (g->state != HISTORY_RUNNING && g->state != HISTORY_BLOCKED &&
		told_thread_at(t, thread)->goroutine == 0)
		tell_run(t, g, thread, trace_processor(e));
	if (g->thread != thread)
		return;
	if (g->state != HISTORY_RUNNING) // notes in a blocking section have no place
		return;
	told_thread_has(t, thread, trace_processor(e));
	if (g->thread != thread)
		return;
	uint32_t processor = told_thread_at(t, thread)->processor;

	switch (trace_kind_of(e)) {
	case TRACE_PARK:
		told_goroutine_stops(
			t, g, STEP_PARKS, HISTORY_WAITING, trace_detail(e), trace_number(e));
		if (g->is_ready) {
			g->is_ready = false;
			told_goroutine_is_ready(t, g, thread, EVENT_BY_SCHEDULER, 0);
		}
		break;
	case TRACE_YIELD:
		told_goroutine_stops(
			t, g, STEP_YIELDS, HISTORY_RUNNABLE, trace_detail(e), trace_number(e));
		break;
	case TRACE_END:
		told_goroutine_stops(t, g, STEP_ENDS, HISTORY_NONE, 0, 0);
		regions_forget(t->h->p, g->id);
		g->sequence = UINT64_MAX; // for good
		break;
	case TRACE_BLOCK:
		g->state = HISTORY_BLOCKED;
		told_step(t, (struct step){.kind = STEP_BLOCKS,
				     .goroutine = g->id,
				     .thread = thread,
				     .processor = processor,
				     .stack = trace_number(e),
				     .sequence = ++told_processor_at(t, processor)->sequence});
		break;
	default:
		tell_annotation(t, g, e);
		break;
	}
}

static void tell_idle(struct telling *t, uint32_t by, uint32_t processor)
{
	if (processor >= PROCESSOR_SLOTS)
		return;
	struct told_processor *p = told_processor_at(t, processor);
	const struct told_goroutine *g = p->thread != NOBODY ? told_running_on(t, p->thread) : NULL;

	// Of another's that runs something the note comes too late.
	if (p->thread != NOBODY && (p->thread == by || (g && g->state == HISTORY_BLOCKED)))
		told_processor_is_taken(t, p->thread, by);
}

static void tell_event(struct telling *t, const struct trace_event *e, uint32_t thread)
{
	enum trace_kind kind = trace_kind_of(e);
	struct told_goroutine *g;

	if (kind == TRACE_CREATED) {
		tell_created(t, e, thread);
		return;
	}
	if (kind == TRACE_IDLE) {
		tell_idle(t, thread, trace_processor(e));
		return;
	}
	g = history_find(t->h->p, trace_id(e));
	if (kind == TRACE_ENTRY || kind == TRACE_MORE || !g || g->sequence == UINT64_MAX)
		return;
	if (kind == TRACE_READY)
		tell_ready(t, g, thread, e);
	else if (kind == TRACE_RUN)
		tell_run(t, g, thread, trace_processor(e));
	else if (kind == TRACE_UNBLOCK || kind == TRACE_UNBLOCK_NO)
		tell_unblock(t, g, thread, e);
	else
		tell_by(t, g, thread, e);
}

// ---- the beginning -----------------------------------------------------------------------------

static void tell_beginning(struct telling *t)
{
	struct history_private *p = t->h->p;

	for (uint32_t i = 0; i < PROCESSOR_SLOTS; i++) {
		uint32_t thread = p->processors[i].thread = p->processors[i].first;

		if (!p->processors[i].is_known) {
			p->processors[i].thread = NOBODY;
			continue;
		}
		if (thread != NOBODY)
			p->threads[thread].processor = i;
		told_step(t, (struct step){.kind = thread == NOBODY ? STEP_PROCESSOR_IS_IDLE
								    : STEP_PROCESSOR_IS_RUNNING,
				     .processor = i,
				     .thread = thread == NOBODY ? 0 : thread});
	}
	for (size_t i = 0; i < p->capacity; i++) {
		struct told_goroutine *g = &p->goroutines[i];

		g->state = g->first;
		if (g->id == 0 || g->state == HISTORY_NONE)
			continue;
		// Without a processor none runs.
		if (g->state == HISTORY_RUNNING &&
			(g->thread == NOBODY ||
				p->threads[g->thread].processor == TRACE_NO_PROCESSOR)) {
			g->state = HISTORY_RUNNABLE;
			g->thread = NOBODY;
		}
		if (g->state == HISTORY_BLOCKED && g->thread == NOBODY)
			g->state = HISTORY_RUNNABLE;
		if (g->thread != NOBODY)
			p->threads[g->thread].goroutine = g->id;
		told_step(t,
			(struct step){.kind = STEP_IS,
				.goroutine = g->id,
				.state = (enum history_state)g->state,
				.thread = g->thread == NOBODY ? 0 : g->thread,
				.processor = g->thread == NOBODY ? TRACE_NO_PROCESSOR
								 : p->threads[g->thread].processor,
				.stack = g->stack});
	}
}

void history_tell(struct history *h, void (*fn)(const struct step *s, void *arg), void *arg)
{
	struct telling t = {h, fn, arg, h->begin};
	const struct trace_event *e;
	uint32_t thread;
	uint64_t ticks;

	tell_beginning(&t);
	merge_begin(h);
	while ((e = merge_next(h, &thread, &ticks)) != NULL) {
		int64_t time = record_time(&h->record, ticks);

		if (time > t.time)
			t.time = time;
		tell_event(&t, e, thread);
	}
}

// ---- taking it -----------------------------------------------------------------------------

static uint64_t ticks_since(const struct record *r, int64_t since)
{
	int64_t lasted = r->time_now - r->time_at_begin;

	if (since <= r->time_at_begin || lasted <= 0)
		return r->since;
	double part = (double)(since - r->time_at_begin) / (double)lasted;
	uint64_t ticks =
		r->ticks_at_begin + (uint64_t)(part * (double)(r->ticks_now - r->ticks_at_begin));
	return ticks > r->since ? ticks : r->since;
}

int history_take(struct history *h, int64_t since, enum trace_user ends, bool is_fatal)
{
	*h = (struct history){.is_fatal = is_fatal};
	int error = history_table_make(h);

	if (!error) {
		// Whoever is made from here on occurs in an event.
		if (is_fatal)
			inspect_each_unlocked(history_see_living, h);
		else
			inspect_each(history_see_living, h);
		record_pause(ends);
		error = record_freeze(&h->record, is_fatal);
	}
	if (error) {
		history_table_free(h);
		return error;
	}
	h->p->since = ticks_since(&h->record, since);
	h->begin = h->p->since ? record_time(&h->record, h->p->since) : h->record.time_at_begin;
	h->end = h->record.time_now;
	error = history_table_link(h);
	if (!error && !history_see(h))
		error = -ENOMEM;
	if (error)
		history_free(h);
	return error;
}

void history_free(struct history *h)
{
	history_table_free(h);
	record_thaw(&h->record);
}
