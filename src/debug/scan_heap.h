// SPDX-License-Identifier: MIT
/*
 * The blocks of glibc's malloc, for one who has stopped all threads: which block an address lies
 * in, and which blocks were reached.
 *
 * Known are the main heap and the arenas of threads, where they can be walked from their first
 * block to their very end, and blocks that malloc got from mmap (128 KiB and more) that begin a
 * mapping, or follow each other from its beginning. Of another allocator nothing is known.
 */
#ifndef TUZA_DEBUG_SCAN_HEAP_H
#define TUZA_DEBUG_SCAN_HEAP_H

#include "debug/scan_memory.h"
#include "sys/memory.h"

struct scan_heap {
	struct scan_array parts; // struct heap_part
	struct scan_array large; // struct heap_large
	uintptr_t low, high;     // of all parts
};

/*
 * Finds the parts that lie in a mapping. Memory that malloc manages is added to `managed`, an array
 * of struct scan_range: it holds nothing that is not in a block. None begins in `others`,
 * sorted ranges, parts of which cannot be read.
 *
 * False: a part is in the midst of a change, or none of glibc's: it is as if it were not there.
 */
bool scan_heap_add(struct scan_heap *h, const struct sys_mapping *m, struct scan_array *managed,
	const struct scan_array *others);

// When all are added.
void scan_heap_sort(struct scan_heap *h);
void scan_heap_free(struct scan_heap *h);

// The block that holds `address`, up to its end; false: none that is in use.
bool scan_heap_block(const struct scan_heap *h, uintptr_t address, struct scan_range *block);

enum scan_heap_mark {
	SCAN_NO_BLOCK,    // nor any of malloc's memory
	SCAN_WAS_REACHED, // or is not in use
	SCAN_IS_REACHED,  // now
};
// Marks the block at `address` as reached.
enum scan_heap_mark scan_heap_mark(
	struct scan_heap *h, uintptr_t address, struct scan_range *block);
bool scan_heap_is_marked(const struct scan_heap *h, uintptr_t address);

#endif
