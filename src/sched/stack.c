// SPDX-License-Identifier: MIT
/*
 * Arenas of stack slots.
 *
 * A class has three arenas: a small one, which is all that most programs ever need, then larger
 * ones. An arena is reserved whole, as large as the limits allow (halved until it fits), and
 * committed as a growing prefix: two mappings each, so core files, `ulimit -v` and strict
 * overcommit stay sane. So do emulators: qemu 7 goes through all pages that are reserved, 8 us for
 * a MiB. Guards are laid when a part is committed, in batches. Free slots are linked by number
 * through a side table, never through their own memory, so that a free slot can be given back to
 * the kernel entirely.
 *
 * Locks: class->lock guards everything in the class; no call that may take long is made under it
 * except committing. Rejected: huge pages (16–64 KiB per stack, and 60–170 us for the first touch),
 * colouring stack tops (no gain measured), mprotect guards by default (two mappings each: the
 * process stops at 32,753 stacks).
 */
#include "sched/stack.h"

#include "base/fatal.h"
#include "sched/config.h"
#include "sched/events.h"
#include "sched/lock.h"
#include "sched/sanitizer.h"
#include "sys/sys.h"

#include <errno.h>
#include <string.h>

enum {
	ARENAS = 3,
	COMMIT_FIRST = 8,  // slots of the first commit: a small program pays for no more
	COMMIT_MOST = 256, // doubles up to this many
};

static const unsigned char RED_ZONE_FILL = 0xa5;

// Addresses per arena, halved while refused: 256 MiB are 1024 default stacks, 16 GiB are 65,536, 1
// TiB is 4 million.
static const uint32_t ARENA_BITS[ARENAS] = {28, 34, 40};

struct arena {
	struct lock lock;
	// guarded by lock
	char *base;         // NULL before first use
	uint32_t slots;     // reserved
	uint32_t committed; // slots [0, committed) are usable
	uint32_t fresh;     // slots [fresh, committed) were never used
	uint32_t dirty;     // free list: number + 1 of the last freed slot, 0 if empty
	uint32_t clean;     // the same for slots whose memory was given back
	uint32_t dirty_count;
	uint32_t clean_count;
	uint32_t *next; // side table: the free slot behind this one, + 1
	enum sys_guard guard;
	bool probed;
	uint32_t unguarded_from; // slots from here on have a red zone instead of a guard
} CACHE_ALIGNED;

static struct arena arenas[STACK_CLASS_MAX + 1][ARENAS];
static uint32_t classes_reserved;   // atomic: a bit for each class that has had an arena
static uint32_t guards_by_mprotect; // atomic: how many exist, over all classes
bool stack_red_zones_in_use;        // atomic, set once

uint32_t stack_class_of(size_t bytes)
{
	uint32_t class = STACK_CLASS_MIN;
	if (bytes < stack_slot_bytes(STACK_CLASS_MIN))
		return 0;
	while (class <= STACK_CLASS_MAX && stack_slot_bytes(class) < bytes)
		class ++;
	return class <= STACK_CLASS_MAX ? class : 0;
}

// The arena of the class that holds the slot.
static struct arena *arena_of(const char *slot, uint32_t class)
{
	struct arena *a = arenas[class];
	// Slots are handed out after both base and slots are written.
	while ((size_t)(slot - a->base) >> class >= a->slots)
		a++;
	return a;
}

// Needs: a->lock.
static bool arena_reserve(struct arena *a, uint32_t class)
{
	for (uint32_t bits = ARENA_BITS[a - arenas[class]]; bits >= class; bits--) {
		size_t bytes = (size_t)1 << bits;
		char *base = sys_pages_reserve(bytes, stack_slot_bytes(class));
		if (!base)
			continue;
		uint32_t slots = (uint32_t)(bytes >> class);
		a->next = sys_pages_alloc(slots * sizeof *a->next);
		if (a->next) {
			a->base = base;
			a->slots = slots;
			a->unguarded_from = slots;
			or_relaxed(&classes_reserved, 1u << class); // read when all have left
			return true;
		}
		sys_pages_free(base, bytes);
	}
	return false;
}

