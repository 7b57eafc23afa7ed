// SPDX-License-Identifier: MIT
/*
 * The pool: one locker per processor, a short stack of items under a lock that nobody ever waits
 * for.
 *
 * Get looks into its own processor's locker, then into the others'; a locker that is in use is
 * passed by. Put uses its own, or the next one that is not in use; if that is full, the item is
 * dropped: what a processor gave back and nobody fetched for so long is a peak gone by. The
 * processor's number is a hint that may be stale at once; it only keeps processors out of each
 * other's way.
 *
 * Go: src/sync/pool.go (there: a private slot and a lock-free deque per processor, emptied by the
 * collector)
 */
#include "base/race_hooks.h"
#include "sched/lock.h"
#include "sched/park.h"
#include <stdlib.h>
#include <tuza/sync.h>

// With the lock and the count: 512 bytes. A guess.
#define POOL_LOCKER_ITEMS 63

struct pool_locker {
	struct lock lock;
	uint32_t count;                 // written under lock; read without it as a hint
	void *items[POOL_LOCKER_ITEMS]; // guarded by lock
} CACHE_ALIGNED;

struct pool_lockers {
	uint32_t mask; // their number - 1; constant
	struct pool_locker each[];
};

// Edges from put to get are told to the race detector at one of these: the item itself may be no
// valid address. After Go.
static char pool_race_addresses[128];

static const void *pool_race_address(const void *item)
{
	uint32_t hash = (uint32_t)(((uint32_t)(uintptr_t)item * (uint64_t)0x85ebca6b) >> 16);
	return &pool_race_addresses[hash % COUNT_OF(pool_race_addresses)];
}

static struct pool_lockers *pool_lockers_of(const tuza_pool *pool)
{
	// (pool) pairs with pool_lockers_make.
	return load_acquire((struct pool_lockers *const *)&pool->lockers);
}

static struct pool_lockers *pool_lockers_make(tuza_pool *pool)
{
	uint32_t count = 1;
	void *others = NULL;

	while (count < (uint32_t)tuza_gomaxprocs(0))
		count *= 2;
	size_t bytes = sizeof(struct pool_lockers) + count * sizeof(struct pool_locker);
	struct pool_lockers *made = aligned_alloc(CACHE_LINE, align_up(bytes, CACHE_LINE));
	if (!made)
		return NULL;
	made->mask = count - 1;
	for (uint32_t i = 0; i < count; i++)
		made->each[i].lock.word = made->each[i].count = 0;
	// (pool) pairs with pool_lockers_of: published here, initialised.
	if (cas_acq_rel(&pool->lockers, &others, (void *)made))
		return made;
	free(made);
	return others;
}

static void pool_drop(const tuza_pool *pool, void *item)
{
	if (pool->drop)
		pool->drop(item);
	else
		free(item);
}

EXPORT void *tuza_pool_get(tuza_pool *pool)
{
	if (unlikely(!pool))
		tuza_panic("nil Pool");
	struct pool_lockers *lockers = pool_lockers_of(pool);
	uint32_t at = processor_index();

	for (uint32_t i = 0; lockers && i <= lockers->mask; i++, at++) {
		struct pool_locker *locker = &lockers->each[at & lockers->mask];
		void *item = NULL;

		// The count is a hint, re-checked under the lock.
		if (load_relaxed(&locker->count) == 0 || !lock_try(&locker->lock))
			continue;
		if (locker->count > 0) {
			item = locker->items[locker->count - 1];
			store_relaxed(&locker->count, locker->count - 1); // only writer
		}
		lock_release(&locker->lock);
		if (item) {
			race_acquire(pool_race_address(item));
			return item;
		}
	}
	return pool->make ? pool->make(pool->arg) : NULL;
}

EXPORT void tuza_pool_put(tuza_pool *pool, void *item)
{
	if (unlikely(!pool))
		tuza_panic("nil Pool");
	if (!item)
		return;
	struct pool_lockers *lockers = pool_lockers_of(pool);
	uint32_t at = processor_index();

	if (unlikely(!lockers))
		lockers = pool_lockers_make(pool);
	for (uint32_t i = 0; lockers && i <= lockers->mask; i++, at++) {
		struct pool_locker *locker = &lockers->each[at & lockers->mask];

		if (!lock_try(&locker->lock))
			continue;
		bool kept = locker->count < POOL_LOCKER_ITEMS;
		if (kept) {
			race_release(pool_race_address(item));
			locker->items[locker->count] = item;
			store_relaxed(&locker->count, locker->count + 1); // only writer
		}
		lock_release(&locker->lock);
		if (kept)
			return;
		break;
	}
	pool_drop(pool, item);
}

EXPORT void tuza_pool_free(tuza_pool *pool)
{
	struct pool_lockers *lockers = pool_lockers_of(pool);

	pool->lockers = NULL;
	for (uint32_t i = 0; lockers && i <= lockers->mask; i++)
		while (lockers->each[i].count > 0) {
			void *item = lockers->each[i].items[--lockers->each[i].count];
			race_acquire(pool_race_address(item));
			pool_drop(pool, item);
		}
	free(lockers);
}
