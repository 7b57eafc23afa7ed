// SPDX-License-Identifier: MIT
/*
 * Claim: with the transitions of sync/rwmutex_state.h a writer is alone and readers see a writer's
 * work whole, nobody waits for ever, and a release that lets others in touches the lock no more: a
 * writer that comes last frees (poisons) it.
 */
#include "sync/rwmutex_state.h"
#include "parking.h"

#define THREADS 4
#ifdef MODEL_CHECKER
#define TURNS 1
#else
#define TURNS 20
#endif
#define POISON 0xdead000000u

static struct bucket writers = BUCKET_INIT; // its lock is the bucket's
static struct bucket readers = BUCKET_INIT; // its own lock is not used
static uint64_t state;
static int first, second; // plain: written by writers, always both
static int left;          // atomic: turns that have not ended
static bool last_was_reader;

static void rlock(void)
{
	struct waiter w = {.passed = false};

	while (!rwmutex_state_rlock(&state)) {
		pthread_mutex_lock(&writers.lock);
		if (!rwmutex_state_park_reader(&state)) {
			pthread_mutex_unlock(&writers.lock);
			continue;
		}
		bucket_push(&readers, &w, false);
		bucket_park(&writers, &w);
		return;
	}
}

static void wlock(void)
{
	struct waiter w = {.passed = false};
	uint64_t woken = 0;

	while (!rwmutex_state_lock(&state, woken)) {
		pthread_mutex_lock(&writers.lock);
		if (!rwmutex_state_park_writer(&state, woken)) {
			pthread_mutex_unlock(&writers.lock);
			continue;
		}
		w.passed = woken != 0;
		bucket_push(&writers, &w, woken != 0);
		bucket_park(&writers, &w);
		if (w.granted)
			return;
		woken = RWMUTEX_WOKEN;
	}
}

static void runlock(void)
{
	struct waiter *w = NULL;
	uint64_t seen, next;

	if (rwmutex_state_runlock(&state, &seen))
		return;
	pthread_mutex_lock(&writers.lock);
	assert(rwmutex_state_is_last_reader(&state, &seen)); // nobody gives up here
	if (seen & RWMUTEX_WOKEN) {
		next = RWMUTEX_WAITING | RWMUTEX_WOKEN;
	} else {
		w = bucket_pop(&writers);
		assert(w);
		w->granted = true;
		next = RWMUTEX_WRITER | (writers.first || readers.first ? RWMUTEX_WAITING : 0);
	}
	rwmutex_state_pass_on(&state, next);
	pthread_mutex_unlock(&writers.lock);
	if (w)
		waiter_release(w);
}

static void wunlock(void)
{
	struct waiter *w = NULL, *r;
	uint64_t seen, next = 0;

	if (rwmutex_state_unlock_idle(&state, &seen))
		return;
	pthread_mutex_lock(&writers.lock);
	uint64_t woken = load_relaxed(&state) & RWMUTEX_WOKEN;
	struct waiter *list = readers.first;
	readers.first = NULL;
	for (r = list; r; r = r->next)
		next += RWMUTEX_READER;
	if (woken) {
		next |= RWMUTEX_WOKEN | RWMUTEX_WAITING;
	} else if (!list && (w = bucket_pop(&writers))) {
		w->granted = w->passed;
		next = w->granted ? RWMUTEX_WRITER : RWMUTEX_WOKEN | RWMUTEX_WAITING;
	}
	if (writers.first)
		next |= RWMUTEX_WAITING;
	rwmutex_state_pass_on(&state, next);
	pthread_mutex_unlock(&writers.lock);
	while ((r = list)) {
		list = r->next;
		waiter_release(r);
	}
	if (w)
		waiter_release(w);
}

static void *read_turns(void *arg)
{
	(void)arg;
	for (int i = 0; i < TURNS; i++) {
		rlock();
		assert(first == second);
		model_pause();
		if (sub_relaxed(&left, 1) == 1)
			store_relaxed(&last_was_reader, true);
		runlock();
	}
	return NULL;
}

static void *write_turns(void *arg)
{
	(void)arg;
	for (int i = 0; i < TURNS; i++) {
		wlock();
		assert(first == second);
		first++;
		model_pause();
		second++;
		// If it is: all others have let go of the lock, though maybe not returned.
		bool last = sub_relaxed(&left, 1) == 1;
		wunlock();
		if (last)
			store_relaxed(&state, POISON);
	}
	return NULL;
}

static void one_round(void)
{
	static model_thread *const threads[THREADS] = {
		read_turns, write_turns, read_turns, write_turns};

	state = 0;
	first = second = 0;
	left = THREADS * TURNS;
	last_was_reader = false;
	model_run(threads, THREADS);
	assert(first == 2 * TURNS && second == first);
	assert(state == (last_was_reader ? 0 : POISON));
	assert(!writers.first && !readers.first);
}

int main(void)
{
	model_rounds(one_round);
	return 0;
}
