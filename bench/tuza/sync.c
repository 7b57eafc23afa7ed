// SPDX-License-Identifier: MIT
/*
 * Mutex, rwmutex, waitgroup and semaphore, by one goroutine and by eight at once.
 */
#include "bench.h"

#include <stdlib.h>
#include <tuza/tuza.h>

// How many goroutines contend.
enum { contenders = 8 };

// What the goroutines of one pass share.
struct contended {
	tuza_mutex mutex;
	tuza_rwmutex rwmutex;
	tuza_semaphore semaphore; // of 4
	tuza_waitgroup waitgroup;
	int64_t counter; // under mutex
	int64_t one;     // read under rwmutex
	tuza_waitgroup all;
};

static void mutex_turns(struct contended *s, int64_t turns, int64_t *seen)
{
	for (int64_t i = 0; i < turns; i++) {
		tuza_mutex_lock(&s->mutex);
		s->counter++;
		tuza_mutex_unlock(&s->mutex);
	}
	*seen = turns;
	tuza_waitgroup_done(&s->all);
}

static void rwmutex_turns(struct contended *s, int64_t turns, int64_t *seen)
{
	int64_t sum = 0;
	for (int64_t i = 0; i < turns; i++) {
		tuza_rwmutex_rlock(&s->rwmutex);
		sum += s->one;
		tuza_rwmutex_runlock(&s->rwmutex);
	}
	*seen = sum;
	tuza_waitgroup_done(&s->all);
}

static void waitgroup_turns(struct contended *s, int64_t turns, int64_t *seen)
{
	for (int64_t i = 0; i < turns; i++) {
		tuza_waitgroup_add(&s->waitgroup, 1);
		tuza_waitgroup_done(&s->waitgroup);
	}
	*seen = turns;
	tuza_waitgroup_done(&s->all);
}

static void semaphore_turns(struct contended *s, int64_t turns, int64_t *seen)
{
	tuza_context *ctx = tuza_context_background();
	for (int64_t i = 0; i < turns; i++) {
		check(tuza_semaphore_acquire(&s->semaphore, ctx, 1) == 0, "the background ended");
		tuza_semaphore_release(&s->semaphore, 1);
	}
	*seen = turns;
	tuza_waitgroup_done(&s->all);
}

typedef void turns_function(struct contended *s, int64_t turns, int64_t *seen);

// Has `goroutines` do n turns between them.
static int64_t contend(int goroutines, int64_t n, turns_function *turns)
{
	int64_t each = (n + goroutines - 1) / goroutines;
	struct contended *shared = allocate(1, sizeof *shared);
	shared->one = 1;
	tuza_semaphore_init(&shared->semaphore, 4);
	int64_t *seen = allocate((size_t)goroutines, sizeof *seen);
	tuza_waitgroup_add(&shared->all, goroutines);
	for (int i = 0; i < goroutines; i++)
		TUZA_GO(turns, shared, each, &seen[i]);
	tuza_waitgroup_wait(&shared->all);
	tuza_waitgroup_wait(&shared->waitgroup);
	for (int i = 0; i < goroutines; i++)
		check(seen[i] == each, "goroutine %d saw %lld turns, not %lld", i,
			(long long)seen[i], (long long)each);
	check(shared->counter == 0 || shared->counter == goroutines * each,
		"the mutex let %lld of %lld through", (long long)shared->counter,
		(long long)(goroutines * each));
	free(seen);
	free(shared);
	return goroutines * each;
}

static int64_t mutex_1(int64_t n) { return contend(1, n, mutex_turns); }

static int64_t mutex_8(int64_t n) { return contend(contenders, n, mutex_turns); }

static int64_t rwmutex_1(int64_t n) { return contend(1, n, rwmutex_turns); }

static int64_t rwmutex_8(int64_t n) { return contend(contenders, n, rwmutex_turns); }

static int64_t waitgroup_1(int64_t n) { return contend(1, n, waitgroup_turns); }

static int64_t waitgroup_8(int64_t n) { return contend(contenders, n, waitgroup_turns); }

static int64_t semaphore_1(int64_t n) { return contend(1, n, semaphore_turns); }

static int64_t semaphore_8(int64_t n) { return contend(contenders, n, semaphore_turns); }

const struct workload sync_workloads[] = {
	{.name = "mutex-1", .operation = "lock and unlock, one goroutine", .run = mutex_1},
	{.name = "mutex-8", .operation = "lock and unlock, 8 goroutines", .run = mutex_8},
	{.name = "rwmutex-read-1",
		.operation = "read lock and unlock, one goroutine",
		.run = rwmutex_1},
	{.name = "rwmutex-read-8",
		.operation = "read lock and unlock, 8 goroutines",
		.run = rwmutex_8},
	{.name = "waitgroup-1", .operation = "add and done, one goroutine", .run = waitgroup_1},
	{.name = "waitgroup-8", .operation = "add and done, 8 goroutines", .run = waitgroup_8},
	{.name = "semaphore-1",
		.operation = "acquire and release 1 of 4, one goroutine",
		.run = semaphore_1},
	{.name = "semaphore-8",
		.operation = "acquire and release 1 of 4, 8 goroutines",
		.run = semaphore_8},
	{0},
};
