// SPDX-License-Identifier: MIT
/*
 * Slots for the readers of a readers-writer lock. Depends on base/atomic.h and <tuza/sync.h> alone,
 * so that tests/model/rwmutex_model.c tests the very code of the library.
 *
 * Readers that count themselves in one word pass its cache line around: more processors make them
 * slower, and each pays for two locked instructions. Of a lock with few writers (BIASED) a reader
 * instead writes the lock's name into a slot of its thread's *line*, which no other thread writes,
 * and looks at the word. Both are ordinary instructions.
 *
 * A writer does not wait for slots. It clears BIASED, tells all lines, makes every thread pass a
 * barrier, then *moves* whom it finds into the count, and goes on as with counted readers. So who
 * comes back to a slot and finds its entry gone holds a counted lock. Readers are interchangeable:
 * one that unlocks on another thread is counted off in another's place, or has all counted if
 * nobody is. What counts is that count and entries together are the readers.
 *
 * An entry names the lock's address and the era in which it was made: one that was left behind by a
 * lock whose memory is used anew means nothing to the new one, which has other eras.
 *
 * (reader-slots) What no reader is overlooked by, and none is counted twice:
 *
 *   reader comes                  reader leaves                writer
 *     1. the slot is free, and      1. the entry is there        1. clear BIASED, tell all lines
 *        nobody told the line
 *     2. write the entry            2. clear it                  2. membarrier
 *     3. BIASED is set, or undo     3. nobody told the line,     3. count the entries, clear each,
 *                                      or ask: am I out?            and tell its line so
 *
 * The writer's barrier falls between two instructions of each reader's thread. One that comes has
 * written its entry before it, and is found; or sees BIASED cleared. One that leaves has cleared
 * its entry before it, and is not found; or sees that the line was told, and asks, under the lock
 * of all lines, whether it was found. What was told stays until the thread itself has seen it,
 * between two of its own locks, so that it cannot be taken for news about another entry.
 */
#ifndef TUZA_SYNC_READER_SLOTS_H
#define TUZA_SYNC_READER_SLOTS_H

#include "sync/rwmutex_state.h"

#include <tuza/sync.h>

// Of what a line is told.
#define READER_TOLD ((uint64_t)1)
#define READER_MOVED(slot) ((uint64_t)2 << (slot)) // the slot's reader was moved into the count

/*
 * Lets readers use slots from now on. Needs: the bucket's lock, and a counted read lock. `era`: 1
 * to 65535, seldom the same.
 */
static ALWAYS_INLINE void reader_slots_begin(uint64_t *state, uint64_t era)
{
	uint64_t seen = load_relaxed(state); // ordered by the CAS below

	// (rwmutex) pairs with tuza_reader_enter_: the writers of before are seen there, too.
	while (seen % RWMUTEX_READER == 0)
		if (cas_release(state, &seen,
			    seen | RWMUTEX_BIASED | RWMUTEX_SLOTS | era * RWMUTEX_ERA))
			break;
}

/*
 * A writer's first step. Needs: the bucket's lock, and that of the lines. Returns the lock's word;
 * without SLOTS there is nothing to do.
 */
static inline uint64_t reader_slots_close(
	uint64_t *state, struct tuza_reader_line_ *lines, uint32_t n)
{
	uint64_t seen = and_seq_cst(state, ~RWMUTEX_BIASED); // (reader-slots)

	for (uint32_t i = 0; (seen & RWMUTEX_SLOTS) && i < n; i++)
		// (reader-slots) ordered by the barrier
		store_relaxed(&lines[i].told, load_relaxed(&lines[i].told) | READER_TOLD);
	return seen;
}

// Whether there are entries of a lock with that word in that era: it must not begin again then.
static inline bool reader_slots_have(
	const uint64_t *state, uint64_t era, const struct tuza_reader_line_ *lines, uint32_t n)
{
	uint32_t slot = tuza_reader_slot_(state);
	uint64_t entry =
		tuza_reader_entry_(state, RWMUTEX_BIASED | RWMUTEX_SLOTS | era * RWMUTEX_ERA);

	for (uint32_t i = 0; i < n; i++)
		if (load_relaxed(&lines[i].entries[slot]) == entry) // nobody makes new ones
			return true;
	return false;
}

/*
 * A writer's last step, after reader_slots_close and a barrier in every thread: moves the readers
 * in slots into the count; afterwards there are none. Needs: the same locks. `seen`: the lock's
 * word.
 */
static inline void reader_slots_count(
	uint64_t *state, uint64_t seen, struct tuza_reader_line_ *lines, uint32_t n)
{
	uint32_t slot = tuza_reader_slot_(state);
	uint64_t entry = tuza_reader_entry_(state, seen);

	for (uint32_t i = 0; i < n; i++) {
		// (rwmutex-slots) pairs with tuza_reader_leave_
		if (load_acquire(&lines[i].entries[slot]) != entry)
			continue;
		// Counted first: it must not be seen nowhere. Relaxed: SLOTS keeps writers out.
		add_relaxed(state, RWMUTEX_READER);
		// Relaxed, both: whom it concerns asks under the lock of the lines.
		store_relaxed(&lines[i].told, load_relaxed(&lines[i].told) | READER_MOVED(slot));
		store_relaxed(&lines[i].entries[slot], (uint64_t)0);
	}
	// (rwmutex-readers) pairs with rwmutex_state_lock: a writer comes after those who have left
	// their slots.
	and_release(state, ~(RWMUTEX_SLOTS | 0xffff * RWMUTEX_ERA));
}

// ---- of the calling thread's line, with the lock of the lines -----------------------------------

// It is between two locks: forgets what it was told.
static inline void reader_slots_heard(struct tuza_reader_line_ *line)
{
	store_relaxed(&line->told, (uint64_t)0); // its own, or guarded by the lock
}

// Whether the reader that has cleared its entry without knowing what it was told is out; else it
// was counted before.
static inline bool reader_slots_is_out(struct tuza_reader_line_ *line, uint32_t slot)
{
	bool moved = load_relaxed(&line->told) & READER_MOVED(slot); // guarded by the lock

	reader_slots_heard(line);
	return !moved;
}

// Takes back an entry that came too late. True: too late for that, it was counted.
static inline bool reader_slots_undo(struct tuza_reader_line_ *line, uint32_t slot)
{
	bool moved = load_relaxed(&line->entries[slot]) == 0; // guarded by the lock

	store_relaxed(&line->entries[slot], (uint64_t)0);
	reader_slots_heard(line);
	return moved;
}

#endif
