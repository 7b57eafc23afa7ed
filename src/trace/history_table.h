// SPDX-License-Identifier: MIT
/*
 * What history.c keeps of goroutines, threads and processors while it replays (history_table.c).
 * Memory comes from the system alone: the process may be ending in a signal handler.
 */
#ifndef TUZA_TRACE_HISTORY_TABLE_H
#define TUZA_TRACE_HISTORY_TABLE_H

#include "sched/inspect.h"
#include "sched/runtime.h"
#include "trace/history.h"

static const uint32_t NOBODY = UINT32_MAX;

struct told_goroutine {
	uint64_t id;             // 0: free
	uint64_t sequence;       // of STEP_STARTS and STEP_READY
	uint64_t older_sequence; // go_old_format.c's
	uint32_t thread;         // when it runs or is blocked; NOBODY
	uint32_t stack;          // where it stood at the end, if it did nothing
	uint32_t entry;          // its function, if it was made meanwhile
	uint8_t state;           // enum history_state: now
	uint8_t first;           // at the beginning
	bool is_seen;            // it occurs in an event
	bool owes_ready;         // it was told to be ready before that was noted
	bool is_ready;           // it was made ready before it was noted to park
};

struct told_thread {
	uint64_t goroutine; // that it runs; 0: none
	uint64_t first;     // at the beginning
	uint32_t processor; // TRACE_NO_PROCESSOR
	uint32_t first_processor;
	bool is_known; // what it runs at the beginning has been decided
	// where the merge is
	uint32_t first_part; // index in the record; NOBODY: none
	uint32_t part;       // NOBODY: at the end
	uint32_t event;      // in that part
};

struct told_processor {
	uint32_t thread; // NOBODY
	uint32_t first;  // at the beginning
	uint64_t sequence;
	bool is_known;
};

struct history_private {
	struct told_goroutine *goroutines; // by id: open addressing
	size_t capacity, count;
	struct told_thread *threads;
	uint32_t thread_capacity;
	uint32_t *next_parts; // by part: the next one of the same thread
	size_t part_bytes;
	uint32_t *heap; // of threads, by the time of their next event
	uint32_t heap_count;
	bool is_taken;               // the event at the top of the heap was given out
	uint64_t since;              // ticks: events before do not count
	struct told_region *regions; // REGIONS_MAX: those that are open
	uint32_t region_count;
	struct told_processor processors[PROCESSOR_SLOTS];
};

enum { REGIONS_MAX = 1 << 16 };

struct told_region {
	uint64_t goroutine, task;
	uint32_t name;
};

/*
 * A goroutine enters a region, or leaves one. False: that is not to be told, since it would not
 * nest, or there are too many.
 */
bool region_begins(struct history_private *p, struct told_region r);
bool region_ends(struct history_private *p, struct told_region r);
// The goroutine ends, and all its regions.
void regions_forget(struct history_private *p, uint64_t goroutine);

// The goroutine's entry, made if there was none: then *is_new. NULL: out of memory.
struct told_goroutine *history_goroutine(struct history_private *p, uint64_t id, bool *is_new);
// The same, NULL if there is none.
struct told_goroutine *history_find(struct history_private *p, uint64_t id);
void history_table_free(struct history *h);
MUST_USE int history_table_make(struct history *h);
// When h->record is there: its threads. 0 or -ENOMEM.
MUST_USE int history_table_link(struct history *h);

// ---- how things were (history_first.c) -----------------------------------------------------

// Goes through all events; false: out of memory.
bool history_see(struct history *h);
// A goroutine that lives: how it always was, if it will occur in no event. inspect_each's.
void history_see_living(const struct inspected *i, void *history);

// ---- merging -------------------------------------------------------------------------------

// Begins with the oldest event that counts.
void merge_begin(struct history *h);
// The next event of all threads', by time; NULL: there is none. `ticks`: its time.
const struct trace_event *merge_next(struct history *h, uint32_t *thread, uint64_t *ticks);
// The event behind the last one, of the same thread: taken if its kind is this one, else NULL.
const struct trace_event *merge_more(struct history *h, enum trace_kind kind);

#endif
