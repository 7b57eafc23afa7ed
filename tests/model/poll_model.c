// SPDX-License-Identifier: MIT
/*
 * Claim: with the transitions of sched/poll_word.h
 *
 *   - no event is lost: who tried an operation in vain before it, and waits, is woken or does not
 *     begin to wait;
 *   - an event of a generation that is over wakes nobody and counts nothing;
 *   - who waits when a generation ends is woken by its end.
 *
 * Two readers try, wait and try again until they have taken what the kernel has put there; a poller
 * passes the kernel's events on; in every other round the descriptor is closed and its number used
 * anew, with the old events still under way.
 */
#include "sched/poll_word.h"
#include "parking.h"

enum { READERS = 2, ITEMS = 2 };

static uint64_t word;
static struct bucket waiters = BUCKET_INIT;
static uint32_t kernel_has; // items that a read would find: atomic, the kernel's
static uint32_t taken;      // atomic
static uint32_t closed;     // atomic: readers that were told so
static uint32_t generation; // of the round; constant in it
static bool closes;         // constant in a round
static uint32_t events;     // atomic: edges that the kernel has reported and the poller not taken
static uint32_t wakes_late; // by events of the old generation

static bool take(uint32_t *from)
{
	uint32_t n = load_relaxed(from); // ordered by the CAS
	while (n != 0)
		// (model-kernel) pairs with give.
		if (cas_acq_rel(from, &n, n - 1))
			return true;
	return false;
}

static void give(uint32_t *to)
{
	add_release(to, 1); // (model-kernel) pairs with take.
}

// As netpoll_event.
static bool event(uint32_t of)
{
	bool woke = false;
	if (poll_word_signal(&word, of, false) != POLL_WAITED)
		return false;
	model_pause();
	pthread_mutex_lock(&waiters.lock);
	if (poll_word_generation(word) == of) {
		woke = waiters.first != NULL;
		bucket_release_all(&waiters);
	} else {
		pthread_mutex_unlock(&waiters.lock);
	}
	return woke;
}

// As netpoll_begin and netpoll_wait around a read.
static void *reader(void *arg)
{
	for (;;) {
		struct waiter w = {.passed = false};
		uint64_t seen = poll_word_see(&word);
		if (poll_word_generation(seen) != generation)
			break;
		if (take(&kernel_has)) {
			add_relaxed(&taken, 1);
			return arg;
		}
		model_pause();
		pthread_mutex_lock(&waiters.lock);
		if (poll_word_generation(word) == generation && poll_word_wait(&word, seen)) {
			bucket_push(&waiters, &w, false);
			bucket_park(&waiters, &w);
		} else {
			pthread_mutex_unlock(&waiters.lock);
		}
	}
	add_relaxed(&closed, 1);
	return arg;
}

static void *kernel(void *arg)
{
	for (int i = 0; i < ITEMS; i++) {
		model_pause();
		give(&kernel_has);
		give(&events);
	}
	return arg;
}

static void *poller(void *arg)
{
	for (int i = 0; i < ITEMS; i++) {
		while (!take(&events))
			model_pause();
		event(generation);
	}
	return arg;
}

// As netpoll_close, and the next user, for whom an event of the last one is no event.
static void *closer(void *arg)
{
	if (!closes)
		return arg;
	model_pause();
	pthread_mutex_lock(&waiters.lock);
	uint32_t next = poll_word_renew(&word);
	bucket_release_all(&waiters);
	assert(next == generation + 1);
	uint64_t seen = poll_word_see(&word);
	if (event(generation))
		add_relaxed(&wakes_late, 1);
	struct waiter w = {.passed = false};
	pthread_mutex_lock(&waiters.lock);
	assert(poll_word_wait(&word, seen)); // nothing has happened to the new one
	bucket_push(&waiters, &w, false);
	pthread_mutex_unlock(&waiters.lock);
	model_pause();
	if (event(generation))
		add_relaxed(&wakes_late, 1);
	assert(!load_relaxed(&w.released));
	assert(event(next));
	// (model-park) as bucket_park
	while (!load_acquire(&w.released))
		model_pause();
	return arg;
}

static void one_round(void)
{
	static model_thread *const threads[] = {reader, reader, kernel, poller, closer};

	closes = !closes;
	// Now and then just before the counter runs over.
	generation++;
	word = (uint64_t)generation << 32 | (generation % 4 ? 0 : UINT32_MAX - 3);
	waiters.first = NULL;
	kernel_has = taken = closed = events = wakes_late = 0;
	model_run(threads, COUNT_OF(threads));
	assert(taken + closed == READERS);
	assert(closes || closed == 0);
	assert(wakes_late == 0);
	assert(poll_word_generation(word) == generation + (closes ? 1 : 0));
	generation++;
}

int main(void)
{
	model_rounds(one_round);
	return 0;
}
