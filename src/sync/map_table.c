// SPDX-License-Identifier: MIT
/*
 * See map_table.h. Removal shifts the slots behind the gap back instead of leaving a mark, so a
 * table that sees many keys come and go never fills with marks, and a lookup ends at the first
 * empty slot.
 *
 * The version is a sequence lock without fences: every slot store of a removal is a release that
 * follows the odd version, every slot load of a reader is an acquire that precedes its second look
 * at the version. So a reader that saw a moved slot sees the version that goes with it.
 */
#include "sync/map_table.h"
#include <stdlib.h>

#define MAP_TABLE_SLOTS 8 // at first; a guess
// A reader that was disturbed so often waits for the writer instead.
#define MAP_TABLE_PEEKS 4

static uint64_t table_home(const struct map_table *t, uint64_t tag) { return (tag >> 1) & t->mask; }

// Under the lock, plain reading of what others only read.
static uint64_t slot_tag(const struct map_slot *slot) { return load_relaxed(&slot->tag); }
static const void *slot_key(const struct map_slot *slot) { return load_relaxed(&slot->key); }

struct map_slot *map_table_find(
	const struct map_shard *shard, uint64_t tag, const void *key, map_equal *equal)
{
	struct map_table *t = load_relaxed(&shard->table); // guarded by the shard's lock

	if (!t)
		return NULL;
	for (uint64_t i = table_home(t, tag);; i = (i + 1) & t->mask) {
		struct map_slot *slot = &t->slots[i];
		if (slot_tag(slot) == 0)
			return NULL;
		if (slot_tag(slot) == tag &&
			(slot_key(slot) == key || (equal && equal(slot_key(slot), key))))
			return slot;
	}
}

static bool table_peek(const struct map_table *t, uint64_t tag, const void *key, void **value)
{
	uint64_t i = table_home(t, tag);

	// Bounded: while slots are moved there may be no empty one to be seen.
	for (uint64_t probes = 0; probes <= t->mask; probes++, i = (i + 1) & t->mask) {
		const struct map_slot *slot = &t->slots[i];
		// (map-slot) pairs with slot_fill: a tag comes with its key and value.
		uint64_t seen = load_acquire(&slot->tag);
		if (seen == 0)
			return false;
		// (map-slot) the same: keeps the load before the second look at the version.
		if (seen != tag || load_acquire(&slot->key) != key)
			continue;
		// (map-slot) pairs with map_slot_replace and slot_fill.
		*value = load_acquire(&slot->value);
		return true;
	}
	return false;
}

bool map_table_peek(
	const struct map_shard *shard, uint64_t tag, const void *key, bool *found, void **value)
{
	for (int i = 0; i < MAP_TABLE_PEEKS; i++) {
		// (map-version) pairs with version_end: what a finished removal moved is seen.
		uint64_t version = load_acquire(&shard->version);
		// (map-table) pairs with table_grow.
		const struct map_table *t = load_acquire(&shard->table);

		*value = NULL;
		if (!t) {
			*found = false;
			return true;
		}
		if (version & 1)
			continue;
		*found = table_peek(t, tag, key, value);
		// Relaxed: the acquires in table_peek keep it behind them.
		if (load_relaxed(&shard->version) == version)
			return true;
	}
	return false;
}

// Fills an empty slot. Needs: the shard's write lock, or a table that nobody sees yet.
static void slot_fill(struct map_slot *slot, uint64_t tag, const void *key, void *value)
{
	// (map-slot) pairs with table_peek; each is a release because a removal may have emptied
	// the slot just before.
	store_release(&slot->value, value);
	// (map-slot) as above.
	store_release(&slot->key, key);
	// (map-slot) pairs with table_peek: published here.
	store_release(&slot->tag, tag);
}

static void version_begin(struct map_shard *shard)
{
	// Only writer; ordered by the releases of the slots.
	store_relaxed(&shard->version, shard->version + 1);
}

static void version_end(struct map_shard *shard)
{
	// (map-version) pairs with map_table_peek.
	store_release(&shard->version, shard->version + 1);
}

static void table_put(struct map_table *t, uint64_t tag, const void *key, void *value)
{
	uint64_t i = table_home(t, tag);

	while (slot_tag(&t->slots[i]) != 0)
		i = (i + 1) & t->mask;
	slot_fill(&t->slots[i], tag, key, value);
}

// Replaces the shard's table by one twice as large.
static bool table_grow(struct map_shard *shard, bool keep_old)
{
	struct map_table *old = shard->table;
	uint64_t slots = old ? (old->mask + 1) * 2 : MAP_TABLE_SLOTS;
	struct map_table *t;

	if (slots > (SIZE_MAX - sizeof(*t)) / sizeof(t->slots[0]))
		return false;
	t = calloc(1, sizeof(*t) + slots * sizeof(t->slots[0]));
	if (!t)
		return false;
	t->mask = slots - 1;
	for (uint64_t i = 0; old && i <= old->mask; i++) {
		const struct map_slot *slot = &old->slots[i];
		if (slot_tag(slot) != 0)
			table_put(t, slot_tag(slot), slot_key(slot), map_slot_value(slot));
	}
	if (keep_old)
		t->older = old;
	else
		free(old);
	// (map-table) pairs with map_table_peek: published here, filled.
	store_release(&shard->table, t);
	return true;
}

bool map_table_insert(
	struct map_shard *shard, uint64_t tag, const void *key, void *value, bool keep_old)
{
	const struct map_table *t = shard->table;

	// Three quarters full: linear probing stays short, and there always is an empty slot.
	if ((!t || (shard->count + 1) * 4 > (t->mask + 1) * 3) && !table_grow(shard, keep_old))
		return false;
	table_put(shard->table, tag, key, value);
	store_relaxed(&shard->count, shard->count + 1); // only writer
	return true;
}

void map_table_remove(struct map_shard *shard, struct map_slot *slot)
{
	struct map_table *t = shard->table;
	uint64_t gap = (uint64_t)(slot - t->slots);

	version_begin(shard);
	for (uint64_t i = (gap + 1) & t->mask; slot_tag(&t->slots[i]) != 0; i = (i + 1) & t->mask) {
		const struct map_slot *later = &t->slots[i];
		uint64_t home = table_home(t, slot_tag(later));
		// It may move back to the gap unless that lies before its home.
		if (((i - home) & t->mask) < ((i - gap) & t->mask))
			continue;
		slot_fill(&t->slots[gap], slot_tag(later), slot_key(later), map_slot_value(later));
		gap = i;
	}
	// (map-slot) pairs with table_peek.
	store_release(&t->slots[gap].tag, (uint64_t)0);
	version_end(shard);
	store_relaxed(&shard->count, shard->count - 1); // only writer
}

void map_table_clear(struct map_shard *shard)
{
	struct map_table *t = shard->table;

	if (!t || shard->count == 0)
		return;
	version_begin(shard);
	for (uint64_t i = 0; i <= t->mask; i++)
		// (map-slot) pairs with table_peek.
		store_release(&t->slots[i].tag, (uint64_t)0);
	version_end(shard);
	store_relaxed(&shard->count, (uint64_t)0); // only writer
}

void map_table_free(struct map_shard *shard)
{
	for (struct map_table *t = shard->table, *older; t; t = older) {
		older = t->older;
		free(t);
	}
	shard->table = NULL;
	shard->count = 0;
}
