// SPDX-License-Identifier: MIT
/*
 * The part of a goroutine that most do without: name and labels (goroutine_extra.c), local values
 * (local.c).
 */
#ifndef TUZA_SCHED_GOROUTINE_EXTRA_H
#define TUZA_SCHED_GOROUTINE_EXTRA_H

#include <stddef.h>
#include <stdint.h>

struct goroutine;

enum { GOROUTINE_NAME_BYTES = 64 }; // with the final 0

// Reached from struct goroutine.extra, which is NULL in most.
struct goroutine_extra {
	// written by the owner of the goroutine, read by dumps
	char name[GOROUTINE_NAME_BYTES];
	struct label_set *labels; // NULL: none; shared with others
	// owner of the goroutine
	struct local_value *locals;
	uint32_t local_count;
	uint32_t local_capacity;
	struct goroutine_extra *next; // guarded by spare_lock
};

_Static_assert(offsetof(struct goroutine_extra, name) == 0, "debuggers read the name there");

// The goroutine's extra, made if it has none; NULL without memory. Needs: the caller owns g.
struct goroutine_extra *goroutine_extra_of(struct goroutine *g);

// The new goroutine `child` gets its creator's labels. 0 or -ENOMEM.
int goroutine_extra_inherit(struct goroutine *child, const struct goroutine *creator);
int goroutine_extra_set_name(struct goroutine *g, const char *name); // the same

const char *goroutine_extra_name(const struct goroutine *g);   // "": none
const char *goroutine_extra_labels(const struct goroutine *g); // formatted; "": none

// The goroutine ends: runs the destructors of its local values, on it, and frees all.
void goroutine_extra_end(struct goroutine *g);
// It was dropped: frees all, without destructors.
void goroutine_extra_free(struct goroutine *g);

// Gives up the local values without calling destructors.
void goroutine_extra_drop_locals(struct goroutine_extra *e);

#endif
