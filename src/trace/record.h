// SPDX-License-Identifier: MIT
/*
 * What happened, as the machines note it (note.c): events of 16 bytes in chunks of 16 KiB.
 *
 * Each machine, plain threads included, has a chunk of its own to write to, so noting takes no lock
 * and no atomic read-modify-write. Full ones are kept in the order in which they became full; when
 * there are as many as wanted, the oldest is written again. What is in them becomes a history
 * (history.h), and that a file.
 */
#ifndef TUZA_TRACE_RECORD_H
#define TUZA_TRACE_RECORD_H

#include "base/list.h"
#include "sched/events.h"
#include "trace/stack.h"

#include <stdint.h>

enum trace_kind {
	TRACE_NOTHING,
	TRACE_CREATED, // id was made; TRACE_ENTRY follows at once
	TRACE_ENTRY,   // the stack is the function of the goroutine before
	TRACE_READY,   // id could run from now on; detail: enum event_cause
	TRACE_RUN,     // id is run
	// by the goroutine id, which runs on this machine
	TRACE_PARK,       // detail: enum wait_reason
	TRACE_YIELD,      // detail: 1 when it was told to
	TRACE_END,        //
	TRACE_BLOCK,      // it begins a blocking section
	TRACE_UNBLOCK,    // it ends one, with a processor
	TRACE_UNBLOCK_NO, // it ends one and waits for a processor
	TRACE_TASK,   // TRACE_MORE follows: id: of the task, stack: its name. detail: 1 at its end
	TRACE_REGION, // TRACE_MORE follows: id: its task, stack: its name. detail: 1 at its end
	TRACE_LOG,    // TRACE_MORE follows, twice: id: its task, stack: key, then value
	TRACE_LAST_BY = TRACE_LOG,
	TRACE_MORE,
	// by nobody
	TRACE_IDLE, // the processor has nothing to do
};

enum {
	TRACE_NO_PROCESSOR = 2047,
	TRACE_CHUNK_BYTES = 16 << 10,
	TRACE_TIME_BITS = 40, // of a chunk's first event on: minutes
};

struct trace_event {
	uint64_t when; // time << 24 | processor << 13 | detail << 5 | kind
	uint64_t what; // id << 24 | number of a stack or text
};

struct trace_chunk {
	struct trace_chunk *next; // guarded by the lock: the free or full one behind it
	uint64_t base;            // ticks of the first event
	uint64_t last;            // ticks; written when it is full
	uint32_t epoch;
	uint32_t thread; // the kernel's id of who writes
	uint32_t count;  // atomic: events that are complete. Written by the owner
	uint32_t unused;
	struct trace_event events[(TRACE_CHUNK_BYTES - 3 * 8 - 4 * 4) / sizeof(struct trace_event)];
};
_Static_assert(sizeof(struct trace_chunk) <= TRACE_CHUNK_BYTES, "a chunk is what it says");

enum {
	TRACE_CHUNK_EVENTS = sizeof(((struct trace_chunk *)0)->events) / sizeof(struct trace_event)
};

// One machine's. Made when it first has something to note, freed when it ends.
struct trace_writer {
	struct link all;           // guarded by the lock
	struct trace_chunk *chunk; // changed by the owner, under the lock
	uint32_t thread;
	// owner only
	struct trace_left {
		uint64_t ticks; // 0: it has noted something since
		const struct processor *processor;
		uint64_t runs;
		uint32_t tick;
	} left; // when and how a goroutine was left
	struct stack_walker walker;
};

// ---- the record as a whole -----------------------------------------------------------------

// Who wants it. All may, at the same time.
enum trace_user {
	TRACE_FOR_FILE = 1,
	TRACE_FOR_RECORDER = 2,
	TRACE_FOR_ENVIRONMENT = 4,
	TRACE_FOR_ALL = 7,
};

/*
 * These, and record_freeze, are called by one thread at a time.
 *
 * Begins to note for this user, at least `bytes` before anything is written over. 0; -EBUSY: it has
 * begun; -ENOMEM.
 */
MUST_USE int record_begin(enum trace_user user, size_t bytes);
// Ends that. What was noted is dropped with the last user.
void record_end(enum trace_user user);
bool record_is_on(enum trace_user user);
// What comes from now on does not count for this user: if there is no other, nothing is noted.
void record_pause(enum trace_user user);

// ---- taking it out -------------------------------------------------------------------------

struct record_part {
	const struct trace_chunk *chunk;
	uint32_t count; // of its events
	uint32_t thread;
};

struct record {
	struct record_part *parts; // those of one thread in order; sys_pages_alloc
	size_t count, bytes;
	uint64_t since; // ticks: before that some are missing
	uint64_t ticks_at_begin, ticks_now;
	int64_t time_at_begin, time_now; // the same moments by sys_clock_now()
};

// What sys_clock_now() was when the ticks were read.
int64_t record_time(const struct record *r, uint64_t ticks);

/*
 * All that is there. Until record_thaw nothing of it is written over; machines go on noting in new
 * chunks. `is_fatal`: the process ends, and no lock is waited for for long. 0 or -ENOMEM.
 */
MUST_USE int record_freeze(struct record *r, bool is_fatal);
void record_thaw(struct record *r);

// ---- noting (note.c) -----------------------------------------------------------------------

// For annotate.c: notes a few events of the calling goroutine that belong together, each with what
// stands behind it in `what`. Returns whether it could.
bool record_note(enum trace_kind kind, uint32_t detail, const uint64_t *whats, uint32_t count);
uint32_t record_stack_here(void); // the number of its stack

static inline uint64_t trace_what(uint64_t id, uint32_t number) { return id << 24 | number; }
static inline uint64_t trace_id(const struct trace_event *e) { return e->what >> 24; }
static inline uint32_t trace_number(const struct trace_event *e) { return e->what & 0xffffff; }
static inline enum trace_kind trace_kind_of(const struct trace_event *e)
{
	return (enum trace_kind)(e->when & 31);
}
static inline uint32_t trace_detail(const struct trace_event *e) { return e->when >> 5 & 255; }
static inline uint32_t trace_processor(const struct trace_event *e) { return e->when >> 13 & 2047; }

#endif
