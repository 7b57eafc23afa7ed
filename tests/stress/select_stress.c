// SPDX-License-Identifier: MIT
/*
 * Selects that time out, are closed and lose to each other, all at the same time. What a select
 * says that it did is what happened: values sent, values received and values still in buffers add
 * up.
 */
#include "stress.h"

enum { CHANNELS = 4, SELECTORS = 16, CASES_MAX = 6 };

static struct stage {
	tuza_chan *chans[CHANNELS];
	atomic_ullong sent_sum, received_sum;
	atomic_int left;
	int selects;
} stage;

struct selector {
	uint64_t random;
	tuza_select_case cases[CASES_MAX];
	uint64_t values[CASES_MAX];
	bool oks[CASES_MAX];
	bool sends[CASES_MAX];
	int n, last; // the number of cases, the result
};

static void do_select(void *arg)
{
	struct selector *s = arg;

	s->last = test_random(&s->random) % 8 ? tuza_select(s->cases, (size_t)s->n)
					      : tuza_select_ordered(s->cases, (size_t)s->n);
}

static void select_once(struct selector *s)
{
	int channel_cases = 1 + (int)(test_random(&s->random) % (CASES_MAX - 1));

	for (int i = 0; i < channel_cases; i++) {
		tuza_chan *c = stage.chans[test_random(&s->random) % CHANNELS];

		s->sends[i] = test_random(&s->random) % 2;
		s->oks[i] = false;
		s->values[i] = s->sends[i] ? test_random(&s->random) >> 16 : 77;
		s->cases[i] = s->sends[i] ? TUZA_SEND(c, &s->values[i])
					  : TUZA_RECV_OK(c, &s->values[i], &s->oks[i]);
	}
	s->n = channel_cases + 1;
	s->cases[channel_cases] = test_random(&s->random) % 4
					  ? TUZA_AFTER((int64_t)(test_random(&s->random) % 50000))
					  : TUZA_DEFAULT;
	s->last = -1;
	// A send on a channel that was closed panics, and then nothing was done.
	if (tuza_try(do_select, s, NULL) != 0 || s->last == channel_cases)
		return;
	if (!CHECK(s->last >= 0 && s->last < channel_cases))
		return;
	if (s->sends[s->last])
		atomic_fetch_add(&stage.sent_sum, s->values[s->last]);
	else if (s->oks[s->last])
		atomic_fetch_add(&stage.received_sum, s->values[s->last]);
	else
		CHECK(s->values[s->last] == 0);
	for (int i = 0; i < channel_cases; i++)
		if (i != s->last && !s->sends[i])
			CHECK(s->values[i] == 77 && !s->oks[i]);
}

static void run_selector(uint64_t seed)
{
	struct selector s = {.random = seed};

	for (int i = 0; i < stage.selects; i++)
		select_once(&s);
	atomic_fetch_sub(&stage.left, 1);
}

static void close_late(tuza_chan *c, int64_t delay)
{
	tuza_sleep(delay);
	tuza_chan_close(c);
	tuza_chan_release(c);
	atomic_fetch_sub(&stage.left, 1);
}

static void run_round(uint64_t *random)
{
	uint64_t in_buffers = 0, v;

	memset(&stage, 0, sizeof(stage));
	stage.selects = 50 + (int)(test_random(random) % 200);
	stage.left = SELECTORS;
	for (int i = 0; i < CHANNELS; i++) {
		stage.chans[i] = tuza_chan_new(sizeof(uint64_t), (size_t)(test_random(random) % 3));
		if (test_random(random) % 3 == 0) {
			atomic_fetch_add(&stage.left, 1);
			TUZA_GO(close_late, tuza_chan_retain(stage.chans[i]),
				(int64_t)(test_random(random) % 3000000));
		}
	}
	for (int i = 0; i < SELECTORS; i++)
		TUZA_GO(run_selector, test_random(random));
	WAIT_UNTIL(stage.left == 0);
	for (int i = 0; i < CHANNELS; i++) {
		while (tuza_chan_try_recv(stage.chans[i], &v) == 0)
			in_buffers += v;
		tuza_chan_release(stage.chans[i]);
	}
	CHECK(stage.sent_sum == stage.received_sum + in_buffers);
}

// Checklist 16–19, 21.
TEST(selects_do_what_they_say_whatever_comes_between)
{
	uint64_t seed = test_seed();
	int64_t end = test_stress_end();

	do
		run_round(&seed);
	while (tuza_now() < end && !test_failures);
}
