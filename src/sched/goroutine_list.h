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
	struct goroutine goroutines[GOROUTINES_PER_CHUNK];
};

static ALWAYS_INLINE uint32_t goroutine_default_class(void) { return config.stack_class; }

// Gives a dead goroutine's descriptor back. p: the owner's cache; NULL: the common list.
void goroutine_free(struct processor *p, struct goroutine *g);

// Gives back a descriptor that was prepared and will not run.
void goroutine_discard(struct processor *p, struct goroutine *g);

// Fills a zeroed descriptor for a plain thread.
void goroutine_init_thread(struct goroutine *g);

// How many goroutines live: created and not ended. Plain threads are not counted.
uint64_t goroutine_count(void);
// How many were ever created.
uint64_t goroutine_created_count(void);

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
}

// Takes parked goroutines out of the queues of whatever they wait on, and waits `until` for those
// whom plain threads are waking. False: there are such still. Needs: as below, but stragglers may
// exist, if it says so.
bool goroutine_unlink_all(int64_t until, bool has_stragglers);

// Gives all chunks back, with what the dropped goroutines own. Needs: no machine is left.
void goroutine_release_all(void);

#endif
