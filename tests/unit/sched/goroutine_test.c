// SPDX-License-Identifier: MIT
// Making goroutines where no memory may be taken: under a runtime lock.
#include "test.h"

#include "sched/goroutine_list.h"
#include "sched/machine.h"
#include "sched/schedule.h"

enum { MOST = 100000 };
static struct goroutine *made[MOST];

static void never_run(void *arg) { (void)arg; }

static int make_all_at_hand(int n)
{
	while (n < MOST && (made[n] = goroutine_new_at_hand(never_run, NULL)) != NULL)
		n++;
	return n;
}

TEST(goroutine_at_hand_maps_nothing_until_it_is_provided)
{
	struct goroutine_chunk *chunks = load_acquire(&rt.chunks);
	uint64_t live = goroutine_count();
	int n = make_all_at_hand(0);

	CHECK(n > 0 && n < MOST);
	CHECK(load_acquire(&rt.chunks) == chunks);
	CHECK(!goroutine_none_can_be_had());
	goroutine_provide();
	CHECK(load_acquire(&rt.chunks) != chunks);
	chunks = load_acquire(&rt.chunks);
	goroutine_provide(); // nobody wants any
	CHECK(load_acquire(&rt.chunks) == chunks);
	int more = make_all_at_hand(n);
	CHECK_EQ(more - n, GOROUTINES_PER_CHUNK);
	CHECK_EQ(goroutine_count(), live + (uint64_t)more);
	while (more > 0)
		goroutine_discard(machine_here()->processor, made[--more]);
	CHECK_EQ(goroutine_count(), live);
}

static atomic_int called;
static void call(void *arg)
{
	(void)arg;
	atomic_fetch_add(&called, 1);
}

// More than there are descriptors, all due at once: each look finds some missing and makes them.
TEST(functions_of_a_thousand_timers_run_soon_after_they_are_due)
{
	enum { TIMERS = 1000 };
	static tuza_timer *timers[TIMERS];
	int64_t start = tuza_now();

	for (int i = 0; i < TIMERS; i++)
		timers[i] = tuza_after_func(start + 20 * TUZA_MILLISECOND - tuza_now(), call, NULL);
	WAIT_UNTIL(atomic_load(&called) == TIMERS);
	for (int i = 0; i < TIMERS; i++)
		tuza_timer_free(timers[i]);
}