// Writes the pattern that a stack must not reach. Costs a page: used only where the kernel refused
// a guard.
static void red_zone_fill(char *slot, uint32_t class)
{
	memset(slot + stack_guard_bytes(class) - 256, RED_ZONE_FILL, 256);
}

bool stack_red_zone_is_intact(char *slot, uint32_t class)
{
	struct arena *a = arena_of(slot, class);
	if ((uint32_t)((size_t)(slot - a->base) >> class) <
		load_relaxed(&a->unguarded_from)) // only grows down
		return true;
	const unsigned char *zone = (unsigned char *)slot + stack_guard_bytes(class) - 256;
	for (int i = 0; i < 256; i++)
		if (zone[i] != RED_ZONE_FILL)
			return false;
	return true;
}

// Guards the slots [from, to). Needs: a->lock.
static void arena_guard(struct arena *a, uint32_t class, uint32_t from, uint32_t to)
{
	char *first = a->base + ((size_t)from << class);
	if (!a->probed) {
		a->guard = sys_guard_probe(first);
		a->probed = true;
	}
	if (a->guard == SYS_GUARD_MADVISE) {
		if (sys_guard_install(SYS_GUARD_MADVISE, first, stack_slot_bytes(class), to - from,
			    stack_guard_bytes(class)) == 0)
			return;
		a->guard = SYS_GUARD_MPROTECT; // mlockall came in between
	}
	uint32_t i = from;
	for (; a->guard == SYS_GUARD_MPROTECT && i < to; i++) {
		// Statistic with a limit: a few more by a race do no harm.
		if (add_relaxed(&guards_by_mprotect, 1) >= SYS_GUARDS_BY_MPROTECT ||
			sys_guard_install(SYS_GUARD_MPROTECT, a->base + ((size_t)i << class), 0, 1,
				stack_guard_bytes(class)) != 0)
			a->guard = SYS_GUARD_NONE;
	}
	if (a->guard != SYS_GUARD_NONE)
		return;
	if (i < a->unguarded_from) // readers own a slot: ordered by getting it
		store_relaxed(&a->unguarded_from, i > from ? i - 1 : i);
	for (uint32_t k = a->unguarded_from; k < to; k++)
		red_zone_fill(a->base + ((size_t)k << class), class);
	store_relaxed(&stack_red_zones_in_use, true); // same
	events_begin(EVENTS_FOR_TOOLS);
}

// Makes more slots usable. Needs: a->lock.
static bool arena_grow(struct arena *a, uint32_t class)
{
	if (!a->base && !arena_reserve(a, class))
		return false;
	uint32_t more = a->committed == 0 ? COMMIT_FIRST : a->committed;
	if (more > COMMIT_MOST)
		more = COMMIT_MOST;
	if (class > 22) // 8 MiB and larger: nobody has many
		more = 1;
	if (more > a->slots - a->committed)
		more = a->slots - a->committed;
	while (more > 0 && (!config_memory_allows(more * 2 * sys_page_bytes) ||
				   sys_pages_commit(a->base + ((size_t)a->committed << class),
					   (size_t)more << class) != 0))
		more /= 2;
	if (more == 0)
		return false;
	arena_guard(a, class, a->committed, a->committed + more);
	a->committed += more;
	return true;
}

static size_t arena_alloc(struct arena *a, uint32_t class, char **slots, size_t count)
{
	size_t got = 0;
	lock_acquire(&a->lock);
	while (got < count) {
		uint32_t number;
		if (a->dirty) { // warm ones first
			number = a->dirty - 1;
			a->dirty = a->next[number];
			a->dirty_count--;
		} else if (a->clean) {
			number = a->clean - 1;
			a->clean = a->next[number];
			a->clean_count--;
		} else if (a->fresh < a->committed || (got == 0 && arena_grow(a, class))) {
			number = a->fresh++;
			sanitizer_stack_created(a->base + ((size_t)number << class), class);
		} else {
			break;
		}
		slots[got++] = a->base + ((size_t)number << class);
	}
	lock_release(&a->lock);
	return got;
}

size_t stack_alloc_many(uint32_t class, char **slots, size_t count)
{
	size_t got = 0;
	for (int i = 0; i < ARENAS && got == 0; i++)
		got = arena_alloc(&arenas[class][i], class, slots, count);
	return got;
}

