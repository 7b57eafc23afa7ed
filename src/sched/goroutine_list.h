// SPDX-License-Identifier: MIT
/*
 * Where descriptors come from and go to (goroutine.c).
 */
#ifndef TUZA_SCHED_GOROUTINE_LIST_H
#define TUZA_SCHED_GOROUTINE_LIST_H

#include "sched/runtime.h"
#include "sched/config.h"

enum { GOROUTINES_PER_CHUNK = 256 };

struct goroutine_chunk {
	struct goroutine_chunk *next; // constant once the chunk is in the list
	uint32_t used; // atomic, written under rt.lock: the others are untouched memory
	struct goroutine goroutines[GOROUTINES_PER_CHUNK];
};

// How many of the chunk's descriptors have ever been given out, to those that go through all.
static inline uint32_t goroutine_chunk_used(const struct goroutine_chunk *chunk)
{
	return load_relaxed(&chunk->used); // whoever comes later is missed as a later chunk is
}

static ALWAYS_INLINE uint32_t goroutine_default_class(void) { return config.stack_class; }

// Gives a dead goroutine's descriptor back. p: the owner's cache; NULL: the common list.
void goroutine_free(struct processor *p, struct goroutine *g);

// Gives back a descriptor that was prepared and will not run.
void goroutine_discard(struct processor *p, struct goroutine *g);

// Fills a zeroed descriptor for a plain thread.
void goroutine_init_thread(struct goroutine *g);

// How many goroutines live: created and not ended. Plain threads are not counted.
uint64_t goroutine_count(void);
// How many were ever created, and how many of those have ended.
uint64_t goroutine_created_count(void);
uint64_t goroutine_ended_count(void);

// Initialises the half of the descriptor that held the arguments: g is about to run on m for the
// first time.
static ALWAYS_INLINE void goroutine_come_alive(struct goroutine *g, struct machine *m)
{
	g->machine = m;
	g->defers = NULL;
	g->tries = NULL;
	g->wait_object = NULL;
	g->waiting = NULL;
	g->wait_since = 0;
	g->started_at = load_relaxed(&rt.coarse_now); // a clock that may lag
	g->trimmed_since = 0;
	g->asan_fake_stack = NULL;
	g->cxx_globals[0] = g->cxx_globals[1] = NULL;
	g->panics = NULL;
	g->saved_errno = 0;
	g->wait_reason = WAIT_NONE;
	g->park_word = 0;
	g->lock_count = 0;
	g->blocking = 0;
	g->operation_count = 0;
}

// Takes parked goroutines out of the queues of whatever they wait on, and waits `until` for those
// whom plain threads are waking. False: there are such still. What they were doing is over. Needs:
// no machine runs but those among rt.stragglers.
bool goroutine_unlink_all(int64_t until);

// The same for one that ran when the end of its runtime gave up waiting. On the machine that leaves
// it; needs: the lock of visit.c.
void goroutine_drop_straggler(struct goroutine *g);
// handle.c: whoever joins it hears that it has ended.
void goroutine_handle_dropped(struct goroutine *g);
// It is about to park, when it has put itself into a queue: leaves those of channels, which may be
// gone later. Needs: the locks that the park drops.
void goroutine_parks_late(struct goroutine *g);
// It was taken out of a queue to be made ready.
void goroutine_woken_late(struct goroutine *g);

// Gives all chunks back, with what the dropped goroutines own. Needs: no machine is left.
void goroutine_release_all(void);

#endif
