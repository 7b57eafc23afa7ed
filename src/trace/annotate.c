// SPDX-License-Identifier: MIT
/*
 * What the program says of itself: tasks, regions, remarks.
 *
 * An annotation is of a goroutine that runs; what is said elsewhere is dropped.
 */
#include <tuza/trace.h>

#include "sched/machine.h"
#include "trace/record.h"
#include "trace/texts.h"

#include <stdarg.h>
#include <stdio.h>

static uint64_t last_task; // atomic

// The goroutine that is running on a processor; NULL: none that annotations could be of.
static const struct goroutine *speaker(void)
{
	const struct machine *m;

	if (!events_are_for(EVENTS_FOR_TRACE))
		return NULL;
	m = machine_current();
	return m && m->processor && m->current ? m->current : NULL;
}

static uint32_t text_of(const char *text) { return texts_number(text ? text : ""); }

EXPORT uint64_t tuza_trace_task_begin(uint64_t parent, const char *type)
{
	uint64_t task = add_relaxed(&last_task, 1) + 1; // unique is all that is wanted
	const struct goroutine *g = speaker();

	if (g) {
		uint64_t whats[] = {trace_what(g->id, record_stack_here()),
			trace_what(task, text_of(type)), trace_what(parent, 0)};

		(void)record_note(TRACE_TASK, 0, whats, COUNT_OF(whats));
	}
	return task;
}

EXPORT void tuza_trace_task_end(uint64_t task)
{
	const struct goroutine *g = speaker();

	if (g) {
		uint64_t whats[] = {trace_what(g->id, record_stack_here()), trace_what(task, 0)};

		(void)record_note(TRACE_TASK, 1, whats, COUNT_OF(whats));
	}
}

static void note_region(uint64_t task, const char *type, uint32_t is_end)
{
	const struct goroutine *g = speaker();

	if (g) {
		uint64_t whats[] = {
			trace_what(g->id, record_stack_here()), trace_what(task, text_of(type))};

		(void)record_note(TRACE_REGION, is_end, whats, COUNT_OF(whats));
	}
}

EXPORT void tuza_trace_region_begin(uint64_t task, const char *type) { note_region(task, type, 0); }

EXPORT void tuza_trace_region_end(uint64_t task, const char *type) { note_region(task, type, 1); }

EXPORT void tuza_trace_log(uint64_t task, const char *category, const char *format, ...)
{
	char text[TEXT_BYTES_MAX];
	va_list arguments;
	const struct goroutine *g;

	if (!speaker())
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	g = speaker(); // formats may run the program's code
	if (g) {
		uint64_t whats[] = {trace_what(g->id, record_stack_here()),
			trace_what(task, text_of(category)), trace_what(0, text_of(text))};

		(void)record_note(TRACE_LOG, 0, whats, COUNT_OF(whats));
	}
}
