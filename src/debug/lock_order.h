// SPDX-License-Identifier: MIT
/*
 * Who locks what under what (lock_order.c), for the lock calls of watched programs (lock_watch.c).
 */
#ifndef TUZA_DEBUG_LOCK_ORDER_H
#define TUZA_DEBUG_LOCK_ORDER_H

#include "debug/backtrace.h"

enum { LOCK_ORDER_FRAMES = 16 };

struct lock_place {
	uint32_t count;
	struct backtrace_frame frames[LOCK_ORDER_FRAMES];
};

// A lock that somebody holds.
struct held {
	struct held *next; // of its holder's bucket; in the free list
	uint64_t owner;
	const void *lock;
	uint32_t number;
	bool is_rwmutex;
	struct lock_place place;
};

/*
 * Before a lock is taken: notes in *h who takes it where, adds what follows from the locks that the
 * caller holds, and reports what contradicts. `waits`: it may wait for ever.
 */
void lock_order_before(struct held *h, const void *lock, bool is_rwmutex, bool waits);
// When it has been taken.
void lock_order_after(const struct held *h);
// Before it is given back, by whomever. Returns its number, 0 if it was not watched.
uint32_t lock_order_forget(const void *lock);

#endif
