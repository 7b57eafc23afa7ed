// SPDX-License-Identifier: MIT
/*
 * Loops over a lock that is always free never park: they hear nevertheless that others want their
 * processor (T3.6), and that the runtime ends (L5).
 */
#include "one_at_a_time.h"
#include "sync_support.h"

#include <unistd.h>

struct loops {
	tuza_mutex mutex; // somebody was woken and is on the way, but never comes
	tuza_semaphore semaphore;
	atomic_int changes, ended, stop;
	struct one_at_a_time turn;
	atomic_long turns;
	atomic_int last; // two may run for a moment
};

static void loop_over_mutex(struct loops *l, int me)
{
	loop_begins(&l->turn, me);
	while (!l->stop) {
		turn_begins(&l->turn, me);
		if (l->last != me)
			l->changes++;
		l->last = me;
		turn_ends(&l->turn, me);
		// Nobody would wake who waits. Only a thread that was stopped keeps it for long.
		while (!tuza_mutex_try_lock(&l->mutex))
			;
		tuza_mutex_unlock(&l->mutex);
	}
	l->ended++;
}

TEST(loops_over_a_mutex_that_somebody_is_on_the_way_to_take_turns_on_one_processor)
{
	static struct loops l;
	int before = tuza_gomaxprocs(1);

	l = (struct loops){.mutex.state = TUZA_MUTEX_WOKEN_, .last = -1};
	for (int i = 0; i < 4; i++)
		TUZA_GO(loop_over_mutex, &l, i);
	WAIT_UNTIL(l.changes > 8);
	l.stop = 1;
	WAIT_UNTIL(l.ended == 4);
	CHECK_EQ(l.turn.at_a_side, 0);
	tuza_gomaxprocs(before);
}

static void loop_over_semaphore(struct loops *l, int me)
{
	while (!l->stop) {
		tuza_semaphore_wait(&l->semaphore, 1);
		if (l->last != me)
			l->changes++;
		l->last = me;
		tuza_semaphore_release(&l->semaphore, 1);
	}
	l->ended++;
}

// The monitor puts whose timer is late where everybody looks, not before those who take turns.
TEST(sleeper_wakes_after_few_turns_of_loops_over_a_free_semaphore)
{
	if (test_is_chaotic()) {
		SKIP("time slices mean nothing in chaos");
		return;
	}
	enum { SLEEPS = 4 };
	static struct loops l;
	int before = tuza_gomaxprocs(1);

	l = (struct loops){.last = -1};
	tuza_semaphore_init(&l.semaphore, 8);
	for (int i = 0; i < 2; i++)
		TUZA_GO(loop_over_semaphore, &l, i);
	for (int i = 0; i < SLEEPS; i++)
		tuza_sleep(100 * TUZA_MICROSECOND);
	CHECK(l.changes < SLEEPS * 20);
	l.stop = 1;
	WAIT_UNTIL(l.ended == 2);
	tuza_gomaxprocs(before);
}

static void use_mutex_for_ever(struct loops *l)
{
	for (;;) {
		tuza_mutex_lock(&l->mutex);
		l->turns++;
		tuza_mutex_unlock(&l->mutex);
	}
}

static void use_semaphore_for_ever(struct loops *l)
{
	for (;;) {
		tuza_semaphore_wait(&l->semaphore, 1);
		l->turns++;
		tuza_semaphore_release(&l->semaphore, 1);
	}
}

static int loop_and_return(void *arg)
{
	struct loops *l = arg;
	long before = l->turns;

	if (l->mutex.state)
		TUZA_GO(use_mutex_for_ever, l);
	else
		TUZA_GO(use_semaphore_for_ever, l);
	WAIT_UNTIL(l->turns > before + 100);
	return 0;
}

static void check_that_it_ends(struct loops *l)
{
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(tuza_run(loop_and_return, l), 0);
		long turns = l->turns;
		usleep(1000);
		if (!CHECK_EQ(l->turns, turns)) // it goes on
			break;
	}
}

TEST_PLAIN(loop_over_a_mutex_that_somebody_is_on_the_way_to_ends_with_the_runtime)
{
	static struct loops l = {.mutex.state = TUZA_MUTEX_WOKEN_};

	check_that_it_ends(&l);
}

TEST_PLAIN(loop_over_a_free_semaphore_ends_with_the_runtime)
{
	static struct loops l;

	tuza_semaphore_init(&l.semaphore, 8);
	check_that_it_ends(&l);
}
