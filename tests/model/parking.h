// SPDX-License-Identifier: MIT
/*
 * What the models of sync/ share: the bucket of the wait queues, reduced to its contract, and the
 * rounds.
 *
 * A bucket is a lock and a FIFO of waiters. A waiter that was pushed parks by leaving the lock and
 * waiting until a waker, who took it out under the lock, releases it. With MODEL_CHECKER defined a
 * program is one round, for a tool that explores all its executions (GenMC turns the waiting loops
 * into assumptions); else it repeats rounds for a second.
 */
#ifndef TUZA_MODEL_PARKING_H
#define TUZA_MODEL_PARKING_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/atomic.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#ifndef MODEL_CHECKER
#include <sched.h>
#include <time.h>
#endif

// Where others should get in between: gives the CPU away, for as long as it happens. Nothing to a
// tool that explores.
static inline void model_pause(void)
{
#ifndef MODEL_CHECKER
	static unsigned turn; // any thread, atomic: a race only makes it more random
	unsigned n = add_relaxed(&turn, 1) * 2654435761u >> 28;

	while (n-- > 4)
		sched_yield();
#endif
}

struct waiter {
	struct waiter *next; // guarded by the bucket's lock
	bool granted;        // the same, then ordered by released
	bool alarm;          // the same: sync/mutex_state.h
	bool passed;         // lost against a passer-by: next time it is handed the lock
	bool released;       // atomic
};

struct bucket {
	pthread_mutex_t lock;
	struct waiter *first;
};

#define BUCKET_INIT                                                                                \
	{                                                                                          \
		PTHREAD_MUTEX_INITIALIZER, NULL                                                    \
	}

static inline void bucket_push(struct bucket *b, struct waiter *w, bool as_first)
{
	struct waiter **at = &b->first;

	while (!as_first && *at)
		at = &(*at)->next;
	w->next = *at;
	w->granted = w->alarm = w->released = false;
	*at = w;
}

static inline struct waiter *bucket_pop(struct bucket *b)
{
	struct waiter *w = b->first;

	if (w)
		b->first = w->next;
	return w;
}

// Takes a waiter out, if it is in.
static inline bool bucket_remove(struct bucket *b, const struct waiter *w)
{
	struct waiter **at = &b->first;

	while (*at && *at != w)
		at = &(*at)->next;
	if (!*at)
		return false;
	*at = w->next;
	return true;
}

// Stands for park_unlocking.
static inline void bucket_park(struct bucket *b, struct waiter *w)
{
	pthread_mutex_unlock(&b->lock);
	// (model-park) pairs with waiter_release.
	while (!load_acquire(&w->released))
		model_pause();
}

// Stands for ready: the waiter may be gone afterwards.
static inline void waiter_release(struct waiter *w)
{
	// (model-park) pairs with bucket_park.
	store_release(&w->released, true);
}

// Takes all waiters out and leaves the lock, then releases them.
static inline void bucket_release_all(struct bucket *b)
{
	struct waiter *w = b->first;

	b->first = NULL;
	pthread_mutex_unlock(&b->lock);
	while (w) {
		struct waiter *next = w->next;
		waiter_release(w);
		w = next;
	}
}

typedef void *model_thread(void *arg);

// Runs the threads of one round, each with its number, to their end.
static inline void model_run(model_thread *const *threads, int n)
{
	pthread_t ids[8];

	for (int i = 0; i < n; i++)
		if (pthread_create(&ids[i], NULL, threads[i], (void *)(intptr_t)i) != 0)
			abort();
	for (int i = 0; i < n; i++)
		pthread_join(ids[i], NULL);
}

static inline void model_rounds(void (*round)(void))
{
#ifdef MODEL_CHECKER
	round();
#else
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		round();
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 <
		 1000);
#endif
}

#endif
