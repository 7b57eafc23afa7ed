// SPDX-License-Identifier: MIT
/*
 * tuza_now and tuza_sleep. A sleeping goroutine is a timer on its own stack; it is started by the
 * commit of the park, when the goroutine can already be woken.
 */
#include <tuza/time.h>

#include "sched/blocking.h"
#include "sched/park.h"
#include "sched/timer.h"
#include "sys/clock.h"

EXPORT int64_t tuza_now(void) { return clock_now(); }

struct sleeper {
	struct timer timer;
	struct goroutine *g;
	int64_t until;
	int error; // of timer_start
};

static struct goroutine *sleeper_fire(struct timer *t, int64_t now)
{
	(void)now;
	return CONTAINER_OF(t, struct sleeper, timer)->g;
}

static bool sleep_commit(struct goroutine *g, void *arg)
{
	struct sleeper *s = arg;
	int error;

	s->g = g;
	error = timer_start_final(&s->timer, s->until);
	if (likely(error == 0))
		return true; // g may be running again: *s is gone
	s->error = error;
	return false;
}

// Threads are real, in simulated runs as well.
static void sleep_thread(tuza_duration d)
{
	sys_clock_sleep_until(clock_after(sys_clock_now(), d));
}

EXPORT void tuza_sleep(tuza_duration d)
{
	struct goroutine *g;

	if (d <= 0)
		return;
	struct sleeper s = {
		.timer = {.fire = sleeper_fire},
		.until = clock_after(clock_now(), d),
	};
	g = goroutine_current_or_null();
	if (!g || (g->flags & GOROUTINE_THREAD) || blocking_is_inside()) {
		sleep_thread(d);
		return;
	}
	park(sleep_commit, &s, WAIT_SLEEP, NULL);
	if (unlikely(s.error)) {
		// No memory for the timer: the thread sleeps, the processor goes on with others.
		tuza_blocking_begin();
		sleep_thread(d);
		tuza_blocking_end();
	}
}
