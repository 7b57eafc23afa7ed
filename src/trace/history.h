// SPDX-License-Identifier: MIT
/*
 * What happened, in one order and without contradictions (history.c): for those who write files.
 */
#ifndef TUZA_TRACE_HISTORY_H
#define TUZA_TRACE_HISTORY_H

#include "trace/record.h"

enum history_state {
	HISTORY_NONE, // not made yet, or ended
	HISTORY_RUNNABLE,
	HISTORY_RUNNING,
	HISTORY_BLOCKED, // in a blocking section
	HISTORY_WAITING,
};

/*
 * A goroutine runs on a thread that has a processor; one in a blocking section may lose that. Each
 * step leads from such a state to another one, so whoever replays them finds them consistent.
 */
enum step_kind {
	// how things are at the beginning: all of these come first
	STEP_PROCESSOR_IS_IDLE,    // processor
	STEP_PROCESSOR_IS_RUNNING, // processor, thread
	STEP_IS,                   // goroutine, state; thread when it runs or is blocked; stack

	STEP_PROCESSOR_STARTS, // processor, thread
	STEP_PROCESSOR_STOPS,  // processor, thread
	STEP_PROCESSOR_STOLEN, // processor, thread: by; from
	STEP_CREATED,          // goroutine; thread, processor, by; entry, stack
	STEP_STARTS,           // goroutine, thread
	STEP_YIELDS,           // goroutine, thread; detail: 1 when told to; stack
	STEP_PARKS,            // goroutine, thread; detail: enum wait_reason; stack
	STEP_READY,            // goroutine, thread: by whose; by; detail: enum event_cause
	STEP_ENDS,             // goroutine, thread
	STEP_BLOCKS,           // goroutine, thread, processor; stack
	STEP_UNBLOCKS,         // goroutine, thread: it kept its processor
	STEP_UNBLOCKS_LATE,    // goroutine, thread: it had lost it, and is runnable now
	// by a goroutine that runs
	STEP_TASK_BEGINS, // id: of the task, parent; name
	STEP_TASK_ENDS,   // id, name
	STEP_REGION_BEGINS,
	STEP_REGION_ENDS, // id: of its task; name
	STEP_LOG,         // id: of its task; name, text
};

struct step {
	enum step_kind kind;
	enum history_state state;
	int64_t time;           // ns of sys_clock_now(); never less than that of the step before
	uint32_t thread, from;  // indices
	uint32_t processor;     // TRACE_NO_PROCESSOR
	uint64_t goroutine, by; // by: 0: none
	uint32_t detail;
	uint32_t entry, stack; // numbers of stacks
	uint32_t name, text;   // numbers of texts
	uint64_t id, parent;
	// how often the goroutine or processor was handed on before: Go's sequence numbers
	uint64_t sequence;
};

struct history {
	struct record record;
	int64_t begin, end; // ns of sys_clock_now()
	// the kernel's ids of threads, by index
	uint32_t *threads;
	uint32_t thread_count;
	bool is_fatal;
	// private
	struct history_private *p;
};

/*
 * Takes all that is noted, from `since` (ns of sys_clock_now()) on. history_free lets it go.
 * `ends`: for whom this is the last. `is_fatal`: the process ends. 0 or -ENOMEM.
 */
MUST_USE int history_take(struct history *h, int64_t since, enum trace_user ends, bool is_fatal);
void history_free(struct history *h);

// Tells it, step by step. Once.
void history_tell(struct history *h, void (*fn)(const struct step *s, void *arg), void *arg);

#endif
