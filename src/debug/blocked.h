// SPDX-License-Identifier: MIT
/*
 * Where goroutines are blocked: one group for all that wait for the same reason at the same place
 * of the program, the largest group first. Thousands that have waited for long at one place are
 * most likely leaked there (LeakProf's observation).
 *
 *	struct blocked_sites b;
 *	blocked_sites_take(&b, 10 * TUZA_SECOND);
 *	for (const struct blocked_site *s = b.sites; s; s = s->next)
 *		…
 *	blocked_sites_free(&b);
 */
#ifndef TUZA_DEBUG_BLOCKED_H
#define TUZA_DEBUG_BLOCKED_H

#include "debug/snapshot.h"
#include "debug/writer.h"

struct blocked_site {
	struct blocked_site *next;
	enum wait_reason reason;
	uintptr_t pc; // return address in the program's innermost function; 0: unknown
	uint64_t count;
	int64_t oldest_ns, youngest_ns;          // how long they have been waiting
	const struct snapshot_record *longest;   // the one that waits longest, to be shown
	uintptr_t creation_pc, creation_is_many; // its go statement; whether others have another
};

struct blocked_sites {
	struct blocked_site *sites; // by falling count, then by age
	size_t site_count;          // groups
	uint64_t count;             // goroutines in them
	struct snapshot snapshot;   // what they lie in
};

/*
 * Groups all goroutines that have been waiting for at least `age` ns: on channels, selects, locks,
 * conditions, groups, semaphores and joins. Sleep and I/O end by themselves or by others: they are
 * not among them, nor are threads.
 *
 * From any goroutine or thread, as snapshot_take. Ages are those of the coarse clock.
 *
 * Owns/frees  blocked_sites_free.
 */
void blocked_sites_take(struct blocked_sites *b, int64_t age);
void blocked_sites_free(struct blocked_sites *b);

// Whether a goroutine that waits for this reason can only be woken by what others do to the object
// that it waits on.
bool blocked_by_others(enum wait_reason reason);

/*
 * One group as text: how many, why, since when, and the stack of the one that waits longest. Needs:
 * the report lock, and a stack with 20 KiB to spare.
 */
void blocked_site_write(struct writer *w, const struct blocked_site *s);

#endif
