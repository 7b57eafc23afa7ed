// SPDX-License-Identifier: MIT
/*
 * The kernel's sets of watched descriptors: one for all, and one for each processor (poll_set.c).
 */
#ifndef TUZA_SCHED_POLL_SET_H
#define TUZA_SCHED_POLL_SET_H

#include "sched/runtime.h"

enum {
	POLL_SETS = 65, // [0] for all; processors with a higher index have none of their own
	POLL_SET_COMMON = 0,
	// A descriptor's waits, and by chance some more (poll_set.c):
	POLL_SET_SETTLE = 8,  // from one question where it should be to the next
	POLL_SET_STAYS = 128, // the same after one whose answer was that it is there
	POLL_SET_FIRST = 4,   // before the first: shorter connections stay where they began
	// And no more than that:
	POLL_SET_ASKS = 1, // until the CPU is known
};

enum { POLL_SET_CPU_UNKNOWN = -2 };

struct poll_set {
	CACHE_ALIGNED uint32_t is_open; // atomic: kernel is there, for good
	uint32_t looking;               // atomic: 1: somebody looks without waiting
	int64_t looked_at;              // atomic, a hint: when somebody last did
	int64_t attended_at;            // the same: when its owner last did
	uint32_t cpu;                   // the same: where its owner's thread ran then, plus 1
	uint32_t load;                  // the same: sixteenths of events that its owner finds
	uint32_t count;                 // atomic: descriptors that have moved here
	struct sys_poller kernel;       // constant once is_open
};

extern struct poll_set poll_sets[POLL_SETS];
extern uint32_t poll_set_count; // atomic: those below may be open; 0 before the first

static ALWAYS_INLINE uint32_t poll_set_of(const struct processor *p)
{
	return p && p->index + 1 < POLL_SETS ? p->index + 1 : POLL_SET_COMMON;
}

static ALWAYS_INLINE bool poll_set_is_open(uint32_t i)
{
	// (poll-set) pairs with open_now in poller.c and make_own: the descriptor is seen.
	return load_acquire(&poll_sets[i].is_open) != 0;
}

static ALWAYS_INLINE const struct sys_poller *poll_set_kernel(uint32_t i)
{
	return &poll_sets[i].kernel;
}

// The owner, p, has looked and found so many. Hints, for poll_set_settle.
void poll_set_note(const struct processor *p, uint32_t found);

// Of a processor's set that nobody has looked at for a while: whether a busy one shall look, since
// its owner does not come, or has only the goroutine that it runs. Who takes events from an owner
// that has more to run, and looks then, answers from elsewhere, and the ends of connections part.
bool poll_set_is_neglected(uint32_t i, int64_t now);

// After how many waits to ask for the first time where a new descriptor should be.
int poll_set_first(void);

/*
 * A descriptor of set `home` is about to be waited for: moves it to the set where it should be.
 *
 *   cpu   that its last packet with bytes to read came in on (sys_receiving_cpu), as noted when
 *         they came: answers to what was sent since may have come in elsewhere.
 *   *next  gets after how many waits to ask again. POLL_SET_ASKS: by then the CPU should be noted.
 *
 * Returns where it is now. Needs: the record's lock.
 */
uint32_t poll_set_settle(uint32_t home, int fd, uint32_t events, uint64_t tag, int cpu, int *next);

// Moves a descriptor of set `home`. Returns where it is now; where the kernel refuses that is
// `home` still. Needs: the record's lock.
uint32_t poll_set_move(uint32_t home, uint32_t to, int fd, uint32_t events, uint64_t tag);

// It is watched no more.
void poll_set_remove(uint32_t home, int fd);

// In the child of a fork: all of them are the parent's.
void poll_set_leave_to_parent(void);

#endif
