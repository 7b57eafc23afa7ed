// SPDX-License-Identifier: MIT
/*
 * The word of a readers-writer lock and all its transitions. Depends on base/atomic.h alone, so
 * that tests/model/rwmutex_model.c tests the very code of the library.
 *
 *   WRITER    a writer holds it.
 *   WAITING   somebody waits in one of the two queues, or a writer is WOKEN: new readers wait. Set
 *             and cleared under the bucket's lock only. May be set without need while WRITER is.
 *   WOKEN     one writer was taken out of the queue and is on its way to take the lock or to park
 *             again. Set by the release that took it out; cleared by that writer alone.
 *   BIASED    readers may stand in slots (reader_slots.h) instead of being counted here.
 *   SLOTS     some may do so: as long as BIASED is set, and until a writer has counted them.
 *   ERA       16 bits: which time of BIASED it is. 0 without SLOTS.
 *   READER    the rest counts the readers that hold it, but for those in slots. With SLOTS it may
 *             be below zero, by as many as were counted off in the place of others in slots.
 *
 * SLOTS excludes WRITER, WAITING and WOKEN; it is set and cleared under the bucket's lock only.
 *
 * Readers that wait always get the lock handed over, all at once. The writer that waits longest
 * gets it handed over by the last reader, and by a writer if it starves; else it is woken to
 * compete with other writers.
 *
 * A reader that comes when it must not counts for a moment before it takes that back. Others may
 * see it as a holder, so it lets go like one, and who changes the word leaves the readers' part
 * alone.
 *
 * The last reader lets go first and passes the lock on after, under the bucket's lock: WAITING
 * alone means that it is on its way, unless a writer passes by and takes the lock, whose release
 * does it then. The reader comes to a lock that may be gone: as long as it finds somebody in the
 * queues of the address, it is not.
 *
 * Whoever holds WRITER and the bucket's lock is the only one who may change the word, except that a
 * WOKEN writer may: but it only does so under the bucket's lock while the lock is held.
 */
#ifndef TUZA_SYNC_RWMUTEX_STATE_H
#define TUZA_SYNC_RWMUTEX_STATE_H

#include "base/atomic.h"

#define RWMUTEX_WRITER ((uint64_t)1)
#define RWMUTEX_WAITING ((uint64_t)2)
#define RWMUTEX_WOKEN ((uint64_t)4)
#define RWMUTEX_BIASED ((uint64_t)8)
#define RWMUTEX_SLOTS ((uint64_t)16)
#define RWMUTEX_ERA ((uint64_t)32) // the first of its bits
#define RWMUTEX_READER ((uint64_t)1 << 21)

static ALWAYS_INLINE uint64_t rwmutex_readers(uint64_t seen) { return seen / RWMUTEX_READER; }
static ALWAYS_INLINE bool rwmutex_is_held(uint64_t seen)
{
	return (seen & (RWMUTEX_WRITER | RWMUTEX_SLOTS)) || rwmutex_readers(seen) > 0;
}

/*
 * Takes a read lock, with one addition.
 *
 * Returns  what the word was. With WRITER or WAITING in it the caller holds nothing and has to take
 *          the addition back: rwmutex_state_runlock, with all that follows from it.
 */
static ALWAYS_INLINE uint64_t rwmutex_state_rlock(uint64_t *state)
{
	// (rwmutex) pairs with the releases in rwmutex_state_unlock_idle and rwmutex_state_pass_on.
	return add_acquire(state, RWMUTEX_READER);
}

// Takes a read lock unless a writer holds it or somebody waits.
static ALWAYS_INLINE bool rwmutex_state_try_rlock(uint64_t *state)
{
	uint64_t seen = load_relaxed(state); // ordered by the CAS below

	while (!(seen & (RWMUTEX_WRITER | RWMUTEX_WAITING)))
		// (rwmutex) pairs with the releases in rwmutex_state_unlock_idle and
		// rwmutex_state_pass_on.
		if (cas_acquire(state, &seen, seen + RWMUTEX_READER))
			return true;
	return false;
}

/*
 * Ends a counted read lock. Readers are interchangeable: it need not be the caller's own.
 *
 *   seen  set to what the word was
 *
 * Returns  false when nobody is counted: nothing was done, and without SLOTS in *seen nobody holds
 *          it. The last touch otherwise, but see rwmutex_was_last.
 */
static ALWAYS_INLINE bool rwmutex_state_runlock(uint64_t *state, uint64_t *seen)
{
	*seen = load_relaxed(state); // ordered by the CAS below
	while ((int64_t)*seen >= (int64_t)RWMUTEX_READER)
		// (rwmutex-readers) pairs with rwmutex_state_lock and with rwmutex_state_is_free.
		if (cas_release(state, seen, *seen - RWMUTEX_READER))
			return true;
	return false;
}

/*
 * Ends the read lock that was the only one at a look just before, when the word was READER. An
 * addition whose result is compared to zero costs less than one whose result is looked into, and
 * that less than a compare-and-swap.
 *
 * Returns  false when others came meanwhile: the caller may have to pass the lock on. The last
 *          touch.
 */
static ALWAYS_INLINE bool rwmutex_state_runlock_only(uint64_t *state)
{
	// (rwmutex-readers) pairs with rwmutex_state_lock and with rwmutex_state_is_free.
	return sub_fetch_release(state, RWMUTEX_READER) == 0;
}

