// SPDX-License-Identifier: MIT
/*
 * Random senders and receivers, goroutines and threads, on channels of random capacity and size, in
 * every form of sending and receiving. Every value arrives once and whole, and everybody ends.
 */
#include "stress.h"

#include <pthread.h>

enum {
	CHANNELS_MAX = 6,
	SENDERS_MAX = 12,
	RECEIVERS_MAX = 12,
	THREADS_MAX = 3, // of each kind
	WORDS_MAX = 12,
};

// What travels: words derived from the first, so that a torn value shows.
struct value {
	uint64_t words[WORDS_MAX];
};

static struct stage {
	tuza_chan *chans[CHANNELS_MAX];
	int channels, words, sends;
	atomic_ullong sent, received, sent_sum, received_sum, torn;
	atomic_int senders, receivers; // that have not ended
} stage;

static void fill(struct value *v, uint64_t id)
{
	for (int i = 0; i < stage.words; i++)
		v->words[i] = id * (uint64_t)(2 * i + 1) + (uint64_t)i;
}

static void note_received(const struct value *v)
{
	struct value want;

	fill(&want, v->words[0]);
	if (memcmp(&want, v, (size_t)stage.words * 8) != 0)
		atomic_fetch_add(&stage.torn, 1);
	atomic_fetch_add(&stage.received, 1);
	atomic_fetch_add(&stage.received_sum, v->words[0]);
}

static tuza_chan *any_chan(uint64_t *random)
{
	return stage.chans[test_random(random) % (unsigned)stage.channels];
}

static tuza_select_case case_of(bool send, tuza_chan *c, struct value *v, bool *ok)
{
	tuza_select_case made =
		send ? TUZA_SEND(c, &v->words[0]) : TUZA_RECV_OK(c, &v->words[0], ok);

	made.bytes = (uint32_t)(stage.words * 8);
	return made;
}

static void send_one(uint64_t id, uint64_t *random)
{
	struct value v;
	tuza_select_case cases[4];
	unsigned n = 1 + (unsigned)(test_random(random) % 3);

	fill(&v, id);
	switch (test_random(random) % 5) {
	case 0:
		while (tuza_chan_try_send(any_chan(random), &v) != 0)
			tuza_yield();
		break;
	case 1:
	case 2:
		tuza_chan_send(any_chan(random), &v);
		break;
	case 3:
		for (unsigned i = 0; i < n; i++)
			cases[i] = case_of(true, any_chan(random), &v, NULL);
		tuza_select(cases, n);
		break;
	case 4:
		for (unsigned i = 0; i < n; i++)
			cases[i] = case_of(true, any_chan(random), &v, NULL);
		cases[n] = TUZA_AFTER((int64_t)(test_random(random) % 20000));
		while (tuza_select(cases, n + 1) == (int)n)
			;
		break;
	}
	atomic_fetch_add(&stage.sent, 1);
	atomic_fetch_add(&stage.sent_sum, id);
}

static void run_sender(uint64_t seed)
{
	for (int i = 0; i < stage.sends; i++) {
		send_one(test_random(&seed) >> 8, &seed);
		if (test_random(&seed) % 32 == 0)
			tuza_yield();
	}
	atomic_fetch_sub(&stage.senders, 1);
}

// Selects over all channels until each is closed and drained.
static void receive_by_select(uint64_t *random)
{
	tuza_chan *left[CHANNELS_MAX];
	int open = stage.channels;

	memcpy(left, stage.chans, sizeof(left));
	while (open > 0) {
		tuza_select_case cases[CHANNELS_MAX + 1];
		struct value v;
		bool ok = false;
		unsigned n = (unsigned)stage.channels;

		for (unsigned i = 0; i < n; i++)
			cases[i] = case_of(false, left[i], &v, &ok);
		switch (test_random(random) % 3) {
		case 0:
			cases[n++] = TUZA_DEFAULT;
			break;
		case 1:
			cases[n++] = TUZA_AFTER((int64_t)(test_random(random) % 20000));
			break;
		}
		int i = test_random(random) % 4 ? tuza_select(cases, n)
						: tuza_select_ordered(cases, n);
		if (i == stage.channels) {
			tuza_yield();
		} else if (ok) {
			note_received(&v);
		} else {
			left[i] = NULL;
			open--;
		}
	}
}

// `which` below the number of channels: that channel alone, plainly, so that each has a receiver
// for sure.
static void run_receiver(int which, uint64_t seed)
{
	struct value v;

	if (which < stage.channels) {
		while (tuza_chan_recv(stage.chans[which], &v))
			note_received(&v);
	} else {
		receive_by_select(&seed);
	}
	atomic_fetch_sub(&stage.receivers, 1);
}

static void *thread_sender(void *seed)
{
	run_sender(*(uint64_t *)seed);
	return NULL;
}

static void *thread_receiver(void *seed)
{
	run_receiver(CHANNELS_MAX, *(uint64_t *)seed);
	return NULL;
}

static void run_round(uint64_t *random)
{
	pthread_t threads[2 * THREADS_MAX];
	uint64_t seeds[2 * THREADS_MAX];
	int pairs = (int)(test_random(random) % (THREADS_MAX + 1));
	int senders = 1 + (int)(test_random(random) % SENDERS_MAX);

	memset(&stage, 0, sizeof(stage));
	stage.channels = 1 + (int)(test_random(random) % CHANNELS_MAX);
	int receivers =
		stage.channels + (int)(test_random(random) % (RECEIVERS_MAX - CHANNELS_MAX));
	stage.words = 1 + (int)(test_random(random) % WORDS_MAX);
	stage.sends = 20 + (int)(test_random(random) % 300);
	for (int i = 0; i < stage.channels; i++)
		stage.chans[i] = test_random(random) % 8 == 0
					 ? tuza_chan_new_unbounded((size_t)stage.words * 8)
					 : tuza_chan_new((size_t)stage.words * 8,
						   (size_t)(test_random(random) % 5));
	stage.senders = senders + pairs;
	stage.receivers = receivers + pairs;
	for (int i = 0; i < receivers; i++)
		TUZA_GO(run_receiver, i, test_random(random));
	for (int i = 0; i < pairs; i++) {
		seeds[2 * i] = test_random(random);
		seeds[2 * i + 1] = test_random(random);
		pthread_create(&threads[2 * i], NULL, thread_sender, &seeds[2 * i]);
		pthread_create(&threads[2 * i + 1], NULL, thread_receiver, &seeds[2 * i + 1]);
	}
	for (int i = 0; i < senders; i++)
		TUZA_GO(run_sender, test_random(random));
	WAIT_UNTIL(stage.senders == 0);
	for (int i = 0; i < stage.channels; i++)
		tuza_chan_close(stage.chans[i]);
	WAIT_UNTIL(stage.receivers == 0);
	tuza_blocking_begin();
	for (int i = 0; i < 2 * pairs; i++)
		pthread_join(threads[i], NULL);
	tuza_blocking_end();
	CHECK(stage.sent == stage.received);
	CHECK(stage.sent_sum == stage.received_sum);
	CHECK(stage.torn == 0);
	for (int i = 0; i < stage.channels; i++) {
		CHECK_EQ(tuza_chan_len(stage.chans[i]), 0);
		tuza_chan_release(stage.chans[i]);
	}
}

TEST(random_senders_and_receivers_lose_and_tear_nothing)
{
	uint64_t seed = test_seed();
	int64_t end = test_stress_end();

	do
		run_round(&seed);
	while (tuza_now() < end && !test_failures);
}
