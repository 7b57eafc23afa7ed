// SPDX-License-Identifier: MIT
/*
 * The names that a leak check ignores: see tuza_leak_options.
 */
#ifndef TUZA_DEBUG_LEAK_NAMES_H
#define TUZA_DEBUG_LEAK_NAMES_H

#include "debug/snapshot.h"

#include <tuza/testing.h>

// Whether the list ("feed, log_*") has the name. A NULL list has none, and NULL is on none.
bool leak_names_have(const char *list, const char *name);

// Whether the options name functions at all: then it pays to look symbols up.
bool leak_names_are_functions(const tuza_leak_options *options);

/*
 * Whether the options ignore the goroutine because of a function: of its stack, or its creator.
 * Needs the stack that symbol_each needs.
 */
bool leak_names_ignore(const tuza_leak_options *options, const struct snapshot_record *r);

// Whether the options ignore what was made here.
bool leak_names_ignore_creator(const tuza_leak_options *options, uintptr_t creation_pc);

#endif
