// SPDX-License-Identifier: MIT
/*
 * The steps of a history: each is told to whoever asked for it, and changes what is known of
 * goroutines, threads and processors. What a step needs is made to happen before it, so that what
 * is told is always possible.
 */
#ifndef TUZA_TRACE_HISTORY_STEPS_H
#define TUZA_TRACE_HISTORY_STEPS_H

#include "trace/history_table.h"

struct telling {
	struct history *h;
	void (*fn)(const struct step *s, void *arg);
	void *arg;
	int64_t time; // of the steps that are told now
};

static inline struct told_thread *told_thread_at(const struct telling *t, uint32_t thread)
{
	return &t->h->p->threads[thread];
}

static inline struct told_processor *told_processor_at(const struct telling *t, uint32_t processor)
{
	return &t->h->p->processors[processor];
}

// The goroutine that runs on the thread, or is blocked there; NULL: none.
static inline struct told_goroutine *told_running_on(const struct telling *t, uint32_t thread)
{
	uint64_t id = told_thread_at(t, thread)->goroutine;

	return id ? history_find(t->h->p, id) : NULL;
}

// Tells `s`, and changes nothing.
void told_step(struct telling *t, struct step s);

// Goroutine `g` leaves its thread, and is in `state` then.
void told_goroutine_stops(struct telling *t, struct told_goroutine *g, enum step_kind kind,
	enum history_state state, uint32_t detail, uint32_t stack);
// A goroutine that waited may run; `thread` made it ready.
void told_goroutine_is_ready(struct telling *t, struct told_goroutine *g, uint32_t thread,
	uint32_t cause, uint32_t stack);
// A goroutine that may run does so, on a thread that is free and has a processor.
void told_goroutine_starts(struct telling *t, struct told_goroutine *g, uint32_t thread);

// Whatever runs or is blocked on the thread does so no more.
void told_thread_is_free(struct telling *t, uint32_t thread);
// The thread has this processor from now on.
void told_thread_has(struct telling *t, uint32_t thread, uint32_t processor);

// The thread gives up the processor that it has.
void told_processor_stops(struct telling *t, uint32_t thread);
// Thread `from` loses its processor, which thread `by` takes.
void told_processor_is_taken(struct telling *t, uint32_t from, uint32_t by);

#endif
