// SPDX-License-Identifier: MIT
/*
 * How a layer has its own objects in the report of a leak check (tuza/testing.h): it keeps a list
 * of those that the program has to free, and shows it when asked. Implemented in
 * debug/leak_look.c.
 *
 *	static struct leak_source contexts = {"found contexts that were not freed:", each_context};
 *	…
 *	leak_source_add(&contexts);     // when the first one is made
 */
#ifndef TUZA_BASE_LEAK_SOURCE_H
#define TUZA_BASE_LEAK_SOURCE_H

#include "base/compiler.h"

// One object that has not been freed.
struct leaked {
	uint64_t id;           // of this source's objects only this one ever has it
	const char *text;      // what it is, one line; has to last during the call only
	uint64_t creator_id;   // the goroutine that made it; 0: unknown
	uintptr_t creation_pc; // a return address in the function that made it; 0: unknown
};

typedef void leak_found(const struct leaked *object, void *arg);

struct leak_source {
	// constant
	const char *title; // the line above its objects
	/*
	 * Calls found(object, arg) for each object. `found` copies what it is told: it takes no
	 * lock, allocates nothing from the heap and does not park, so the source may hold its lock
	 * meanwhile. Called by any goroutine or thread, on its own stack: by several at a time.
	 */
	void (*each)(leak_found *found, void *arg);

	// constant after leak_source_add
	struct leak_source *next;
};

// Adds a source, once and for good. Callable from any goroutine or thread. Allocates nothing.
void leak_source_add(struct leak_source *source);

#endif
