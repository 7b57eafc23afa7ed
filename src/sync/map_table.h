// SPDX-License-Identifier: MIT
/*
 * The table of one shard of a tuza_map: open addressing, linear probing.
 *
 * Writers hold the shard's lock. Readers that compare keys by address take none; they may use a
 * table that was replaced meanwhile, so a replaced table stays until the map is freed. (Each is
 * half as large as its successor: together they are no larger than the table in use.) What a writer
 * does to a table that readers may be in:
 *
 *   insert    fills an empty slot, its tag last: a reader finds all of it or none
 *   replace   stores another value: a reader gets one or the other
 *   grow      publishes a new table: the old one stays as it was
 *   remove    moves slots, hence makes `version` odd meanwhile: a reader that ran into it looks
 *             again
 */
#ifndef TUZA_SYNC_MAP_TABLE_H
#define TUZA_SYNC_MAP_TABLE_H

#include "base/atomic.h"
#include <tuza/sync.h>

struct map_slot {
	uint64_t tag; // the hash with bit 0 set; 0: empty
	const void *key;
	void *value;
};

struct map_table {
	struct map_table *older; // the one that it replaced, if readers may be in it
	uint64_t mask;           // slots - 1; constant
	struct map_slot slots[];
};

struct map_shard {
	tuza_rwmutex lock;
	// written under lock, atomic
	uint64_t version;        // odd while slots are moved
	struct map_table *table; // NULL before the first insert
	uint64_t count;          // keys
} CACHE_ALIGNED;

// Compares keys; NULL: by address.
typedef bool map_equal(const void *a, const void *b);

// The slot of a key, or NULL. Needs: the shard's lock, for reading or writing.
struct map_slot *map_table_find(
	const struct map_shard *shard, uint64_t tag, const void *key, map_equal *equal);

// Looks up a key by address without the lock. Returns false when writers got in the way too often:
// use the lock then.
bool map_table_peek(
	const struct map_shard *shard, uint64_t tag, const void *key, bool *found, void **value);

/*
 * Adds a key that is not there.
 *
 *   keep_old  a table that has become too small is kept for readers without the lock.
 *
 * Returns  false when out of memory. Needs: the shard's write lock.
 */
MUST_USE bool map_table_insert(
	struct map_shard *shard, uint64_t tag, const void *key, void *value, bool keep_old);

static ALWAYS_INLINE void *map_slot_value(const struct map_slot *slot)
{
	return load_relaxed(&slot->value); // guarded by the shard's lock
}

// Needs: the shard's write lock.
static ALWAYS_INLINE void map_slot_replace(struct map_slot *slot, void *value)
{
	// (map-slot) pairs with map_table_peek: what `value` points to is seen.
	store_release(&slot->value, value);
}

// Removes the key in `slot`. Needs: the shard's write lock.
void map_table_remove(struct map_shard *shard, struct map_slot *slot);

// Removes all keys. Needs: the shard's write lock.
void map_table_clear(struct map_shard *shard);

// Frees the tables. Needs: nobody uses the shard.
void map_table_free(struct map_shard *shard);

#endif
