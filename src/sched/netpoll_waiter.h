// SPDX-License-Identifier: MIT
/*
 * Who waits for a descriptor, for netpoll.c and netpoll_deadline.c.
 */
#ifndef TUZA_SCHED_NETPOLL_WAITER_H
#define TUZA_SCHED_NETPOLL_WAITER_H

#include "base/race_hooks.h"
#include "sched/goroutine.h"
#include "sched/netpoll.h"

// Why a waiter was taken out, beside 0 and error codes.
enum { WAIT_GOES_ON = 1, RECKON_ANEW, IS_CLOSING };

struct netpoll_waiter {
	// guarded by the record's lock
	struct link link;
	int result;
	// constant while it is in the list
	struct netpoll *n;
	struct goroutine *g;
	uint32_t directions;
	uint16_t counted; // in poller.count[counted - 1]; 0: in none
	int64_t until;    // INT64_MAX: for ever
};

// ---- all of these need the record's lock --------------------------------------------------------

static ALWAYS_INLINE uint32_t netpoll_generation(const struct netpoll *n)
{
	return poll_word_generation(load_relaxed(&n->word[0])); // changes under the lock
}

static ALWAYS_INLINE void netpoll_init_list(struct netpoll *n)
{
	if (!n->waiters.next)
		list_init(&n->waiters);
}

// Takes one out; the caller makes its goroutine ready after the unlock.
struct goroutine *netpoll_take(struct netpoll_waiter *w, int result);

// Takes out all that wait for one of `directions`, appends them at *end; returns the new end.
struct goroutine **netpoll_take_all(
	struct netpoll *n, uint32_t directions, int result, struct goroutine **end);

// ---- deadlines ----------------------------------------------------------------------------------

// The earliest deadline of these directions and the caller's own; INT64_MAX if there is none.
static inline int64_t netpoll_earliest(const struct netpoll *n, uint32_t directions, int64_t own)
{
	int64_t until = own ? own : INT64_MAX;
	for (int i = 0; i < 2; i++) {
		int64_t d = load_relaxed(&n->deadline[i]); // stable under the lock; else a hint
		if (directions & 1u << i && d != 0 && d < until)
			until = d;
	}
	return until;
}

// The record's timer fires by then. Under the record's lock true stays true for a waiter that is in
// the list before the unlock; else a hint.
static ALWAYS_INLINE bool netpoll_fires_by(const struct netpoll *n, int64_t until)
{
	int64_t armed = load_relaxed(&n->armed); // as said
	// It is in a heap, unless there was no memory to keep it after an earlier run.
	return until == INT64_MAX ||
	       (armed != 0 && armed <= until && load_relaxed(&n->timer.index) != 0); // as said
}

// Has the record's timer fire at `until` or before. 0, -ENOMEM, TUZA_EIOTIMEOUT: it is past.
// Needs: no lock held.
int netpoll_arm(struct netpoll *n, int64_t until);

// Stops the timer, whose waiters were all taken out. One that is armed meanwhile by somebody who
// comes too late to wait fires for nothing. Needs: no lock held.
void netpoll_disarm(struct netpoll *n);

#endif
