// SPDX-License-Identifier: MIT
/*
 * The concurrent map: shards, chosen by the hash, each with a lock and a table (map_table.h).
 *
 * Keys that compare by address are looked up without the lock: a read touches no line that another
 * reader writes. Keys with functions are compared under the read lock, so that a key may be freed
 * once its delete has returned. Go has a concurrent hash-trie since 1.24; that needs a collector
 * for the nodes that readers may be in.
 *
 * User code (hash, equal, range's fn) may panic: hash and fn are called with no lock held, equal
 * under a deferred unlock. Lock order: one shard's lock alone.
 */
#include "base/race_hooks.h"
#include "sync/map_table.h"
#include <stdlib.h>

// A power of two; more than the processors that one expects to write at the same time. A guess.
#define MAP_SHARDS 32
#define MAP_SHARD_BITS 5
_Static_assert(MAP_SHARDS == 1 << MAP_SHARD_BITS, "the shard is the hash's top bits");

struct map_place {
	struct map_shard *shard;
	uint64_t tag;
};

static NORETURN void map_out_of_memory(void) { tuza_panic("tuza: out of memory"); }

static struct map_shard *map_shards_of(const tuza_map *map)
{
	// (map-shards) pairs with map_shards_make.
	return load_acquire((struct map_shard *const *)&map->shards);
}

COLD static struct map_shard *map_shards_make(tuza_map *map)
{
	void *others = NULL;
	struct map_shard *made = aligned_alloc(CACHE_LINE, MAP_SHARDS * sizeof(*made));

	if (!made)
		map_out_of_memory();
	for (int i = 0; i < MAP_SHARDS; i++)
		made[i] = (struct map_shard){.count = 0};
	// (map-shards) pairs with map_shards_of: published here, initialised.
	if (cas_acq_rel(&map->shards, &others, (void *)made))
		return made;
	free(made);
	return others;
}

// Where a key belongs; shard NULL when the map never had one. The user's hash may be poor,
// addresses are: mixed well.
static struct map_place map_place_of(const tuza_map *map, const void *key)
{
	uint64_t hash = map->hash ? map->hash(key) : (uint64_t)(uintptr_t)key;
	struct map_shard *shards = map_shards_of(map);

	hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15u;
	hash = (hash ^ hash >> 29) * 0xbf58476d1ce4e5b9u;
	hash ^= hash >> 32;
	return (struct map_place){shards ? &shards[hash >> (64 - MAP_SHARD_BITS)] : NULL, hash | 1};
}

// The same for those who store.
static struct map_place map_place_made(tuza_map *map, const void *key)
{
	if (unlikely(!map_shards_of(map)))
		map_shards_make(map);
	return map_place_of(map, key);
}

static void map_insert(const tuza_map *map, struct map_place at, const void *key, void *value)
{
	if (!map_table_insert(at.shard, at.tag, key, value, !map->equal))
		map_out_of_memory();
}

// Holds the shard's lock for writing until the end of the function.
#define MAP_WRITE(shard)                                                                           \
	tuza_rwmutex_lock(&(shard)->lock);                                                         \
	TUZA_DEFER(tuza_rwmutex_unlock, &(shard)->lock)

static void map_set(void **out, void *value)
{
	if (out)
		*out = value;
}

static bool map_load_locked(const tuza_map *map, struct map_place at, const void *key, void **value)
{
	tuza_rwmutex_rlock(&at.shard->lock);
	TUZA_DEFER(tuza_rwmutex_runlock, &at.shard->lock);
	const struct map_slot *slot = map_table_find(at.shard, at.tag, key, map->equal);
	*value = slot ? map_slot_value(slot) : NULL;
	return slot != NULL;
}

static bool map_load_at(const tuza_map *map, struct map_place at, const void *key, void **value)
{
	bool found = false;

	*value = NULL;
	if (!at.shard)
		return false;
	if (map->equal || !map_table_peek(at.shard, at.tag, key, &found, value))
		found = map_load_locked(map, at, key, value);
	race_acquire(at.shard);
	return found;
}

EXPORT bool tuza_map_load(tuza_map *map, const void *key, void **value)
{
	void *loaded;
	bool found = map_load_at(map, map_place_of(map, key), key, &loaded);

	map_set(value, loaded);
	return found;
}

EXPORT bool tuza_map_swap(tuza_map *map, const void *key, void *value, void **previous)
{
	struct map_place at = map_place_made(map, key);

	MAP_WRITE(at.shard);
	struct map_slot *slot = map_table_find(at.shard, at.tag, key, map->equal);
	map_set(previous, slot ? map_slot_value(slot) : NULL);
	race_release(at.shard);
	if (slot)
		map_slot_replace(slot, value);
	else
		map_insert(map, at, key, value);
	return slot != NULL;
}

EXPORT void tuza_map_store(tuza_map *map, const void *key, void *value)
{
	tuza_map_swap(map, key, value, NULL);
}

