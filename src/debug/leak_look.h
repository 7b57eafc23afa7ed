// SPDX-License-Identifier: MIT
/*
 * One look at what is left: goroutines, and the objects of the leak sources.
 */
#ifndef TUZA_DEBUG_LEAK_LOOK_H
#define TUZA_DEBUG_LEAK_LOOK_H

#include "base/leak_source.h"
#include "debug/snapshot.h"

#include <tuza/testing.h>

// Goroutine or object; its source is NULL for goroutines.
struct leak_id {
	const struct leak_source *source;
	uint64_t id;
};

struct tuza_leak_snapshot {
	size_t count;
	struct leak_id ids[]; // sorted
};

// What is not looked for. The pointers are borrowed.
struct leak_rules {
	tuza_leak_options options;
	const tuza_leak_snapshot *before; // besides options.ignore_current; NULL: none
};

struct leak_object {
	struct leak_object *next;
	const struct leak_source *source;
	struct leaked object; // its text is a copy
};

struct leak_look {
	const struct leak_rules *rules;
	struct snapshot goroutines;  // those left
	struct leak_object *objects; // those left, source by source; in the snapshot's pages
	struct leak_object **last_object;
	const struct leak_source *source; // being asked
	size_t left_out;                  // objects, for want of memory
};

/*
 * Fills *l with what is left by `rules`.
 *
 *   by_functions  whether names of functions are looked up; without, nothing is ignored by them.
 *
 * Returns  how many are left, goroutines and objects, those included for which memory was wanting.
 * Owns/frees  leak_look_free.
 */
size_t leak_look_take(struct leak_look *l, const struct leak_rules *rules, bool by_functions);
void leak_look_free(struct leak_look *l);

#endif
