// SPDX-License-Identifier: MIT
/*
 * Runs that end at a random moment of what they do, one after the other: nothing that a run left
 * behind disturbs the next. Checklist 50. And a runtime that falls asleep and is woken from
 * outside, checklist 3.
 */
#include "stress.h"

#include <tuza/sync.h>

static struct objects {
	tuza_chan *c, *d;
	tuza_mutex mutex;
	tuza_waitgroup wg;
} objects;

static void wait_somehow(uint64_t random)
{
	for (;;)
		switch (test_random(&random) % 8) {
		case 0:
			tuza_chan_recv(objects.c, NULL);
			break;
		case 1:
			tuza_chan_try_send(objects.c, NULL);
			break;
		case 2:
			(void)TUZA_SELECT(TUZA_RECV(objects.c, NULL), TUZA_SEND(objects.d, NULL),
				TUZA_AFTER(TUZA_MILLISECOND));
			break;
		case 3:
			tuza_mutex_lock(&objects.mutex);
			tuza_yield();
			tuza_mutex_unlock(&objects.mutex);
			break;
		case 4:
			tuza_sleep((int64_t)(test_random(&random) % 200000));
			break;
		case 5:
			tuza_blocking_begin();
			usleep(20);
			tuza_blocking_end();
			break;
		case 6:
			if (test_random(&random) % 16 == 0)
				tuza_waitgroup_wait(&objects.wg);
			break;
		default:
			tuza_yield();
		}
}

static int end_at_random(void *arg)
{
	uint64_t random = *(uint64_t *)arg;

	tuza_waitgroup_add(&objects.wg, 1);
	for (int i = 0; i < 30; i++)
		TUZA_GO(wait_somehow, test_random(&random));
	if (test_random(&random) % 4)
		// tuza-vet: ignore sleepwait, it leaves them behind
		tuza_sleep((int64_t)(test_random(&random) % 1000000));
	return 7;
}

static int check_objects(void *arg)
{
	(void)arg;
	CHECK_EQ(tuza_chan_try_send(objects.c, NULL), -EAGAIN);
	CHECK_EQ(tuza_chan_try_recv(objects.d, NULL), -EAGAIN);
	CHECK_EQ(tuza_num_goroutine(), 1);
	return 8;
}

TEST_PLAIN(runs_that_end_at_any_moment_leave_nothing)
{
	uint64_t seed = test_seed();
	int64_t end = test_stress_end();

	do {
		uint64_t random = test_random(&seed);

		memset(&objects, 0, sizeof(objects));
		objects.c = tuza_chan_new(0, 0);
		objects.d = tuza_chan_new(0, 0);
		CHECK_EQ(tuza_run(end_at_random, &random), 7);
		CHECK_EQ(tuza_run(check_objects, NULL), 8);
		tuza_chan_release(objects.c);
		tuza_chan_release(objects.d);
	} while (tuza_now() < end && !test_failures);
}

static void echo(tuza_chan *in, tuza_chan *out)
{
	int v;

	while (tuza_recv(in, &v)) {
		tuza_yield();
		tuza_send(out, v);
	}
	tuza_chan_close(out);
}

// With pauses of random length, so that each state of falling asleep is met.
TEST_PLAIN(wake_up_from_outside_is_never_lost)
{
	uint64_t seed = test_seed();
	int64_t end = test_stress_end(), longest = 0;
	tuza_chan *in = tuza_chan_new(sizeof(int), 0), *out = tuza_chan_new(sizeof(int), 0);
	int n = 0, v;

	TUZA_GO(echo, in, out);
	for (; tuza_now() < end; n++) {
		int64_t pause = (int64_t)(test_random(&seed) % 60000), start = tuza_now();

		while (tuza_now() - start < pause)
			;
		start = tuza_now();
		tuza_send(in, n);
		CHECK(tuza_recv(out, &v) && v == n);
		if (tuza_now() - start > longest)
			longest = tuza_now() - start;
	}
	// One that is lost is found when idle threads end, after 5 s.
	if (!CHECK(longest < 4 * TUZA_SECOND))
		printf("  %lld us\n", (long long)longest / 1000);
	tuza_chan_close(in);
	CHECK(!tuza_recv(out, &v));
	tuza_chan_release(in);
	tuza_chan_release(out);
}