// Whether more read locks were ended than were taken.
static ALWAYS_INLINE bool rwmutex_is_overdrawn(uint64_t seen)
{
	return (int64_t)seen < 0 && !(seen & RWMUTEX_SLOTS);
}

// Whether the one that ended a lock, when the word was `seen`, has to pass it on.
static ALWAYS_INLINE bool rwmutex_was_last(uint64_t seen)
{
	return rwmutex_readers(seen) == 1 && seen % RWMUTEX_READER == RWMUTEX_WAITING;
}

// Takes the write lock if nobody holds it and no reader may stand in a slot. `woken`: RWMUTEX_WOKEN
// if the caller is the woken writer, else 0.
static ALWAYS_INLINE bool rwmutex_state_lock(uint64_t *state, uint64_t woken)
{
	uint64_t seen = load_relaxed(state); // ordered by the CAS below

	while (!rwmutex_is_held(seen))
		// (rwmutex) (rwmutex-readers) pairs with the releases in rwmutex_state_unlock_idle,
		// rwmutex_state_pass_on and rwmutex_state_runlock. WAITING stays: at worst the
		// unlock finds nobody.
		if (cas_acquire(state, &seen, (seen | RWMUTEX_WRITER) & ~woken))
			return true;
	return false;
}

/*
 * Ends a write lock if nobody waits.
 *
 * Returns  false when nothing was done: *seen has no WRITER (a misuse), or has WAITING.
 */
static ALWAYS_INLINE bool rwmutex_state_unlock_idle(uint64_t *state, uint64_t *seen)
{
	*seen = RWMUTEX_WRITER; // with readers about to leave it goes the slow way, too
	// (rwmutex) pairs with rwmutex_state_lock and rwmutex_state_rlock.
	return cas_release(state, seen, 0);
}

/*
 * Announces that a reader will wait. Needs: the bucket's lock.
 *
 * Returns  false when no writer holds it nor waits: try again instead.
 */
static ALWAYS_INLINE bool rwmutex_state_park_reader(uint64_t *state)
{
	uint64_t seen = load_relaxed(state); // ordered by the CAS below

	while (seen & (RWMUTEX_WRITER | RWMUTEX_WAITING))
		// Relaxed: the holder's release sees WAITING in the word itself, then waits for the
		// bucket's lock.
		if (cas_relaxed(state, &seen, seen | RWMUTEX_WAITING))
			return true;
	return false;
}

/*
 * Announces that a writer will wait, and that the woken one which it was is awake no more. Needs:
 * the bucket's lock.
 *
 * Returns  false when nobody holds it, or readers may stand in slots: try again instead.
 */
static ALWAYS_INLINE bool rwmutex_state_park_writer(uint64_t *state, uint64_t woken)
{
	uint64_t seen = load_relaxed(state); // ordered by the CAS below

	while (rwmutex_is_held(seen) && !(seen & RWMUTEX_SLOTS))
		// Relaxed: as in rwmutex_state_park_reader.
		if (cas_relaxed(state, &seen, (seen | RWMUTEX_WAITING) & ~woken))
			return true;
	return false;
}

/*
 * Whether nobody holds it nor is on the way to take it, while somebody waits. Needs: the bucket's
 * lock, somebody in a queue. What all readers did is ordered before the return then.
 */
static ALWAYS_INLINE bool rwmutex_state_is_free(const uint64_t *state)
{
	// (rwmutex-readers) pairs with rwmutex_state_runlock: who gets the lock from us comes after
	// all readers.
	return load_acquire(state) == RWMUTEX_WAITING;
}

/*
 * Gives a lock that is free to whoever `next` says. Needs: the bucket's lock. The last touch.
 *
 * Returns  false when a writer passed by: it passes the lock on.
 */
static ALWAYS_INLINE bool rwmutex_state_give(uint64_t *state, uint64_t next)
{
	uint64_t seen = RWMUTEX_WAITING;
	// (rwmutex) pairs with rwmutex_state_lock and rwmutex_state_rlock.
	return cas_release(state, &seen, next);
}

/*
 * Nobody waits any more but readers, `readers` of them (a multiple of READER, or 0): they go in
 * beside those who hold the lock. Needs: the bucket's lock.
 *
 * Returns  false when a writer holds it or is on its way, who lets them in later. Nothing was done.
 */
static ALWAYS_INLINE bool rwmutex_state_let_in(uint64_t *state, uint64_t readers)
{
	uint64_t seen = load_relaxed(state); // ordered by the CAS below

	while (!(seen & (RWMUTEX_WRITER | RWMUTEX_WOKEN)))
		// (rwmutex) pairs with rwmutex_state_unlock_idle and rwmutex_state_pass_on: those
		// who go in are woken after this. What the readers before them did concerns the
		// next writer only.
		if (cas_acquire(state, &seen, (seen & ~RWMUTEX_WAITING) + readers))
			return true;
	return false;
}

/*
 * Gives the lock to whoever `next` says, as the caller decided it. Needs: the bucket's lock, and
 * the write lock. The last touch.
 */
static ALWAYS_INLINE void rwmutex_state_pass_on(uint64_t *state, uint64_t next)
{
	uint64_t flags = load_relaxed(state) % RWMUTEX_READER; // stable: see above

	// (rwmutex) pairs with rwmutex_state_lock and rwmutex_state_rlock. An addition: readers may
	// be counted who are about to leave.
	(void)add_release(state, next - flags);
}

#endif
