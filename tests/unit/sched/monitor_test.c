// SPDX-License-Identifier: MIT
/*
 * The monitor: timers that nobody else can fire, and how often it looks.
 */
#include "../../test.h"

#include "sched/runtime.h"
#include "sched/timekeeper.h"

#define MS TUZA_MILLISECOND

static int64_t sleeps_until(void) { return load_relaxed(&rt.monitor_until); }

// Another processor has not retired, or was lent because this loop goes on for long.
static bool others_see_to_timers(void)
{
	return load_relaxed(&rt.in_service) != 1 || timekeeper_is_there();
}

// Whether the monitor, which sleeps for long, wakes before that for a timer that is started now.
static bool wakes_for_timer(void)
{
	int64_t before, now;
	bool wakes = false;

	do { // it says how long, looks at the timers, and may say something shorter then
		if (others_see_to_timers())
			return false;
		before = sleeps_until();
		for (now = tuza_now(); tuza_now() < now + MS / 10;)
			;
	} while (sleeps_until() != before || before < now + 8 * MS);
	tuza_timer *timer = tuza_timer_new(3 * MS);
	while (!wakes && tuza_now() < before)
		wakes = sleeps_until() < before;
	tuza_timer_free(timer);
	return wakes;
}

// golang/go#38860. A busy machine may not let it run so soon, for a while. One that is not roused
// never is.
TEST(monitor_wakes_in_time_for_a_timer_that_is_started_while_all_are_busy)
{
	int before = tuza_gomaxprocs(1);

	WAIT_UNTIL(wakes_for_timer());
	tuza_gomaxprocs(before);
}

// How often the monitor's thread, the one that called tuza_run, has gone to sleep.
static long monitor_sleeps(void)
{
	char name[64], line[256];
	long count = -1;

	snprintf(name, sizeof name, "/proc/self/task/%d/status", rt.run_thread);
	FILE *f = fopen(name, "re");
	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, "voluntary_ctxt_switches:", 24) == 0)
			count = strtol(line + 24, NULL, 10);
	if (f)
		fclose(f);
	return count;
}

// As a server with one client does, for which it was woken each time, to look a dozen times. A busy
// machine may disturb; but beside 28 busy loops on 4 CPUs it did so none of 100 times, so that ten
// in a row are no chance.
TEST(monitor_looks_seldom_while_a_program_does_a_little_now_and_then)
{
	enum { TIMES = 100, MOST_IN_A_MS = 3 };
	int before = tuza_gomaxprocs(1);
	int64_t start, most;
	int tries = 0;
	long looks;

	do {
		looks = -monitor_sleeps();
		start = tuza_now();
		for (int i = 0; i < TIMES; i++)
			tuza_sleep(MS);
		looks += monitor_sleeps();
		most = MOST_IN_A_MS * (tuza_now() - start) / MS;
	} while (looks > most && ++tries < 10);
	CHECK(looks > 0);
	if (!CHECK(looks <= most))
		printf("  %ld looks, %d for each of %d times are enough\n", looks, MOST_IN_A_MS,
			TIMES);
	tuza_gomaxprocs(before);
}
