// SPDX-License-Identifier: MIT
/*
 * The monitor and timers that nobody else can fire.
 */
#include "../../test.h"

#include "sched/runtime.h"

#define MS TUZA_MILLISECOND

static int64_t sleeps_until(void) { return load_relaxed(&rt.monitor_until); }

// Whether the monitor, which sleeps for long, wakes before that for a timer that is started now.
static bool wakes_for_timer(void)
{
	int64_t before, now;
	bool wakes = false;

	do {
		before = sleeps_until();
		now = tuza_now();
	} while (before < now + 8 * MS);
	tuza_timer *timer = tuza_timer_new(3 * MS);
	while (!wakes && tuza_now() < before)
		wakes = sleeps_until() < before;
	tuza_timer_free(timer);
	return wakes;
}

// golang/go#38860. A busy machine may not let it run so soon, for a while.
TEST(monitor_wakes_in_time_for_a_timer_that_is_started_while_all_are_busy)
{
	int before = tuza_gomaxprocs(1);
	int64_t end = tuza_now() + 15 * TUZA_SECOND;
	bool wakes;

	tuza_yield(); // the others have retired
	do
		wakes = wakes_for_timer();
	while (!wakes && tuza_now() < end);
	CHECK(wakes);
	tuza_gomaxprocs(before);
}
