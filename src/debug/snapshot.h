// SPDX-License-Identifier: MIT
/*
 * A picture of goroutines, to be looked at when they run on.
 *
 * It lies in pages of its own, never on the heap: a dump must work in a program whose heap does
 * not, and nothing may be allocated from it while a goroutine is held.
 */
#ifndef TUZA_DEBUG_SNAPSHOT_H
#define TUZA_DEBUG_SNAPSHOT_H

#include "debug/backtrace.h"
#include "sched/inspect.h"

struct snapshot_record {
	struct snapshot_record *next;
	struct inspected i; // name and labels are copies; context may be used no more
	bool has_stack;
	struct backtrace b; // only as many frames as it has are there
};

struct snapshot_chunk;

struct snapshot {
	struct snapshot_record *records; // the caller first, then by number
	struct snapshot_chunk *chunks;
	size_t left_out; // goroutines, for want of memory
};

// Whether this goroutine is to be in the picture. It is held: see inspect_each.
typedef bool snapshot_wants(const struct inspected *i, void *arg);

/*
 * Takes the picture of all goroutines that `wants` wants; NULL: of all. The others cost nothing but
 * that call. From any goroutine or thread, not from a signal handler.
 *
 * Owns/frees  snapshot_free.
 */
void snapshot_take(struct snapshot *s, snapshot_wants *wants, void *arg);
void snapshot_free(struct snapshot *s);

/*
 * Room for `bytes` in the snapshot's pages, not zeroed; NULL without memory. It is there once
 * snapshot_keep was told where the part of it ends that is to stay. No lock, no heap.
 */
void *snapshot_room(struct snapshot *s, size_t bytes);
void snapshot_keep(struct snapshot *s, const char *end);

#endif
