// SPDX-License-Identifier: MIT
/*
 * Noting events: each machine, plain threads included, writes to a chunk of its own. See record.h.
 *
 * Nothing is checked here, and nobody looks at another machine's state: the replay makes one story
 * of it (history.c).
 */
#include "trace/noting.h"

#include "sched/machine.h"
#include "sched/stack.h"
#include "sched/upcalls.h"

// ---- one event -----------------------------------------------------------------------------

static ALWAYS_INLINE struct trace_writer *writer_of(struct machine *m)
{
	struct trace_writer *w = m->trace;

	return likely(w != NULL) ? w : record_make_writer(m);
}

// Room for n events; NULL: none. `may_turn`: false while a lock of the scheduler's is held.
static ALWAYS_INLINE struct trace_event *make_room(
	struct trace_writer *w, uint64_t ticks, uint32_t n, bool may_turn)
{
	struct trace_chunk *c = w->chunk;

	// Only writer, of the count; a late look at the epoch is an event too many.
	if (unlikely(!c || c->count + n > TRACE_CHUNK_EVENTS ||
		     (ticks - c->base) >> TRACE_TIME_BITS ||
		     c->epoch != load_relaxed(&record_now.epoch))) {
		if (!may_turn || load_relaxed(&record_now.is_full)) // a hint
			return NULL;
		if (!record_turn_page(w, ticks))
			return NULL;
		c = w->chunk;
	}
	return &c->events[c->count];
}

static ALWAYS_INLINE void publish(struct trace_writer *w, uint32_t n)
{
	w->left.ticks = 0;
	// (trace-count) pairs with record_freeze: the events are written.
	store_release(&w->chunk->count, w->chunk->count + n);
}

static ALWAYS_INLINE uint64_t when(const struct trace_writer *w, uint64_t ticks, uint32_t processor,
	uint32_t detail, enum trace_kind kind)
{
	return (ticks - w->chunk->base) << 24 | (uint64_t)processor << 13 | detail << 5 | kind;
}

static ALWAYS_INLINE uint32_t processor_of(const struct machine *m)
{
	return m->processor ? m->processor->index : TRACE_NO_PROCESSOR;
}

static ALWAYS_INLINE void note_at(struct machine *m, struct trace_writer *w, uint64_t ticks,
	enum trace_kind kind, uint32_t detail, uint64_t id, uint32_t stack)
{
	struct trace_event *e = make_room(w, ticks, 1, true);

	if (unlikely(!e))
		return;
	e->when = when(w, ticks, processor_of(m), detail, kind);
	e->what = trace_what(id, stack);
	publish(w, 1);
}

static ALWAYS_INLINE void note(struct machine *m, struct trace_writer *w, enum trace_kind kind,
	uint32_t detail, uint64_t id, uint32_t stack)
{
	note_at(m, w, record_ticks(), kind, detail, id, stack);
}

bool record_note(enum trace_kind kind, uint32_t detail, const uint64_t *whats, uint32_t count)
{
	struct machine *m = machine_here();
	struct trace_writer *w = writer_of(m);
	uint64_t ticks = record_ticks();
	struct trace_event *e = w ? make_room(w, ticks, count, true) : NULL;

	if (!e)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		e[i].when = when(w, ticks, processor_of(m), detail, i == 0 ? kind : TRACE_MORE);
		e[i].what = whats[i];
	}
	publish(w, count);
	return true;
}

// The calling goroutine's; 0 on a plain thread and on the scheduler's stack.
static ALWAYS_INLINE uint32_t stack_here(
	struct trace_writer *w, const struct goroutine *g, enum trace_kind kind, uint32_t detail)
{
	if (!g || !g->stack)
		return 0;
	// Goroutines of one kind stop for the same reason where they always do.
	uintptr_t hint = g->creation_pc << 16 ^ kind << 8 ^ detail;
	return stack_number_here(&w->walker, stack_bounds(g->stack, g->stack_class).top, hint);
}

uint32_t record_stack_here(void)
{
	struct machine *m = machine_here();
	struct trace_writer *w = writer_of(m);

	return w ? stack_here(w, m->current, TRACE_LOG, 0) : 0;
}

// ---- hooks (events.c) ------------------------------------------------------------------------

