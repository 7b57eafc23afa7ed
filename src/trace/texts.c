// SPDX-License-Identifier: MIT
/*
 * Texts as numbers. See texts.h. They are few: names. What is logged is often new each time, so
 * there is a limit to them.
 *
 * Lock: `lock`, the last in the order.
 */
#include "trace/texts.h"

#include "base/race_hooks.h"
#include "sched/lock.h"
#include "sys/sys.h"

#include <string.h>

enum { SLOTS = TEXTS_MAX * 2, TEXT_ROOM = 1 << 20 };

static struct lock lock;
static struct tables {
	uint32_t slots[SLOTS]; // numbers by hash; 0: free
	const char *texts[TEXTS_MAX];
	char room[TEXT_ROOM];
} * tables;              // guarded by the lock
static uint32_t used;    // the same: numbers below exist
static size_t room_used; // the same

static uint64_t hash_of(const char *text, size_t n)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
	return hash ^ hash >> 32;
}

// By atomics, as the copy: ThreadSanitizer knows nothing of the lock.
static bool is_equal(const char *known, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (load_relaxed(&known[i]) != text[i]) // under the lock
			return false;
	return load_relaxed(&known[n]) == 0; // the same
}

// Needs: the lock, tables
static uint32_t number_locked(const char *text, size_t n)
{
	uint32_t at = (uint32_t)(hash_of(text, n) % SLOTS);

	for (; tables->slots[at] != 0; at = (at + 1) % SLOTS) {
		if (is_equal(tables->texts[tables->slots[at]], text, n))
			return tables->slots[at];
	}
	if (used == TEXTS_MAX || room_used + n + 1 > TEXT_ROOM)
		return 0;
	char *copy = &tables->room[room_used];

	for (size_t i = 0; i < n; i++)
		store_relaxed(&copy[i], text[i]); // a 0 is behind it
	race_release(&lock);                      // pairs with texts_text
	room_used += n + 1;
	tables->texts[used] = copy;
	tables->slots[at] = used;
	return used++;
}

uint32_t texts_number(const char *text)
{
	size_t n = strnlen(text, TEXT_BYTES_MAX - 1);
	struct tables *new = NULL;

	lock_acquire(&lock);
	bool is_there = tables != NULL;
	lock_release(&lock);
	if (!is_there)
		new = sys_pages_alloc(sizeof(*new));
	lock_acquire(&lock);
	if (!tables && new) {
		tables = new;
		new = NULL;
		used = 1;
		room_used = 0;
	}
	uint32_t number = tables ? number_locked(text, n) : 0;
	lock_release(&lock);
	if (new)
		sys_pages_free(new, sizeof(*new));
	return number;
}

uint32_t texts_count(void)
{
	lock_acquire(&lock);
	uint32_t n = used;
	lock_release(&lock);
	return n;
}

const char *texts_text(uint32_t number)
{
	lock_acquire(&lock);
	const char *text = tables && number > 0 && number < used ? tables->texts[number] : "";
	lock_release(&lock);
	race_acquire(&lock);
	return text;
}

void texts_forget(void)
{
	lock_acquire(&lock);
	struct tables *t = tables;
	tables = NULL;
	used = 0;
	lock_release(&lock);
	if (t)
		sys_pages_free(t, sizeof(*t));
}
