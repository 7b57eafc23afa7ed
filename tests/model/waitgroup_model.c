// SPDX-License-Identifier: MIT
/*
 * Claim: with the transitions of sync/waitgroup_state.h wait returns after all work is done and
 * sees it, nobody waits for ever, and what the done that reached zero still has to do touches no
 * waitgroup that somebody has returned from. One waits early; another comes late, maybe between
 * the zero and the last step, and frees the waitgroup at once: in one round it only poisons it, in
 * the next it makes a new one at the same address, whose waiter must not be woken early.
 */
#include "sync/waitgroup_state.h"
#include "parking.h"

static struct bucket bucket = BUCKET_INIT;
static uint64_t state;
static int work[2];     // plain: ordered by the first waitgroup
static int second_work; // plain: ordered by the second
static bool early_is_back, second_is_made, second_is_wanted;

#define POISON ((uint64_t)0x5a5a5a58) // looks like a counter of zero

static void done(void)
{
	enum waitgroup_added added = waitgroup_state_add(&state, -1);

	assert(added != WAITGROUP_NEGATIVE);
	if (added != WAITGROUP_ZERO)
		return;
	model_pause();
	pthread_mutex_lock(&bucket.lock);
	assert(waitgroup_counter(load_relaxed(&state)) == 0);
	waitgroup_state_finish(&state);
	bucket_release_all(&bucket);
}

static void wait_for_zero(void)
{
	struct waiter w = {.passed = false};

	if (waitgroup_state_is_done(&state))
		return;
	pthread_mutex_lock(&bucket.lock);
	if (waitgroup_state_park(&state)) {
		bucket_push(&bucket, &w, false);
		bucket_park(&bucket, &w);
	} else {
		pthread_mutex_unlock(&bucket.lock);
	}
}

static void *worker(void *arg)
{
	model_pause();
	work[(intptr_t)arg] = 1;
	done();
	return NULL;
}

static void *early_waiter(void *arg)
{
	(void)arg;
	wait_for_zero();
	assert(work[0] && work[1]);
	// (model-early) pairs with late_waiter.
	store_release(&early_is_back, true);
	return NULL;
}

static void *late_waiter(void *arg)
{
	(void)arg;
	// (model-early) pairs with early_waiter. From either on the early one touches it no more.
	while (!(load_relaxed(&state) & WAITGROUP_WAITERS) && !load_acquire(&early_is_back))
		model_pause();
	model_pause();
	wait_for_zero();
	assert(work[0] && work[1]);
	if (!second_is_wanted) {
		store_relaxed(&state, POISON);
		return NULL;
	}
	store_relaxed(&state, (uint64_t)1 << 32);
	// (model-second) pairs with second_waiter.
	store_release(&second_is_made, true);
	model_pause();
	second_work = 1;
	done();
	return NULL;
}

static void *second_waiter(void *arg)
{
	(void)arg;
	// (model-second) pairs with reuser.
	while (!load_acquire(&second_is_made))
		model_pause();
	wait_for_zero();
	assert(second_work);
	return NULL;
}

static void one_round(void)
{
	static model_thread *const threads[] = {
		worker, worker, early_waiter, late_waiter, second_waiter};

	state = (uint64_t)2 << 32;
	work[0] = work[1] = second_work = 0;
	early_is_back = second_is_made = false;
	second_is_wanted = !second_is_wanted;
	model_run(threads, second_is_wanted ? 5 : 4);
	assert(state == (second_is_wanted ? 0 : POISON));
	assert(!bucket.first);
}

int main(void)
{
	model_rounds(one_round);
	return 0;
}
