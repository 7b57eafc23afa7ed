// SPDX-License-Identifier: MIT
/*
 * Claim: (select-won) a select that waits on two channels and a timer is ended by exactly one of
 * them, is woken exactly when it has parked, and sees what its winner wrote. The word's transitions
 * are those of chan/select.c: wakers act under their channel's lock, which the select holds until
 * its commit; the timer acts at any time.
 */
#include "parking.h"

enum { SELECTING, PARKED, WON, TIMED_OUT };
#define NOBODY 99u

static pthread_mutex_t channel[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static bool queued[2]; // guarded by the channel's lock
static uint32_t state;
static uint32_t winner;
static int value[2];   // written by the waker that wins
static uint32_t wakes; // atomic: how often somebody made the goroutine ready

static bool win(uint32_t index)
{
	uint32_t parked = PARKED;
	// (select-won) as selection_win
	if (!cas_acq_rel(&state, &parked, WON))
		return false;
	winner = index;
	return true;
}

static void waker(uint32_t i)
{
	bool wake = false;

	pthread_mutex_lock(&channel[i]);
	if (queued[i]) {
		queued[i] = false;
		if (win(i)) {
			value[i] = 42;
			wake = true;
		}
	}
	pthread_mutex_unlock(&channel[i]);
	if (wake)
		add_release(&wakes, 1); // (select-wake) pairs with the wait of the select
}

static void *first_waker(void *arg)
{
	model_pause();
	waker(0);
	return arg;
}

static void *second_waker(void *arg)
{
	model_pause();
	waker(1);
	return arg;
}

static void *timer(void *arg)
{
	uint32_t seen = SELECTING;
	model_pause();
	// (select-won) as time_is_up
	if (cas_acq_rel(&state, &seen, TIMED_OUT))
		return arg;
	if (win(2))
		add_release(&wakes, 1); // (select-wake)
	return arg;
}

static void *selecting(void *arg)
{
	for (int i = 0; i < 2; i++)
		pthread_mutex_lock(&channel[i]);
	model_pause();
	queued[0] = queued[1] = true;
	uint32_t seen = SELECTING;
	// (select-won) as commit
	bool parked = cas_acq_rel(&state, &seen, PARKED);
	for (int i = 0; i < 2; i++)
		pthread_mutex_unlock(&channel[i]);
	// (select-wake) pairs with the wakers
	while (parked && load_acquire(&wakes) == 0)
		model_pause();
	// (select-won)
	uint32_t end = load_acquire(&state);
	assert(parked ? end == WON : end == TIMED_OUT);
	if (parked)
		assert(winner <= 2 && (winner == 2 || value[winner] == 42));
	for (uint32_t i = 0; i < 2; i++) {
		pthread_mutex_lock(&channel[i]); // unlinks the losers
		assert(!(parked && winner == i && queued[i]));
		queued[i] = false;
		pthread_mutex_unlock(&channel[i]);
	}
	return arg;
}

static void one_round(void)
{
	static model_thread *const threads[] = {selecting, first_waker, second_waker, timer};

	queued[0] = queued[1] = false;
	value[0] = value[1] = 0;
	state = SELECTING;
	winner = NOBODY;
	wakes = 0;
	model_run(threads, COUNT_OF(threads));
	assert(wakes <= 1);
	assert(value[0] + value[1] == (winner < 2 ? 42 : 0));
}

int main(void)
{
	model_rounds(one_round);
	return 0;
}
