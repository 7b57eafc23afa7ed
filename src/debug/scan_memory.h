// SPDX-License-Identifier: MIT
/*
 * Tools for a look at memory while all other threads are stopped: nothing here uses malloc or takes
 * a lock.
 */
#ifndef TUZA_DEBUG_SCAN_MEMORY_H
#define TUZA_DEBUG_SCAN_MEMORY_H

#include "base/compiler.h"

// ---- arrays that grow, in pages of their own ------------------------------------------------

struct scan_array {
	void *items;
	size_t count, room; // items
	bool is_cut;        // something is missing, for want of memory
};

// A new last item of `bytes` (the same for all items of one array), zeroed; NULL without memory.
void *scan_array_add(struct scan_array *a, size_t bytes);
void scan_array_free(struct scan_array *a, size_t bytes);
// By the first word of each item, an address. In place, without recursion.
void scan_array_sort(struct scan_array *a, size_t bytes);
// The last item whose first word is not above `address`; NULL: none. Needs: sorted.
void *scan_array_find(const struct scan_array *a, size_t bytes, uintptr_t address);

// ---- ranges of addresses --------------------------------------------------------------------

struct scan_range {
	uintptr_t low, high;
};

// Adds to an array of struct scan_range.
void scan_range_add(struct scan_array *ranges, const void *low, const void *high);
// Sorts them, and joins those that overlap.
void scan_ranges_sort(struct scan_array *ranges);
bool scan_ranges_have(const struct scan_array *ranges, uintptr_t address);
// Calls fn for what of [low, high) is in none of the ranges. Needs: sorted.
void scan_without(const struct scan_array *ranges, uintptr_t low, uintptr_t high,
	void (*fn)(uintptr_t low, uintptr_t high, void *arg), void *arg);

// ---- reading --------------------------------------------------------------------------------

typedef void scan_words(const uintptr_t *words, size_t n, void *arg);

/*
 * Calls fn with copies of the aligned words of [low, high), part by part. What cannot be read, or
 * was never touched, is left out.
 */
void scan_read(uintptr_t low, uintptr_t high, scan_words *fn, void *arg);

#endif
