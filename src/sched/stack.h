// SPDX-License-Identifier: MIT
/*
 * Stacks: slots of a power of two in one arena per size class.
 *
 *      low address                                                    high address
 *      ┌────────────┬──────────────────────────────────────────┬──────────────┐
 *      │   guard    │  untouched: costs nothing                │  used pages  │
 *      └────────────┴──────────────────────────────────────────┴──────────────┘
 *      slot         bounds.low                              grows ◀      bounds.top
 *
 * The address of a stack never changes while a goroutine lives on it. The kernel gives it memory
 * page by page.
 */
#ifndef TUZA_SCHED_STACK_H
#define TUZA_SCHED_STACK_H

#include "sched/goroutine.h"

enum {
	STACK_CLASS_MIN = 14,     // 16 KiB
	STACK_CLASS_MAX = 30,     // 1 GiB
	STACK_CLASS_DEFAULT = 18, // 256 KiB: 64 KiB is the chief complaint about others' libraries
};

// The class whose slots hold `bytes`; 0 if out of range.
uint32_t stack_class_of(size_t bytes);

// A slot, or NULL when there is no address space or memory. Its content is unspecified.
MUST_USE char *stack_alloc(uint32_t class);
// Takes `count` slots; returns how many it got.
size_t stack_alloc_many(uint32_t class, char **slots, size_t count);

void stack_free(char *slot, uint32_t class);
void stack_free_many(uint32_t class, char **slots, size_t count);

static inline size_t stack_slot_bytes(uint32_t class) { return (size_t)1 << class; }

// A quarter of a small slot; 64 KiB of a large one, because a frame larger than the guard jumps
// over it.
static inline size_t stack_guard_bytes(uint32_t class)
{
	return class >= STACK_CLASS_DEFAULT ? (size_t)64 << 10 : stack_slot_bytes(class) / 4;
}

// The highest bytes stay free: a go statement may copy a few words more than its arguments have.
enum { STACK_TOP_RESERVE = 192 };
_Static_assert((int)STACK_TOP_RESERVE >= (int)ARCH_STACK_ARGS_SLACK && STACK_TOP_RESERVE % 64 == 0,
	"see arch.h");

static inline struct stack_bounds stack_bounds(char *slot, uint32_t class)
{
	struct stack_bounds b = {slot + stack_guard_bytes(class),
		slot + stack_slot_bytes(class) - STACK_TOP_RESERVE};
	return b;
}

/*
 * Red zone check, for slots whose guard the kernel refused: true while nothing was written below
 * bounds.low. Always true for guarded slots.
 */
bool stack_red_zone_is_intact(char *slot, uint32_t class);
extern bool stack_red_zones_in_use; // any slot without a guard exists: the switch must check

// Gives back the pages of a parked stack below `sp`.
void stack_trim_below(char *slot, uint32_t class, void *sp);

// Gives the memory of up to `max` free slots back to the kernel. Returns how many; 0: nothing left
// to do.
size_t stack_scavenge(size_t max);

// How many slots are in use, for tests.
size_t stack_slots_in_use(void);

// Calls fn for the addresses of each arena. Takes no lock: for one who has stopped all threads.
void stack_each_arena(void (*fn)(const char *low, size_t bytes, void *arg), void *arg);

// Leaves all arenas mapped and forgets them: somebody may still stand on a stack in them.
void stack_abandon_all(void);

// Unmaps all arenas. Needs: no goroutine is left.
void stack_release_all(void);

#endif
