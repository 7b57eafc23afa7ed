// SPDX-License-Identifier: MIT
/*
 * Claim: with the transitions of sync/mutex_state.h, and those of tuza/sync.h that are inlined, at
 * most one thread is inside, what it did is visible to the next, nobody waits for ever, and the
 * unlock that lets the last one in touches the mutex no more: three threads pass a counter; whoever
 * counts last frees (poisons) the mutex after its unlock. The same when some give up waiting, and
 * when the mutex is quiet from the start or becomes so; in the end no alarm is left.
 */
#include "hurry.h"

#define TUZA_MUTEX_TICK_ 0x40000000u // two of them make it quiet
#include "sync/mutex_state.h"

#define THREADS 3
#define POISON 0xdead0000u

uint32_t tuza_mutex_alarms_; // atomic

static struct bucket bucket = BUCKET_INIT;
static uint32_t state;
static int inside;  // plain: guarded by the mutex
static int counted; // the same

// mutex_alarm
static void alarm_unlocks(void)
{
	add_relaxed(&tuza_mutex_alarms_, 1u);
	if (bucket.first && bucket.first->alarm)
		return;
	barrier_in_all_threads();
}

// Takes it out, if it is in.
static bool remove_waiter(struct waiter *w)
{
	if (!bucket_remove(&bucket, w))
		return false;
	if (w->alarm)
		sub_relaxed(&tuza_mutex_alarms_, 1u);
	return true;
}

// A waiter is cancelled: false when it has been taken out already.
static bool leave(struct waiter *w)
{
	pthread_mutex_lock(&bucket.lock);
	bool waits = remove_waiter(w);
	if (waits && !bucket.first)
		mutex_state_clear_parked(&state);
	pthread_mutex_unlock(&bucket.lock);
	return waits;
}

// tuza_mutex_lock without the spinning. `gives_up`: does not wait long. Returns false when it has
// given up.
static bool lock(bool gives_up)
{
	struct waiter w = {.passed = false};
	uint32_t woken = 0;

	if (tuza_mutex_take_(&state))
		return true;
	while (!mutex_state_take(&state, woken)) {
		pthread_mutex_lock(&bucket.lock);
		bool alarm = mutex_state_is_quiet(&state);
		if (alarm)
			alarm_unlocks();
		turn_pause();
		if (!mutex_state_park(&state, woken, !bucket.first, alarm)) {
			if (alarm)
				sub_relaxed(&tuza_mutex_alarms_, 1u);
			pthread_mutex_unlock(&bucket.lock);
			continue;
		}
		w.passed = woken != 0;
		bucket_push(&bucket, &w, woken != 0);
		w.alarm = alarm;
		if (gives_up) {
			pthread_mutex_unlock(&bucket.lock);
			turn_pause();
			if (leave(&w))
				return false;
			pthread_mutex_lock(&bucket.lock);
		}
		bucket_park(&bucket, &w);
		if (w.granted)
			return true;
		woken = MUTEX_WOKEN;
	}
	return true;
}

// tuza_mutex_unlock; a waiter that lost once counts as starving.
static void unlock(void)
{
	uint32_t seen = tuza_mutex_leave_(&state);

	if (seen == TUZA_MUTEX_KEPT_) {
		pthread_mutex_lock(&bucket.lock);
		if (!bucket.first)
			mutex_state_clear_parked(&state);
		pthread_mutex_unlock(&bucket.lock);
		turn_pause();
		seen = tuza_mutex_leave_parked_(&state);
	}
	assert(seen & MUTEX_LOCKED);
	if (!mutex_state_has_to_pass(seen))
		return;
	turn_pause();
	pthread_mutex_lock(&bucket.lock);
	struct waiter *w = bucket.first;
	enum mutex_pass pass = MUTEX_LEFT;
	if (w)
		pass = mutex_state_pass(&state, w->passed, w->next != NULL);
	if (pass != MUTEX_LEFT) {
		w->granted = pass == MUTEX_GRANTS;
		remove_waiter(w);
	}
	turn_pause();
	pthread_mutex_unlock(&bucket.lock);
	if (pass != MUTEX_LEFT)
		waiter_release(w);
}

static void *take_turns(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (int i = 0; i < turns; i++) {
		if (!lock((i + me) % 2))
			(void)lock(false);
		assert(inside == 0);
		inside = 1;
		turn_pause();
		bool last = ++counted == THREADS * turns;
		inside = 0;
		unlock();
		if (last)
			store_relaxed(&state, POISON); // it is the only one left that may
		turn_pause();
	}
	return NULL;
}

static void one_round(void)
{
	static model_thread *const threads[THREADS] = {take_turns, take_turns, take_turns};
	static unsigned round;

	state = ++round % 2 ? MUTEX_QUIET : 0;
	counted = 0;
	turns = TURNS;
#ifndef MODEL_CHECKER
	if (round % 4 < 2)
		turns = HURRIED_TURNS;
#endif
	model_run(threads, THREADS);
	assert(counted == THREADS * turns);
	assert(state == POISON);
	assert(!bucket.first);
	assert(tuza_mutex_alarms_ == 0);
}

int main(void)
{
#ifndef MODEL_CHECKER
	if (syscall(SYS_membarrier, 1 << 4, 0, 0) != 0) // REGISTER_PRIVATE_EXPEDITED
		abort();
#endif
	model_rounds(one_round);
	return 0;
}