EXPORT bool tuza_map_load_or_store(tuza_map *map, const void *key, void *value, void **actual)
{
	struct map_place at = map_place_made(map, key);
	void *loaded;

	if (map_load_at(map, at, key, &loaded)) {
		map_set(actual, loaded);
		return true;
	}
	MAP_WRITE(at.shard);
	const struct map_slot *slot = map_table_find(at.shard, at.tag, key, map->equal);
	map_set(actual, slot ? map_slot_value(slot) : value);
	if (slot)
		return true;
	race_release(at.shard);
	map_insert(map, at, key, value);
	return false;
}

EXPORT bool tuza_map_load_and_delete(tuza_map *map, const void *key, void **value)
{
	struct map_place at = map_place_of(map, key);

	map_set(value, NULL);
	if (!at.shard)
		return false;
	MAP_WRITE(at.shard);
	struct map_slot *slot = map_table_find(at.shard, at.tag, key, map->equal);
	if (!slot)
		return false;
	map_set(value, map_slot_value(slot));
	map_table_remove(at.shard, slot);
	return true;
}

EXPORT void tuza_map_delete(tuza_map *map, const void *key)
{
	tuza_map_load_and_delete(map, key, NULL);
}

EXPORT bool tuza_map_compare_and_swap(tuza_map *map, const void *key, const void *old, void *value)
{
	struct map_place at = map_place_of(map, key);

	if (!at.shard)
		return false;
	MAP_WRITE(at.shard);
	struct map_slot *slot = map_table_find(at.shard, at.tag, key, map->equal);
	if (!slot || map_slot_value(slot) != old)
		return false;
	race_release(at.shard);
	map_slot_replace(slot, value);
	return true;
}

EXPORT bool tuza_map_compare_and_delete(tuza_map *map, const void *key, const void *old)
{
	struct map_place at = map_place_of(map, key);

	if (!at.shard)
		return false;
	MAP_WRITE(at.shard);
	struct map_slot *slot = map_table_find(at.shard, at.tag, key, map->equal);
	if (!slot || map_slot_value(slot) != old)
		return false;
	map_table_remove(at.shard, slot);
	return true;
}

// The keys that a shard has now, tags included. Returns their number.
static uint64_t map_keys(struct map_shard *shard, struct map_slot **keys)
{
	uint64_t n = 0;

	tuza_rwmutex_rlock(&shard->lock);
	TUZA_DEFER(tuza_rwmutex_runlock, &shard->lock);
	*keys = shard->count ? malloc(shard->count * sizeof(**keys)) : NULL;
	if (!*keys && shard->count)
		map_out_of_memory();
	for (uint64_t i = 0; n < shard->count; i++)
		if (shard->table->slots[i].tag)
			(*keys)[n++] = shard->table->slots[i];
	return n;
}

static bool map_range_shard(
	struct map_shard *shard, bool (*fn)(const void *, void *, void *), void *arg)
{
	struct map_slot *keys;
	uint64_t n = map_keys(shard, &keys);

	TUZA_DEFER(free, keys);
	for (uint64_t i = 0; i < n; i++) {
		// Still there? By address: a key deleted since may have been freed.
		tuza_rwmutex_rlock(&shard->lock);
		const struct map_slot *slot = map_table_find(shard, keys[i].tag, keys[i].key, NULL);
		void *value = slot ? map_slot_value(slot) : NULL;
		tuza_rwmutex_runlock(&shard->lock);
		if (slot && !fn(keys[i].key, value, arg))
			return false;
	}
	return true;
}

EXPORT void tuza_map_range(
	tuza_map *map, bool (*fn)(const void *key, void *value, void *arg), void *arg)
{
	struct map_shard *shards = map_shards_of(map);

	for (int i = 0; shards && i < MAP_SHARDS; i++)
		if (!map_range_shard(&shards[i], fn, arg))
			return;
}

EXPORT void tuza_map_clear(tuza_map *map)
{
	struct map_shard *shards = map_shards_of(map);

	for (int i = 0; shards && i < MAP_SHARDS; i++) {
		tuza_rwmutex_lock(&shards[i].lock);
		map_table_clear(&shards[i]);
		tuza_rwmutex_unlock(&shards[i].lock);
	}
}

EXPORT size_t tuza_map_len(const tuza_map *map)
{
	const struct map_shard *shards = map_shards_of(map);
	size_t n = 0;

	for (int i = 0; shards && i < MAP_SHARDS; i++)
		n += load_relaxed(&shards[i].count); // statistic
	return n;
}

EXPORT void tuza_map_free(tuza_map *map)
{
	struct map_shard *shards = map_shards_of(map);

	for (int i = 0; shards && i < MAP_SHARDS; i++)
		map_table_free(&shards[i]);
	free(shards);
	map->shards = NULL;
}
