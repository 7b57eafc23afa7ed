// SPDX-License-Identifier: MIT
/*
 * Claim: with the transitions of sync/mutex_state.h at most one thread is inside, what it did is
 * visible to the next, nobody waits for ever, and the unlock that lets the last one in touches the
 * mutex no more: three threads pass a counter; whoever counts last frees (poisons) the mutex after
 * its unlock.
 */
#include "sync/mutex_state.h"
#include "parking.h"

#define THREADS 3
#ifdef MODEL_CHECKER
#define TURNS 1
#else
#define TURNS 20
#endif
#define POISON 0xdead0000u

static struct bucket bucket = BUCKET_INIT;
static uint32_t state;
static int inside;  // plain: guarded by the mutex
static int counted; // the same

// tuza_mutex_lock without the spinning.
static void lock(void)
{
	struct waiter w = {.passed = false};
	uint32_t woken = 0;

	if (mutex_state_take_idle(&state))
		return;
	while (!mutex_state_take(&state, woken)) {
		pthread_mutex_lock(&bucket.lock);
		if (!mutex_state_park(&state, woken, !bucket.first)) {
			pthread_mutex_unlock(&bucket.lock);
			continue;
		}
		w.passed = woken != 0;
		bucket_push(&bucket, &w, woken != 0);
		bucket_park(&bucket, &w);
		if (w.granted)
			return;
		woken = MUTEX_WOKEN;
	}
}

// tuza_mutex_unlock; a waiter that lost once counts as starving.
static void unlock(void)
{
	uint32_t seen = mutex_state_unlock(&state);

	assert(seen & MUTEX_LOCKED);
	if (!mutex_state_has_to_pass(seen))
		return;
	model_pause();
	pthread_mutex_lock(&bucket.lock);
	struct waiter *w = bucket.first;
	enum mutex_pass pass = MUTEX_LEFT;
	if (w)
		pass = mutex_state_pass(&state, w->passed, w->next != NULL);
	if (pass != MUTEX_LEFT) {
		w->granted = pass == MUTEX_GRANTS;
		(void)bucket_pop(&bucket);
	}
	model_pause();
	pthread_mutex_unlock(&bucket.lock);
	if (pass != MUTEX_LEFT)
		waiter_release(w);
}

static void *turns(void *arg)
{
	(void)arg;
	for (int i = 0; i < TURNS; i++) {
		lock();
		assert(inside == 0);
		inside = 1;
		model_pause();
		bool last = ++counted == THREADS * TURNS;
		inside = 0;
		unlock();
		if (last)
			store_relaxed(&state, POISON); // it is the only one left that may
		model_pause();
	}
	return NULL;
}

static void one_round(void)
{
	static model_thread *const threads[THREADS] = {turns, turns, turns};

	state = 0;
	counted = 0;
	model_run(threads, THREADS);
	assert(counted == THREADS * TURNS);
	assert(state == POISON);
	assert(!bucket.first);
}

int main(void)
{
	model_rounds(one_round);
	return 0;
}
