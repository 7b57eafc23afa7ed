// SPDX-License-Identifier: MIT
/*
 * Everything at once, from goroutines and plain threads: what one part of the runtime does to
 * another shows here. Sums come out, each thing happens once, order is kept, and nobody sleeps for
 * ever: the harness shows every goroutine when the test does not end.
 */
#define _GNU_SOURCE
#include "everything_work.h"

enum { WORKERS = 24, PAIRS = 4, PRODUCERS = 4 };

// ---- those who wait without a limit: nobody may be forgotten -----------------------------------

struct pair {
	tuza_chan *there, *back;
	tuza_mutex lock;
	tuza_cond changed;
	int turn; // under the lock
	bool is_over;
};

static void answer(struct pair *p, tuza_waitgroup *group)
{
	int v;

	TUZA_DEFER(tuza_waitgroup_done, group);
	while (tuza_recv(p->there, &v)) {
		TUZA_LOCK(&p->lock);
		while (p->turn != v)
			tuza_cond_wait(&p->changed, &p->lock);
		p->turn = -v;
		tuza_cond_signal(&p->changed);
		if (v % 3)
			tuza_send(p->back, v);
	}
}

static void ask(struct pair *p, tuza_waitgroup *group)
{
	int back;

	TUZA_DEFER(tuza_waitgroup_done, group);
	for (int v = 1; !is_over(); v++) {
		tuza_send(p->there, v);
		tuza_mutex_lock(&p->lock);
		p->turn = v;
		tuza_cond_broadcast(&p->changed);
		tuza_mutex_unlock(&p->lock);
		if (v % 3) {
			tuza_recv(p->back, &back);
			CHECK_EQ(back, v);
		}
		tuza_mutex_lock(&p->lock);
		while (p->turn != -v)
			tuza_cond_wait(&p->changed, &p->lock);
		tuza_mutex_unlock(&p->lock);
		if (v % 32 == 0) // leaves the processor to others
			tuza_sleep(100 * TUZA_MICROSECOND);
	}
	tuza_chan_close(p->there);
}

struct message {
	int producer, number;
};

static void produce(tuza_chan *c, int producer, tuza_waitgroup *group)
{
	TUZA_DEFER(tuza_waitgroup_done, group);
	for (int i = 0; !is_over(); i++) {
		tuza_send(c, ((struct message){producer, i}));
		if (i % 32 == 31)
			tuza_sleep(100 * TUZA_MICROSECOND);
	}
}

static void consume(tuza_chan *c, tuza_waitgroup *group)
{
	int next[PRODUCERS] = {0};
	struct message m;

	TUZA_DEFER(tuza_waitgroup_done, group);
	while (tuza_recv(c, &m)) {
		if (!CHECK_EQ(m.number, next[m.producer]))
			break;
		next[m.producer]++;
	}
}

// ---- all of it ---------------------------------------------------------------------------------

static void begin(void)
{
	char text[1000];

	tuza_stack(text, sizeof(text)); // reads the names of functions, which takes long, in peace
	end = test_stress_end();
	root = tuza_context_with_cancel(tuza_context_background());
	key = tuza_local_new((void (*)(void *))note);
	tuza_semaphore_init(&semaphore, 3);
	for (int i = 0; i < CHANNELS; i++)
		channels[i] = i == 3 ? tuza_chan_new_unbounded(sizeof(int))
				     : tuza_chan_new(sizeof(int), (size_t)i * 4);
}

static void check_sums(void)
{
	int v;

	for (int i = 0; i < CHANNELS; i++) {
		while (tuza_chan_try_recv(channels[i], &v) == 0)
			atomic_fetch_add(&received, v);
		tuza_chan_release(channels[i]);
	}
	CHECK_EQ(received, sent);
	CHECK_EQ(under_mutex, mutex_locked);
	CHECK_EQ(under_rwmutex, rwmutex_locked);
	CHECK_EQ(under_semaphore, semaphore_locked);
	WAIT_UNTIL(dead == born);
	WAIT_UNTIL(calls_made == calls_due);
	WAIT_UNTIL(values_destroyed == values_set);
	CHECK_EQ(defers_made, defers_due);
	printf("  %lld born, %lld calls, %lld sent, %lld locked\n", (long long)born,
		(long long)calls_made, (long long)sent, (long long)mutex_locked);
}

static void finish(void)
{
	tuza_local_free(key);
	tuza_map_free(&map);
	tuza_context_free(root);
	tuza_set_block_profile_rate(0);
	tuza_set_mutex_profile_fraction(0);
}

TEST(everything_at_once)
{
	uint64_t seed = test_seed();
	tuza_waitgroup group = {0}, producers = {0}, consumers = {0};
	tuza_chan *signals = tuza_chan_new(sizeof(int), 1);
	tuza_chan *line = tuza_chan_new(sizeof(struct message), seed % 3 * 5);
	struct pair pairs[PAIRS] = {{0}};
	struct worker threads[2];
	pthread_t thread[2];
	int number = 0;

	begin();
	tuza_signal_notify(signals, SIGUSR1);

	for (int i = 0; i < 2; i++) {
		threads[i] = (struct worker){test_random(&seed), number++};
		pthread_create(&thread[i], NULL, work_on_thread, &threads[i]);
	}
	tuza_waitgroup_add(&group, WORKERS - 2 + 2 * PAIRS);
	while (number < WORKERS) {
		struct worker w = {test_random(&seed), number++};

		TUZA_GO(work, w, &group);
	}
	for (int i = 0; i < PAIRS; i++) {
		pairs[i].there = tuza_chan_new(sizeof(int), (size_t)i % 2);
		pairs[i].back = tuza_chan_new(sizeof(int), 0);
		TUZA_GO(answer, &pairs[i], &group);
		TUZA_GO(ask, &pairs[i], &group);
	}
	tuza_waitgroup_add(&producers, PRODUCERS);
	for (int i = 0; i < PRODUCERS; i++)
		TUZA_GO(produce, line, i, &producers);
	tuza_waitgroup_add(&consumers, 1);
	TUZA_GO(consume, line, &consumers);

	tuza_waitgroup_wait(&producers);
	tuza_chan_close(line);
	tuza_waitgroup_wait(&consumers);
	tuza_waitgroup_wait(&group);
	tuza_blocking_begin();
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	tuza_blocking_end();
	tuza_signal_stop(signals);

	check_sums();
	for (int i = 0; i < PAIRS; i++) {
		tuza_chan_release(pairs[i].there);
		tuza_chan_release(pairs[i].back);
	}
	tuza_chan_release(line);
	tuza_chan_release(signals);
	finish();
}
