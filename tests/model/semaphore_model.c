// SPDX-License-Identifier: MIT
/*
 * Claim: with the transitions of sync/semaphore_state.h never more is taken than there is, who got
 * units comes after those who gave them back, nobody passes those who wait, and nobody waits for
 * ever: three threads take one, two and all three of three units, in turn.
 */
#include "sync/semaphore_state.h"
#include "parking.h"

#define THREADS 3
#ifdef MODEL_CHECKER
#define TURNS 1
#else
#define TURNS 20
#endif
#define SIZE 3

struct request {
	struct waiter waiter;
	int64_t weight;
};

static struct bucket bucket = BUCKET_INIT;
static int64_t state;
static int64_t taken;         // atomic
static int64_t owners[SIZE];  // plain: an owner of all units writes, every other one reads
static int64_t served, asked; // guarded by the bucket's lock: tickets of those who wait

// tuza_semaphore_wait.
static void take(int64_t n)
{
	struct request r = {.weight = n};

	while (!semaphore_state_take(&state, n)) {
		pthread_mutex_lock(&bucket.lock);
		if (semaphore_state_park(&state, n)) {
			asked++;
			bucket_push(&bucket, &r.waiter, false);
			bucket_park(&bucket, &r.waiter);
			return;
		}
		pthread_mutex_unlock(&bucket.lock);
	}
}

// tuza_semaphore_release.
static void give(int64_t n)
{
	struct waiter *list = NULL, **tail = &list;
	enum semaphore_given given;

	while ((given = semaphore_state_give(&state, n, SIZE)) == SEMAPHORE_CROWDED) {
		pthread_mutex_lock(&bucket.lock);
		if (!(load_relaxed(&state) & SEMAPHORE_WAITING)) {
			pthread_mutex_unlock(&bucket.lock);
			continue;
		}
		int64_t available = semaphore_state_free(&state) + n;
		while (bucket.first && ((struct request *)bucket.first)->weight <= available) {
			available -= ((struct request *)bucket.first)->weight;
			*tail = bucket_pop(&bucket);
			tail = &(*tail)->next;
			served++;
		}
		*tail = NULL;
		semaphore_state_settle(&state, available, bucket.first != NULL);
		model_pause();
		pthread_mutex_unlock(&bucket.lock);
		while (list) {
			struct waiter *w = list;
			list = w->next;
			waiter_release(w);
		}
		return;
	}
	assert(given == SEMAPHORE_GIVEN);
}

static void *turns(void *arg)
{
	int64_t n = (intptr_t)arg + 1;

	for (int i = 0; i < TURNS; i++) {
		take(n);
		assert(add_relaxed(&taken, n) + n <= SIZE);
		for (int k = 0; k < SIZE; k++)
			if (n == SIZE)
				owners[k]++;
			else
				assert(owners[k] == owners[0]);
		model_pause();
		sub_relaxed(&taken, n);
		give(n);
		model_pause();
	}
	return NULL;
}

static void one_round(void)
{
	static model_thread *const threads[THREADS] = {turns, turns, turns};

	state = SIZE * SEMAPHORE_ONE;
	taken = served = asked = 0;
	for (int k = 0; k < SIZE; k++)
		owners[k] = 0;
	model_run(threads, THREADS);
	assert(state == SIZE * SEMAPHORE_ONE);
	assert(owners[SIZE - 1] == TURNS);
	assert(served == asked && !bucket.first);
}

int main(void)
{
	model_rounds(one_round);
	return 0;
}
