// SPDX-License-Identifier: MIT
/*
 * The list of those who share SIGPROF.
 */
#include "test.h"

#include "debug/profile_signal.h"

#include <pthread.h>
#include <sched.h>

enum { SIGNALS = 300, THREADS = 4 };

static struct profile_signal signals[SIGNALS];
static atomic_int next_round;

static void *use_all(void *arg)
{
	(void)arg;
	for (int i = 0; i < SIGNALS; i++) {
		atomic_fetch_add(&next_round, 1);
		while (atomic_load(&next_round) < (i + 1) * THREADS)
			sched_yield(); // all at the same one
		CHECK_EQ(profile_signal_use(&signals[i]), 0);
	}
	return NULL;
}

// O30: of several that make one known at the same time one puts it on the list. Were it there
// twice, the list would be a circle, and the look for another would not end.
TEST_PLAIN(each_is_on_the_list_once)
{
	static struct profile_signal last;
	pthread_t thread[THREADS];
	int listed = 0;

	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, use_all, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	CHECK_EQ(profile_signal_use(&last), 0);
	for (const struct profile_signal *s = &last; s && listed <= SIGNALS; s = s->next)
		listed++;
	CHECK_EQ(listed, SIGNALS + 1);
}
