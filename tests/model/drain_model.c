// SPDX-License-Identifier: MIT
/*
 * Claim: with sched/poll_word.h, a reader that does not try again after a short read, until there
 * was an event since before that read, still reads everything up to the end.
 *
 * A stream of bytes and an end; a kernel with one flag for "has changed since it was last asked",
 * so that changes run together, and whose answer says whether the end has come by the time it is
 * given; a poller that asks and passes the answer on; and a reader that asks for more bytes than
 * come at once, or just as many. Bytes and end may come before any of it has run; or the end waits
 * until all else was read.
 */
#include "sched/poll_word.h"
#include "parking.h"

enum { BYTES = 3, GENERATION = 7 };

static uint64_t word;
static struct bucket waiters = BUCKET_INIT;
// the kernel's: guarded by lock
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t bytes;
static bool ended, changed;
// the reader's
static uint32_t taken; // atomic
static uint32_t tries;
static uint32_t finished; // atomic: the reader has seen the end
static bool waits;        // constant in a round: the end comes only when all was read

static void *peer(void *arg)
{
	for (int i = 0; i <= BYTES; i++) {
		model_pause();
		while (i == BYTES && waits && load_relaxed(&taken) < BYTES) // no more than that
			model_pause();
		pthread_mutex_lock(&lock);
		if (i < BYTES)
			bytes++;
		else
			ended = true;
		changed = true;
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

// As netpoll_event.
static void *poller(void *arg)
{
	// Ordered by nothing: one answer too many does no harm.
	while (!load_relaxed(&finished)) {
		pthread_mutex_lock(&lock);
		bool any = changed, end = ended;
		changed = false;
		pthread_mutex_unlock(&lock);
		model_pause();
		if (!any)
			continue;
		if (poll_word_signal(&word, GENERATION, end) != POLL_WAITED)
			continue;
		pthread_mutex_lock(&waiters.lock);
		bucket_release_all(&waiters);
	}
	return arg;
}

// 0: the end; -1: nothing there.
static int try_to_read(uint32_t most)
{
	pthread_mutex_lock(&lock);
	int n = bytes ? (int)(bytes < most ? bytes : most) : ended ? 0 : -1;
	if (n > 0)
		bytes -= (uint32_t)n;
	pthread_mutex_unlock(&lock);
	tries++;
	return n;
}

// As socket_read.
static int read_some(uint64_t *drained, uint32_t most)
{
	for (;;) {
		struct waiter w = {.passed = false};
		uint64_t seen = poll_word_see(&word);
		model_pause();
		int n = poll_word_is_drained(*drained, seen) ? -1 : try_to_read(most);
		if (n >= 0) {
			*drained = n > 0 && (uint32_t)n < most ? seen : POLL_WORD_NONE;
			return n;
		}
		model_pause();
		pthread_mutex_lock(&waiters.lock);
		if (poll_word_wait(&word, seen)) {
			bucket_push(&waiters, &w, false);
			bucket_park(&waiters, &w);
		} else {
			pthread_mutex_unlock(&waiters.lock);
		}
	}
}

static void *reader(void *arg)
{
	uint64_t drained = POLL_WORD_NONE;
	int n;

	for (uint32_t most = 2; (n = read_some(&drained, most)) > 0; most ^= 3)
		add_relaxed(&taken, (uint32_t)n); // for whoever waits
	store_relaxed(&finished, 1);              // ends the poller, no more
	return arg;
}

static void one_round(void)
{
	static model_thread *const threads[] = {peer, poller, reader};
	static bool at_end_of_count;

	at_end_of_count = !at_end_of_count;
	waits = at_end_of_count ? waits : !waits;
	word = (uint64_t)GENERATION << 32 | (at_end_of_count ? UINT32_MAX - 7 : 0);
	waiters.first = NULL;
	bytes = taken = tries = finished = 0;
	ended = changed = false;
	model_run(threads, COUNT_OF(threads));
	assert(taken == BYTES);
	assert(poll_word_generation(word) == GENERATION);
	// Each answer, and each read that took something, is good for one try; and one at first.
	assert(tries <= 1 + 2 * (BYTES + 1) + BYTES);
}

int main(void)
{
	model_rounds(one_round);
	return 0;
}
