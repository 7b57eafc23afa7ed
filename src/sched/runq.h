// SPDX-License-Identifier: MIT
/*
 * A processor's run queue: a ring of 256 goroutines and one slot for the goroutine to run next.
 *
 * The owner pushes and pops; any other machine steals. Lock-free; depends on base/atomic.h alone,
 * so that tests/model runs this very code. Go: src/runtime/proc.go, runqput, runqget, runqgrab.
 *
 *      head                    tail
 *       ▼                       ▼
 *   ┌───┬───┬───┬───┬───┬───┬───┬───┐         ┌──────┐
 *   │   │ g │ g │ g │ g │ g │   │   │         │ next │
 *   └───┴───┴───┴───┴───┴───┴───┴───┘         └──────┘
 *   thieves and owner take      owner adds     owner adds and takes, thieves take
 *
 * Invariants: head <= tail <= head + RUNQ_SIZE as unsigned distances; only the owner writes tail.
 */
#ifndef TUZA_SCHED_RUNQ_H
#define TUZA_SCHED_RUNQ_H

#include "base/atomic.h"

struct goroutine;

#ifndef RUNQ_SIZE
#define RUNQ_SIZE 256u // Go's local queue size; tests shrink it
#endif

struct runq {
	// any thread, atomic; head is moved by whoever takes
	CACHE_ALIGNED uint32_t head;
	// owner writes, thieves read
	CACHE_ALIGNED uint32_t tail;
	struct goroutine *next;            // any thread, atomic
	struct goroutine *ring[RUNQ_SIZE]; // slots: written by the owner while free
};

// Number of goroutines in the ring and in next. A snapshot; exact for the owner when nobody steals.
static ALWAYS_INLINE uint32_t runq_length(const struct runq *q)
{
	// Hint: relaxed. Whoever must not miss a push reads through runq_is_empty.
	return load_relaxed(&q->tail) - load_relaxed(&q->head) + (load_relaxed(&q->next) != NULL);
}

/*
 * True when nothing is queued, at one instant. A goroutine that moves from next to the ring is
 * never missed (Go: runqempty): tail is read again after next.
 */
static inline bool runq_is_empty(const struct runq *q)
{
	for (;;) {
		// (idle-wake) pairs with the exchange in runq_put_next and the store in runq_put:
		// the last look before sleep.
		uint32_t head = load_seq_cst(&q->head);
		uint32_t tail = load_seq_cst(&q->tail);
		const struct goroutine *next = load_seq_cst(&q->next);
		if (tail == load_seq_cst(&q->tail))
			return head == tail && next == NULL;
	}
}

// Adds to the tail. False when the ring is full. Owner only.
static ALWAYS_INLINE bool runq_put(struct runq *q, struct goroutine *g)
{
	// (runq-head) pairs with the release in runq_take: the slot was read before it is written
	// again.
	uint32_t head = load_acquire(&q->head);
	uint32_t tail = q->tail; // only writer
	if (unlikely(tail - head >= RUNQ_SIZE))
		return false;
	store_relaxed(&q->ring[tail % RUNQ_SIZE], g); // ordered by the store of tail
	// (runq-tail) pairs with the load in runq_take: the slot is written before it is visible.
	// Model: runq_model.c
	store_release(&q->tail, tail + 1);
	return true;
}

/*
 * Puts g into next and returns what was there (NULL: nothing), which the caller must queue
 * elsewhere. Owner only.
 */
static ALWAYS_INLINE struct goroutine *runq_put_next(struct runq *q, struct goroutine *g)
{
	// (runq-next) pairs with the exchange in runq_take_next.
	// (idle-wake) seq_cst: a full barrier between publishing work and looking for idle
	// processors (idle.c).
	return exchange_seq_cst(&q->next, g);
}

// Takes what is in next; NULL if nothing. Any thread.
static ALWAYS_INLINE struct goroutine *runq_take_next(struct runq *q)
{
	// Hint: the owner's own put is seen; a thief may miss a fresh one.
	if (load_relaxed(&q->next) == NULL)
		return NULL;
	// (runq-next) pairs with the exchange in runq_put_next: who gets g sees it complete.
	return exchange_acquire(&q->next, NULL);
}

// Takes the oldest of the ring; NULL if empty. Owner only.
static ALWAYS_INLINE struct goroutine *runq_get(struct runq *q)
{
	// (runq-head) pairs with the release below in other takers: counts how far thieves got.
	uint32_t head = load_acquire(&q->head);
	for (;;) {
		uint32_t tail = q->tail; // only writer
		if (head == tail)
			return NULL;
		// Relaxed: valid if the cas succeeds.
		struct goroutine *g = load_relaxed(&q->ring[head % RUNQ_SIZE]);
		// (runq-head) pairs with the acquire in runq_put: the slot has been read.
		if (cas_acq_rel(&q->head, &head, head + 1))
			return g;
	}
}

/*
 * Takes up to `max` of the oldest in `from` into `batch`, at most half rounded up; returns how
 * many. Any thread but the owner.
 */
static inline uint32_t runq_take(struct runq *from, struct goroutine **batch, uint32_t max)
{
	// (runq-head) pairs with the release below.
	uint32_t head = load_acquire(&from->head);
	for (;;) {
		// (runq-tail) pairs with the store in runq_put: slots below tail are written.
		uint32_t tail = load_acquire(&from->tail);
		uint32_t n = tail - head;
		n -= n / 2;
		if (n == 0)
			return 0;
		if (n > RUNQ_SIZE / 2 + 1) { // head and tail were not read at one instant
			// (runq-head) as above.
			head = load_acquire(&from->head);
			continue;
		}
		if (n > max)
			n = max;
		for (uint32_t i = 0; i < n; i++) // valid if the cas succeeds
			batch[i] = load_relaxed(&from->ring[(head + i) % RUNQ_SIZE]);
		// (runq-head) pairs with the acquire in runq_put: the slots have been read. Model:
		// runq_model.c
		if (cas_acq_rel(&from->head, &head, head + n))
			return n;
	}
}

#endif