void stack_free_many(uint32_t class, char **slots, size_t count)
{
	for (size_t i = 0; i < count;) {
		struct arena *a = arena_of(slots[i], class);
		lock_acquire(&a->lock);
		for (; i < count && arena_of(slots[i], class) == a; i++) {
			uint32_t number = (uint32_t)((size_t)(slots[i] - a->base) >> class);
			a->next[number] = a->dirty;
			a->dirty = number + 1;
			a->dirty_count++;
		}
		lock_release(&a->lock);
	}
}

char *stack_alloc(uint32_t class)
{
	char *slot = NULL;
	return stack_alloc_many(class, &slot, 1) == 1 ? slot : NULL;
}

void stack_free(char *slot, uint32_t class) { stack_free_many(class, &slot, 1); }

void stack_trim_below(char *slot, uint32_t class, void *sp)
{
	struct stack_bounds b = stack_bounds(slot, class);
	// 128: the red zone below the stack pointer that the x86-64 ABI lets leaf functions use.
	char *end = (char *)(((uintptr_t)sp - 128) & ~(sys_page_bytes - 1));
	if (end > b.low)
		sys_pages_trim(b.low, (size_t)(end - b.low));
}

size_t stack_scavenge(size_t max)
{
	size_t done = 0;
	for (uint32_t k = STACK_CLASS_MIN * ARENAS; k < (STACK_CLASS_MAX + 1) * ARENAS; k++) {
		uint32_t class = k / ARENAS;
		struct arena *a = &arenas[class][k % ARENAS];
		// Takes the slot out of the list, so that the system call is made without the lock.
		while (done < max && load_relaxed(&a->dirty) != 0) { // hint, looked at again below
			lock_acquire(&a->lock);
			uint32_t number = a->dirty;
			if (number) {
				a->dirty = a->next[number - 1];
				a->dirty_count--;
			}
			lock_release(&a->lock);
			if (!number)
				break;
			char *slot = a->base + ((size_t)(number - 1) << class);
			sys_pages_trim(slot + stack_guard_bytes(class),
				stack_slot_bytes(class) - stack_guard_bytes(class));
			lock_acquire(&a->lock);
			a->next[number - 1] = a->clean;
			a->clean = number;
			a->clean_count++;
			lock_release(&a->lock);
			done++;
		}
	}
	return done;
}

size_t stack_slots_in_use(void)
{
	size_t n = 0;
	for (uint32_t k = STACK_CLASS_MIN * ARENAS; k < (STACK_CLASS_MAX + 1) * ARENAS; k++) {
		struct arena *a = &arenas[k / ARENAS][k % ARENAS];
		lock_acquire(&a->lock);
		n += a->fresh - a->dirty_count - a->clean_count;
		lock_release(&a->lock);
	}
	return n;
}

void stack_each_arena(void (*fn)(const char *low, size_t bytes, void *arg), void *arg)
{
	for (uint32_t class = STACK_CLASS_MIN; class <= STACK_CLASS_MAX; class ++)
		for (int i = 0; i < ARENAS; i++)
			if (arenas[class][i].base)
				fn(arenas[class][i].base, (size_t)arenas[class][i].slots << class,
					arg);
}

void stack_abandon_all(void) { memset(arenas, 0, sizeof arenas); }

void stack_release_all(void)
{
	for (uint32_t k = STACK_CLASS_MIN * ARENAS; k < (STACK_CLASS_MAX + 1) * ARENAS; k++) {
		uint32_t class = k / ARENAS;
		struct arena *a = &arenas[class][k % ARENAS];
		// Relaxed: nobody runs. The others are pages that were never touched.
		if (!(load_relaxed(&classes_reserved) >> class & 1) || !a->base)
			continue;
		for (uint32_t i = 0; i < a->fresh; i++)
			sanitizer_stack_destroyed(a->base + ((size_t)i << class), class);
		sys_pages_free(a->base, (size_t)a->slots << class);
		sys_pages_free(a->next, a->slots * sizeof *a->next);
		memset(a, 0, sizeof *a);
	}
	guards_by_mprotect = 0;
	stack_red_zones_in_use = false;
}
