// SPDX-License-Identifier: MIT
/*
 * Machines that look for work are counted: while one looks nobody is woken for work, and while one
 * is counted that does not look, nobody ever is.
 */
#include "../../test.h"

#include "sched/runtime.h"

#include <time.h>

enum { EACH = 6, TURNS = 150 };

static atomic_int left;

static void in_sections(void)
{
	for (int i = 0; i < TURNS; i++) {
		struct timespec t = {0, 30000 + i % 7 * 20000};

		tuza_blocking_begin();
		nanosleep(&t, NULL);
		tuza_blocking_end();
		if (i % 3 == 0)
			tuza_sleep(i % 50 * TUZA_MICROSECOND);
	}
	atomic_fetch_sub(&left, 1);
}

static void sleeps(void)
{
	for (int i = 0; i < TURNS; i++)
		tuza_sleep(i % 100 * TUZA_MICROSECOND);
	atomic_fetch_sub(&left, 1);
}

static int sleep_and_wake(void *unused)
{
	(void)unused;
	atomic_store(&left, 2 * EACH);
	for (int i = 0; i < EACH; i++) {
		TUZA_GO(in_sections);
		TUZA_GO(sleeps);
	}
	// Awake: the look at the count is to find nobody but this goroutine.
	tuza_blocking_begin();
	while (atomic_load(&left) != 0)
		usleep(1000);
	for (int ms = 0; load_seq_cst(&rt.spinning) != 0 && ms < 20000; ms++)
		usleep(1000);
	CHECK_EQ(load_seq_cst(&rt.spinning), 0);
	tuza_blocking_end();
	return 0;
}

// Machines go to sleep while others leave their processors behind, which are handed on.
TEST_PLAIN(machine_that_is_handed_a_processor_as_it_goes_to_sleep_looks_no_more)
{
	setenv("TUZA_DEBUG", "chaos", 1); // where it may stand still: there
	setenv("TUZA_MAXPROCS", "4", 1);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(tuza_run(sleep_and_wake, NULL), 0);
}