void trace_spawned(struct machine *m, const struct goroutine *g, bool by_current)
{
	struct trace_writer *w = writer_of(m);

	if (unlikely(!w))
		return;
	uint32_t stack = by_current ? stack_here(w, m->current, TRACE_CREATED, 0) : 0;
	if (stack == 0)
		stack = stack_number_of_pc(&w->walker, g->creation_pc, true);
	// As function_of in inspect.c: of a handle's goroutine what was asked for.
	uintptr_t entry = g->handle ? (uintptr_t)g->capture.gpr[1] : (uintptr_t)g->capture.fn;
	uint64_t ticks = record_ticks();
	struct trace_event *e = make_room(w, ticks, 2, true);
	if (unlikely(!e))
		return;
	e[0].when = when(w, ticks, processor_of(m), 0, TRACE_CREATED);
	e[0].what = trace_what(g->id, stack);
	e[1].when = when(w, ticks, processor_of(m), 0, TRACE_ENTRY);
	e[1].what = trace_what(g->id, stack_number_of_pc(&w->walker, entry, false));
	publish(w, 2);
}

void trace_readied(struct machine *m, const struct goroutine *g, uint32_t cause)
{
	struct trace_writer *w = writer_of(m);

	// Of a timer's or a descriptor's waker the stack is the scheduler's.
	bool by_current = cause == EVENT_BY_GOROUTINE;

	if (likely(w != NULL))
		note(m, w, TRACE_READY, cause, g->id,
			by_current ? stack_here(w, m->current, TRACE_READY, 0) : 0);
}

/*
 * Between a park and the run of the next goroutine lie some ns when that one was next in turn, and
 * nobody looked for it: the clock, which takes as long as all else here, is not read again.
 */
static ALWAYS_INLINE uint64_t ticks_of_entry(
	const struct trace_writer *w, const struct processor *p, bool first)
{
	const struct trace_left *left = &w->left;

	// Only writer, of the tick.
	if (likely(left->ticks != 0 && left->processor == p && !first &&
		    p->runs - left->runs <= 1 && load_relaxed(&p->tick) == left->tick))
		return left->ticks;
	return record_ticks();
}

void trace_entering(struct machine *m, const struct goroutine *g, bool first)
{
	struct trace_writer *w = writer_of(m);

	if (unlikely(!w))
		return;
	note_at(m, w, ticks_of_entry(w, m->processor, first), TRACE_RUN, 0, g->id, 0);
}

void trace_parking(struct machine *m, const struct goroutine *g)
{
	struct trace_writer *w = writer_of(m);
	const struct processor *p = m->processor;

	if (unlikely(!w))
		return;
	uint32_t stack = stack_here(w, g, TRACE_PARK, g->wait_reason);
	uint64_t ticks = record_ticks();

	note_at(m, w, ticks, TRACE_PARK, g->wait_reason, g->id, stack);
	w->left = (struct trace_left){ticks, p, p->runs, load_relaxed(&p->tick)}; // only writer
}

void trace_yielding(struct machine *m, const struct goroutine *g)
{
	struct trace_writer *w = writer_of(m);
	// A hint: it is cleared when the processor attends to it, after this.
	bool told = load_relaxed(&m->processor->attention) & ATTENTION_ASKED;

	if (likely(w != NULL))
		note(m, w, TRACE_YIELD, told, g->id, stack_here(w, g, TRACE_YIELD, 0));
}

void trace_ended(struct machine *m, const struct goroutine *g)
{
	struct trace_writer *w = writer_of(m);

	if (likely(w != NULL))
		note(m, w, TRACE_END, 0, g->id, 0);
}

void trace_blocking_began(struct machine *m, const struct goroutine *g)
{
	struct trace_writer *w = writer_of(m);

	if (likely(w != NULL))
		note(m, w, TRACE_BLOCK, 0, g->id, stack_here(w, g, TRACE_BLOCK, 0));
}

void trace_blocking_ended(struct machine *m, const struct goroutine *g)
{
	struct trace_writer *w = writer_of(m);

	if (likely(w != NULL))
		note(m, w, m->processor ? TRACE_UNBLOCK : TRACE_UNBLOCK_NO, 0, g->id, 0);
}

// With rt.lock held: only into a chunk that has room.
void trace_processor_idles(const struct processor *p)
{
	struct machine *m = machine_current();
	struct trace_writer *w = m ? m->trace : NULL;
	uint64_t ticks = record_ticks();
	struct trace_event *e = w ? make_room(w, ticks, 1, false) : NULL;

	if (!e)
		return;
	e->when = when(w, ticks, p->index, 0, TRACE_IDLE);
	e->what = 0;
	publish(w, 1);
}
