// SPDX-License-Identifier: MIT
/*
 * Queues of goroutines keyed by an address: where mutexes, waitgroups, conditions and their like
 * wait.
 *
 * The object itself holds only its state word, so that it may be freed as soon as its last
 * operation is seen: a waker works on the bucket of the address, never on the object, once it has
 * changed the word for the last time.
 *
 *	struct waitqueue *q = waitqueue_lock(m);
 *	… decide under the lock, by the object's word, whether to wait …
 *	struct queued w;
 *	waitqueue_push(q, m, &w, false);
 *	park_unlocking(&q->lock, WAIT_MUTEX, m);      // or waitqueue_unlock(q)
 *
 * Waiters of one address are FIFO. An object that can spare a pointer for them, and is alive while
 * somebody waits, keeps its first waiter itself (the functions that end in _at): no search then.
 * Different addresses may share a bucket; those within the same
 * aligned 8 bytes always do, so an object of that size can have several queues under one lock
 * (sync/rwmutex.c: its readers' and its writers').
 */
#ifndef TUZA_SCHED_WAITQUEUE_H
#define TUZA_SCHED_WAITQUEUE_H

#include "base/list.h"
#include "sched/lock.h"
#include "sched/park.h"

struct waitqueue {
	struct lock lock;
	struct link first; // guarded by lock: struct queued.root of one waiter per address
} CACHE_ALIGNED;

// A goroutine in a queue; lies on its stack.
struct queued {
	// guarded by the bucket's lock
	struct link root;     // of a first waiter: among other addresses'; else prev: one before
	struct queued *next;  // the next waiter of the same address
	struct queued *last;  // in the first waiter: the last one of this address
	const void *address;  // NULL once it was taken out
	struct queued **head; // the object's own list that it is in; NULL: the bucket's
	struct goroutine *g;
	uint32_t *counter; // one less when waitqueue_remove takes it out; NULL, as pushed: none
	// the user's, to pass words between waiter and waker; guarded by the bucket's lock
	uint32_t ticket;
	bool granted;     // the waker handed over what was waited for
	bool can_give_up; // of lock and join: something else may end the wait; constant meanwhile
	int64_t since;    // when the wait began, for starvation
	int64_t charged;  // until when somebody was blamed for it: contention.h
};

// The bucket of `address`, locked.
struct waitqueue *waitqueue_lock(const void *address);
static ALWAYS_INLINE void waitqueue_unlock(struct waitqueue *q) { lock_release(&q->lock); }

// Adds the calling goroutine as the last waiter of `address`, or as the first one. Needs: q->lock.
// Sets g, address, counter; the user's fields are set before.
void waitqueue_push(struct waitqueue *q, const void *address, struct queued *w, bool as_first);

// Removes and returns the first waiter of `address`, or NULL. Needs: q->lock.
struct queued *waitqueue_pop(struct waitqueue *q, const void *address);

// Removes all waiters of `address` and returns their goroutines in order, linked for ready_list;
// NULL if none. Needs: q->lock.
struct goroutine *waitqueue_take_all(struct waitqueue *q, const void *address);

// The first waiter, left in place, or NULL; the one behind it is ->next. Needs: q->lock.
struct queued *waitqueue_first(struct waitqueue *q, const void *address);

// Removes the waiter `w` wherever it stands. Needs: q->lock; w is in q.
void waitqueue_remove(struct waitqueue *q, struct queued *w);

// The same for the object at `address`, whose first waiter is *head (NULL: none). Needs: the lock
// of the bucket of `address`.
void waitqueue_push_at(struct queued **head, const void *address, struct queued *w);
struct queued *waitqueue_pop_at(struct queued **head);
struct goroutine *waitqueue_take_all_at(struct queued **head);

// The memory of all buckets: it points at waiters, and makes nobody known to the program.
const void *waitqueue_memory(size_t *bytes);

// Removes the waiter of a goroutine that is dropped (struct queued *) from whatever bucket it is
// in. False: somebody took it out.
bool waitqueue_unlink(void *waiting);

#endif
