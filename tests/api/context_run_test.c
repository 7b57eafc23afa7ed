// SPDX-License-Identifier: MIT
/*
 * Deadlines of contexts that plain threads wait for while runs begin and end.
 */
#include "../test.h"

#include <pthread.h>
#include <tuza/context.h>

static atomic_bool over;

static void *wait_for_deadlines(void *arg)
{
	(void)arg;
	while (!atomic_load(&over)) {
		tuza_context *ctx = tuza_context_with_timeout(
			tuza_context_background(), 100 * TUZA_MICROSECOND);

		tuza_chan_recv(tuza_context_done(ctx), NULL);
		CHECK_EQ(tuza_context_err(ctx), -ETIMEDOUT);
		tuza_context_free(ctx);
	}
	return NULL;
}

static int run_shortly(void *arg)
{
	tuza_sleep(*(int *)arg % 7 * 50 * TUZA_MICROSECOND);
	return 0;
}

// X7: also when the run ends between the deadline and the end of the context.
TEST_PLAIN(a_deadline_that_comes_as_a_run_ends_is_not_lost)
{
	int64_t end = tuza_now() + 2 * TUZA_SECOND;
	pthread_t thread[2];

	atomic_store(&over, false);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, wait_for_deadlines, NULL), 0);
	for (int i = 0; i < 300 && tuza_now() < end; i++)
		CHECK_EQ(tuza_run(run_shortly, &i), 0);
	atomic_store(&over, true);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	WAIT_UNTIL(tuza_shutdown() == 0);
}
