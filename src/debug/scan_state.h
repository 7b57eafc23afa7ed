// SPDX-License-Identifier: MIT
/*
 * A scan under way: scan.c decides, scan_roots.c finds what is known from the start.
 */
#ifndef TUZA_DEBUG_SCAN_STATE_H
#define TUZA_DEBUG_SCAN_STATE_H

#include "debug/scan_heap.h"
#include "debug/scan_memory.h"
#include "sched/goroutine.h"
#include "sys/memory.h"

// A goroutine that has a stack.
struct scan_goroutine {
	uintptr_t slot; // the key: lowest address of its stack
	uintptr_t sp;   // where the used part begins; 0: unknown, all of it is looked at
	uintptr_t low, top;
	struct goroutine *g;
	bool is_live; // it may run: what it knows is known
};

struct scan {
	struct scan_array goroutines; // struct scan_goroutine
	struct scan_array stacks;     // ranges: the arenas of stacks
	struct scan_array hidden;     // ranges: what makes nothing known
	struct scan_array managed;    // ranges: malloc's; what is in no block makes nothing known
	struct scan_heap heap;
	struct scan_array work; // ranges: blocks that were reached and have yet to be looked at

	struct sys_stopped *threads;
	int thread_count;
	size_t deaf;                // threads that could not be stopped
	struct scan_array mappings; // struct sys_mapping, as they were when the threads had stopped
	const char *base;           // the frames of the scan lie below
	const struct arch_saved *caller;
	const struct goroutine *self; // the calling goroutine; NULL: a plain thread
	struct scan_range main_stack; // the mapping
	bool on_valgrind;
	bool skips_giants; // mappings of the sanitizers' own

	bool ignores_stacks; // at the moment: words that point into goroutines' stacks mean nothing
};

// scan.c: takes note of what each of the words points to.
void scan_see(const uintptr_t *words, size_t n, void *scan);
// The same for memory that can be read for certain.
void scan_see_in_place(uintptr_t low, uintptr_t high, void *scan);
// The goroutine whose stack holds the address, or NULL.
struct scan_goroutine *scan_goroutine_at(const struct scan *s, uintptr_t address);

/*
 * scan_roots.c. Fills the ranges, the heap and the goroutines; false: something was in the midst of
 * a change, or memory was wanting (*_.is_cut).
 */
bool scan_prepare(struct scan *s, bool accepts_partial_heap);
// Sees all that is known whoever is leaked: memory of no goroutine and no block, and threads.
void scan_see_roots(struct scan *s);
// Sees what a goroutine knows that may run.
void scan_see_goroutine(struct scan *s, const struct scan_goroutine *sg);

#endif
