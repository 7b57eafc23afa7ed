// SPDX-License-Identifier: MIT
/*
 * Slots for readers that meet at a readers-writer lock. Depends on base/atomic.h alone, so that
 * tests/model/rwmutex_model.c tests the very code of the library.
 *
 * Readers that count themselves in one word pass its cache line around: more processors make them
 * slower. Of a lock at which readers meet and writers are rare (BIASED) each reader instead writes
 * the lock's name into a slot, a cache line that others seldom use, and the word is only read. A
 * slot belongs to nobody: readers find one by hashing lock and goroutine, and count themselves if
 * it is taken.
 *
 * A writer does not wait for slots. It clears BIASED, then *moves* whom it finds into the count,
 * and goes on as with counted readers (reader_slots_count). So who comes back to a slot and finds
 * its entry gone holds a counted lock. Readers are interchangeable: one that ends its lock may take
 * an equal entry that another wrote, or be counted off in another's place. What counts is that
 * count and entries together are the readers.
 *
 * An entry names the lock's address and the era in which it was made: one that was left behind by a
 * lock whose memory is used anew means nothing to the new one.
 *
 * (reader-slots) What no reader is overlooked by:
 *
 *   reader_slots_enter                      reader_slots_count
 *     1. write the entry      (seq_cst)       1. clear BIASED        (seq_cst)
 *     2. look for BIASED      (seq_cst)       2. look at every slot  (seq_cst)
 */
#ifndef TUZA_SYNC_READER_SLOTS_H
#define TUZA_SYNC_READER_SLOTS_H

#include "sync/rwmutex_state.h"

struct reader_slot {
	uint64_t entry; // any thread, atomic; 0: free
} CACHE_ALIGNED;

// What stands for a reader of the lock whose word was `seen`. Addresses of programs have 48 bits.
static ALWAYS_INLINE uint64_t reader_entry(const uint64_t *state, uint64_t seen)
{
	return (uint64_t)(uintptr_t)state << 16 | (seen / RWMUTEX_ERA & 0xffff);
}

/*
 * Lets readers use slots from now on. Needs: the bucket's lock, and a counted read lock. `era`: 1
 * to 65535, seldom the same.
 */
static ALWAYS_INLINE void reader_slots_begin(uint64_t *state, uint64_t era)
{
	uint64_t seen = load_relaxed(state); // ordered by the CAS below

	// (rwmutex) pairs with reader_slots_enter: the writers of before are seen there, too.
	while (seen % RWMUTEX_READER == 0)
		if (cas_release(state, &seen,
			    seen | RWMUTEX_BIASED | RWMUTEX_SLOTS | era * RWMUTEX_ERA))
			break;
}

// Takes a read lock in the slot. False: it has to be taken by counting.
static ALWAYS_INLINE bool reader_slots_enter(uint64_t *state, struct reader_slot *slot)
{
	uint64_t seen = load_relaxed(state); // re-checked below
	uint64_t entry = reader_entry(state, seen), free = 0;

	if (!(seen & RWMUTEX_BIASED) || load_relaxed(&slot->entry) != 0 || // a hint
		!cas_seq_cst(&slot->entry, &free, entry))                  // (reader-slots)
		return false;
	// (reader-slots) (rwmutex) as acquire it pairs with reader_slots_begin
	seen = load_seq_cst(state);
	if ((seen & RWMUTEX_BIASED) && reader_entry(state, seen) == entry)
		return true;
	// (reader-slots) a writer is counting, or has: who finds the entry gone was counted
	return !cas_seq_cst(&slot->entry, &entry, (uint64_t)0);
}

// Ends a read lock, if one of this kind is in the slot: its last touch. `seen`: the lock's word.
static ALWAYS_INLINE bool reader_slots_leave(
	const uint64_t *state, uint64_t seen, struct reader_slot *slot)
{
	uint64_t entry = reader_entry(state, seen);

	// (rwmutex-slots) pairs with reader_slots_count
	return load_relaxed(&slot->entry) == entry && // a hint
	       cas_release(&slot->entry, &entry, (uint64_t)0);
}

/*
 * Moves the readers in slots into the count; afterwards there are none. Needs: the bucket's lock.
 */
static inline void reader_slots_count(uint64_t *state, struct reader_slot *slots, uint32_t n)
{
	uint64_t seen = and_seq_cst(state, ~RWMUTEX_BIASED); // (reader-slots)
	uint64_t mine = reader_entry(state, seen);

	if (!(seen & RWMUTEX_SLOTS))
		return;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t entry = mine;
		// (reader-slots) (rwmutex-slots) as acquire it pairs with reader_slots_leave
		if (load_seq_cst(&slots[i].entry) != mine)
			continue;
		// Counted first: it must not be seen nowhere. Relaxed: SLOTS keeps writers out.
		add_relaxed(state, RWMUTEX_READER);
		if (!cas_seq_cst(&slots[i].entry, &entry, (uint64_t)0)) // (rwmutex-slots)
			sub_relaxed(state, RWMUTEX_READER);             // it has left by itself
	}
	// (rwmutex-readers) pairs with rwmutex_state_lock: a writer comes after those who have left
	// their slots.
	and_release(state, ~(RWMUTEX_SLOTS | 0xffff * RWMUTEX_ERA));
}

#endif
