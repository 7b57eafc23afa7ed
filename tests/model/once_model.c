// SPDX-License-Identifier: MIT
/*
 * Claim: with the transitions of sync/once_state.h the function is called once, every caller
 * returns after it and sees what it did, and its end touches the once no more: the last of those
 * who did not run it frees (poisons) it at once.
 */
#include "sync/once_state.h"
#include "parking.h"

#define THREADS 3
#define POISON 0xdead0000u

static struct bucket bucket = BUCKET_INIT;
static uint32_t state;
static int calls;  // plain: ordered by the once
static int others; // atomic: callers that did not run the function and are not back

static void finish(void)
{
	if (once_state_finish(&state))
		return;
	pthread_mutex_lock(&bucket.lock);
	once_state_finish_locked(&state);
	model_pause();
	bucket_release_all(&bucket);
}

static void wait_for_end(void)
{
	struct waiter w = {.passed = false};

	pthread_mutex_lock(&bucket.lock);
	if (once_state_park(&state)) {
		bucket_push(&bucket, &w, false);
		bucket_park(&bucket, &w);
	} else {
		pthread_mutex_unlock(&bucket.lock);
	}
}

static void *caller(void *arg)
{
	for (intptr_t i = 0; i < 4 * (intptr_t)arg; i++)
		model_pause();
	if (!once_state_is_done(&state)) {
		if (once_state_start(&state)) {
			for (int i = 0; i < 4; i++)
				model_pause();
			calls++;
			finish();
			return NULL;
		}
		if (!once_state_is_done(&state))
			wait_for_end();
	}
	assert(calls == 1);
	// (model-others) pairs with itself: the last one comes after the others.
	if (sub_acq_rel(&others, 1) == 1)
		store_relaxed(&state, POISON);
	return NULL;
}

static void one_round(void)
{
	static model_thread *const threads[THREADS] = {caller, caller, caller};

	state = ONCE_NEW;
	calls = 0;
	others = THREADS - 1;
	model_run(threads, THREADS);
	assert(calls == 1);
	assert(state == POISON);
	assert(!bucket.first);
}

int main(void)
{
	model_rounds(one_round);
	return 0;
}
