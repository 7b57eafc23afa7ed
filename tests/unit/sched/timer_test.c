// SPDX-License-Identifier: MIT
/*
 * The timer heap against an oracle that keeps the times in an array, and under fire from several
 * processors.
 */
#include "../../stress/stress.h"

#include "base/race_hooks.h"
#include "sched/timer_slots.h"

#include <pthread.h>

// Timers of the oracle tests lie in the far future, so that only the test fires them, with a clock
// of its own.
#define FAR (1000 * TUZA_HOUR)

struct probe {
	struct timer timer;
	int64_t expected; // when it should fire; -1: it is not running
	int fired;
	int64_t fired_when;
};

static int64_t last_fired; // the times of one run do not decrease

static struct goroutine *probe_fire(struct timer *t, int64_t now)
{
	struct probe *p = CONTAINER_OF(t, struct probe, timer);

	CHECK(t->when <= now);
	CHECK(t->when >= last_fired);
	last_fired = t->when;
	p->fired++;
	p->fired_when = t->when;
	return NULL;
}

// The invariants of timer_slots.h.
static bool heap_is_valid(const struct timer_heap *h)
{
	int64_t earliest = h->count ? h->slots[0].when : INT64_MAX;
	bool ok = CHECK(h->count <= h->capacity) && CHECK_EQ(h->earliest, earliest);

	for (uint32_t i = 0; ok && i < h->count; i++) {
		const struct timer *t = timer_slot_timer(h->slots[i]);
		bool is_final = h->slots[i].timer & TIMER_SLOT_FINAL;

		ok = CHECK_EQ(t->index, is_final ? 0 : i + 1) && CHECK(is_final || t->heap == h) &&
		     CHECK_EQ(t->when, h->slots[i].when) &&
		     CHECK(i == 0 || h->slots[(i - 1) / 4].when <= t->when);
	}
	return ok;
}

static struct timer_heap *any_heap(void)
{
	struct timer t = {.fire = probe_fire};

	CHECK_EQ(timer_start(&t, clock_now() + FAR), 0);
	CHECK(timer_stop(&t));
	return t.heap;
}

TEST_PLAIN(clock_after_saturates)
{
	CHECK_EQ(clock_after(5, 3), 8);
	CHECK_EQ(clock_after(5, 0), 5);
	CHECK_EQ(clock_after(5, -3), 5);
	CHECK_EQ(clock_after(5, INT64_MIN), 5);
	CHECK_EQ(clock_after(5, INT64_MAX), INT64_MAX);
	CHECK_EQ(clock_after(INT64_MAX - 3, 3), INT64_MAX);
	CHECK_EQ(clock_after(INT64_MAX - 3, 4), INT64_MAX);
}

// K12: any sequence of start, restart, stop and run fires what a sorted list would, in its order.
TEST_PLAIN(heap_does_what_a_sorted_list_does)
{
	enum { N = 500, STEPS = 200000 };
	uint64_t random = test_seed();
	static struct probe probes[N];
	struct timer_heap *h = any_heap();
	int64_t now = clock_now() + FAR;
	uint32_t running = 0;
	bool ok = true;

	for (int i = 0; i < N; i++)
		probes[i] = (struct probe){.timer = {.fire = probe_fire}, .expected = -1};
	for (int step = 0; ok && step < STEPS; step++) {
		uint32_t number = test_random(&random) % N;
		struct probe *p = &probes[number];
		// Many equal times, some in the past.
		int64_t when = now + (int64_t)(test_random(&random) % 2000) - 20;
		int error;

		uint32_t what = test_random(&random) % 8;

		// Every fourth is final: started anew when it has fired, and left alone before.
		if (number % 4 == 0 && what != 2) {
			if (p->expected >= 0)
				continue;
			p->timer = (struct timer){.fire = probe_fire};
			CHECK_EQ(timer_start_final(&p->timer, when), 0);
			running++;
			p->expected = when;
			continue;
		}
		switch (what) {
		case 0:
		case 1:
			ok = CHECK_EQ(timer_stop(&p->timer), p->expected >= 0);
			running -= p->expected >= 0;
			p->expected = -1;
			break;
		case 2:
			now += (int64_t)(test_random(&random) % 100);
			last_fired = INT64_MIN;
			CHECK(timer_heap_run(h, now) == NULL);
			for (int i = 0; ok && i < N; i++) {
				struct probe *q = &probes[i];
				bool due = q->expected >= 0 && q->expected <= now;

				ok = CHECK_EQ(q->fired, due) &&
				     (!due || CHECK_EQ(q->fired_when, q->expected));
				running -= due;
				q->fired = 0;
				if (due)
					q->expected = -1;
			}
			break;
		default:
			ok = CHECK_EQ(
				timer_restart(&p->timer, when, 0, NULL, &error), p->expected >= 0);
			CHECK_EQ(error, 0);
			running += p->expected < 0;
			p->expected = when;
		}
		ok = ok && CHECK_EQ(h->count, running);
		if (step % 64 == 0)
			ok = ok && heap_is_valid(h);
	}
	for (int i = 0; i < N; i++)
		timer_stop(&probes[i].timer);
	last_fired = INT64_MIN;
	CHECK(timer_heap_run(h, INT64_MAX) == NULL);
	CHECK_EQ(h->count, 0);
	CHECK_EQ(timer_heap_earliest(h), INT64_MAX);
}

// Z5: the next time is the first multiple of the period in the future, whatever was missed.
TEST_PLAIN(periodic_timer_keeps_to_multiples_and_fires_once_a_run)
{
	struct probe p = {.timer = {.fire = probe_fire, .period = 10}};
	struct timer_heap *h = any_heap();
	int64_t start = clock_now() + FAR;
	static const int late[] = {0, 1, 9, 0, 10, 11, 25, 1000, 3};
	int64_t due = start;

	CHECK_EQ(timer_start(&p.timer, start), 0);
	for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++) {
		last_fired = INT64_MIN;
		timer_heap_run(h, due - 1);
		CHECK_EQ(p.fired, i);
		timer_heap_run(h, due + late[i]);
		CHECK_EQ(p.fired, i + 1);
		CHECK_EQ(p.fired_when, due);
		due += 10 * (1 + late[i] / 10);
		CHECK_EQ(p.timer.when, due);
		heap_is_valid(h);
	}
	CHECK(timer_stop(&p.timer));
	CHECK(!timer_stop(&p.timer));
}

TEST_PLAIN(period_near_the_end_of_time_does_not_overflow)
{
	struct probe p = {.timer = {.fire = probe_fire, .period = INT64_MAX}};
	struct timer_heap *h = any_heap();
	int64_t start = clock_now() + FAR;

	last_fired = INT64_MIN;
	CHECK_EQ(timer_start(&p.timer, start), 0);
	timer_heap_run(h, start + 5);
	CHECK_EQ(p.fired, 1);
	CHECK_EQ(p.timer.when, INT64_MAX);
	CHECK(timer_stop(&p.timer));
}

// A timer that is never due still counts as one: nobody may call the program deadlocked.
TEST_PLAIN(timer_at_the_end_of_time_is_seen_in_earliest)
{
	struct probe p = {.timer = {.fire = probe_fire}};
	struct timer_heap *h = any_heap();

	CHECK_EQ(timer_start(&p.timer, INT64_MAX), 0);
	CHECK(timer_heap_earliest(h) < INT64_MAX);
	timer_heap_run(h, clock_now() + 100 * 365 * 24 * TUZA_HOUR);
	CHECK_EQ(p.fired, 0);
	CHECK(timer_stop(&p.timer));
}

// A batch of 64 is fired per turn of the lock; more due timers than that are fired all the same.
TEST_PLAIN(run_fires_more_than_a_batch)
{
	enum { N = 1000 };
	static struct probe probes[N];
	struct timer_heap *h = any_heap();
	int64_t start = clock_now() + FAR;

	for (int i = 0; i < N; i++) {
		probes[i] = (struct probe){.timer = {.fire = probe_fire}};
		CHECK_EQ(timer_start(&probes[i].timer, start + (i * 7919) % N), 0);
	}
	last_fired = INT64_MIN;
	timer_heap_run(h, start + N / 2 - 1);
	CHECK_EQ(h->count, N / 2);
	heap_is_valid(h);
	timer_heap_run(h, start + N);
	for (int i = 0; i < N; i++)
		CHECK_EQ(probes[i].fired, 1);
	CHECK_EQ(h->count, 0);
}

static struct goroutine *retry_fire(struct timer *t, int64_t now)
{
	struct probe *p = CONTAINER_OF(t, struct probe, timer);

	if (++p->fired < 3)
		t->when = now + 10;
	return NULL;
}

// For tuza_after_func without memory for its goroutine.
TEST_PLAIN(fire_may_put_itself_off)
{
	struct probe p = {.timer = {.fire = retry_fire}};
	struct timer_heap *h = any_heap();
	int64_t start = clock_now() + FAR;

	CHECK_EQ(timer_start(&p.timer, start), 0);
	timer_heap_run(h, start);
	CHECK_EQ(p.fired, 1);
	timer_heap_run(h, start + 9);
	CHECK_EQ(p.fired, 1);
	timer_heap_run(h, start + 10);
	CHECK_EQ(p.fired, 2);
	heap_is_valid(h);
	timer_heap_run(h, start + 20);
	CHECK_EQ(p.fired, 3);
	CHECK(!timer_stop(&p.timer));
	CHECK_EQ(h->count, 0);
}

TEST_PLAIN(run_leaves_a_heap_alone_that_somebody_runs)
{
	struct probe p = {.timer = {.fire = probe_fire}};
	struct timer_heap *h = any_heap();
	int64_t start = clock_now() + FAR;

	last_fired = INT64_MIN;
	CHECK_EQ(timer_start(&p.timer, start), 0);
	lock_acquire(&h->lock);
	CHECK(timer_heap_run(h, start) == NULL);
	lock_release(&h->lock);
	CHECK_EQ(p.fired, 0);
	timer_heap_run(h, start);
	CHECK_EQ(p.fired, 1);
}

static int also_called;

static bool also_yes(struct timer *t)
{
	(void)t;
	also_called++;
	return true;
}

TEST_PLAIN(also_is_called_whether_the_timer_runs_or_not)
{
	struct probe p = {.timer = {.fire = probe_fire}};
	int error;

	also_called = 0;
	CHECK(!timer_stop(&p.timer)); // never started
	CHECK(timer_stop_and(&p.timer, also_yes));
	CHECK(timer_restart(&p.timer, clock_now() + FAR, 0, also_yes, &error));
	CHECK(timer_restart(&p.timer, clock_now() + FAR, 0, NULL, &error));
	CHECK(timer_stop_and(&p.timer, also_yes));
	CHECK(!timer_stop(&p.timer));
	CHECK_EQ(also_called, 3);
}

// A program's timer may outlive the runtime, whose heaps it knows.
TEST_PLAIN(timer_survives_the_runtime)
{
	struct probe p = {.timer = {.fire = probe_fire}};
	int error;

	CHECK_EQ(timer_start(&p.timer, clock_now() + FAR), 0);
	CHECK_EQ(tuza_shutdown(), 0);
	CHECK(!timer_stop(&p.timer));
	CHECK(!timer_restart(&p.timer, clock_now() + FAR, 0, NULL, &error));
	CHECK(timer_stop(&p.timer));
	CHECK(!timer_restart(&p.timer, clock_now() + FAR, 0, NULL, &error));
	CHECK_EQ(tuza_shutdown(), 0);
	CHECK_EQ(timer_start(&p.timer, clock_now() + FAR), 0);
	CHECK(heap_is_valid(p.timer.heap));
	CHECK(timer_stop(&p.timer));
}

/*
 * Several goroutines and threads start and stop the same timers, which are also firing: each start
 * is answered once, by a fire or by the true of a stop or restart.
 */
struct shared {
	struct timer timer;
	atomic_long fired;
	atomic_int firing; // never two at once
};
enum { SHARED = 16, ACTORS = 4 };
static struct shared shared[SHARED];
static atomic_long starts, cancelled;

static struct goroutine *shared_fire(struct timer *t, int64_t now)
{
	struct shared *s = CONTAINER_OF(t, struct shared, timer);

	(void)now;
	race_acquire(s); // as whoever uses timers has to
	CHECK_EQ(atomic_fetch_add(&s->firing, 1), 0);
	atomic_fetch_add(&s->fired, 1);
	atomic_fetch_sub(&s->firing, 1);
	return NULL;
}

struct actor {
	uint64_t random;
	int steps;
};

static void act(void *arg)
{
	struct actor *a = arg;
	long started = 0, stopped = 0;

	for (int i = 0; i < a->steps; i++) {
		struct timer *t = &shared[test_random(&a->random) % SHARED].timer;
		uint64_t choice = test_random(&a->random);
		int error;

		if (choice % 4 == 0) {
			stopped += timer_stop(t);
		} else {
			stopped += timer_restart(
				t, clock_now() + (int64_t)(choice >> 8) % 20000, 0, NULL, &error);
			CHECK_EQ(error, 0);
			started++;
		}
		if (choice % 64 == 1)
			tuza_yield();
	}
	atomic_fetch_add(&starts, started);
	atomic_fetch_add(&cancelled, stopped);
}

static void *act_on_a_thread(void *arg)
{
	act(arg);
	return NULL;
}

static long fired_in_all(void)
{
	long n = 0;

	for (int i = 0; i < SHARED; i++)
		n += atomic_load(&shared[i].fired);
	return n;
}

TEST(every_start_is_fired_or_stopped_exactly_once)
{
	uint64_t seed = test_seed();
	struct actor actors[ACTORS + 1];
	tuza_goroutine *goroutines[ACTORS];
	pthread_t thread;
	int processors = tuza_gomaxprocs(ACTORS);

	atomic_store(&starts, 0);
	atomic_store(&cancelled, 0);
	for (int i = 0; i < SHARED; i++) {
		shared[i] = (struct shared){.timer = {.fire = shared_fire}};
		race_release(&shared[i]);
	}
	// A timer must have been started once before it is shared.
	for (int i = 0; i < SHARED; i++) {
		CHECK_EQ(timer_start(&shared[i].timer, clock_now()), 0);
		atomic_fetch_add(&starts, 1);
	}
	for (int i = 0; i <= ACTORS; i++)
		actors[i] = (struct actor){test_random(&seed), 200000};
	for (int i = 0; i < ACTORS; i++)
		goroutines[i] = tuza_spawn(act, &actors[i]);
	CHECK_EQ(pthread_create(&thread, NULL, act_on_a_thread, &actors[ACTORS]), 0);
	for (int i = 0; i < ACTORS; i++)
		CHECK_EQ(tuza_join(goroutines[i]), 0);
	tuza_blocking_begin();
	pthread_join(thread, NULL);
	tuza_blocking_end();
	WAIT_UNTIL(fired_in_all() + atomic_load(&cancelled) == atomic_load(&starts));
	for (int i = 0; i < SHARED; i++) {
		CHECK(!timer_stop(&shared[i].timer));
		CHECK(heap_is_valid(shared[i].timer.heap));
	}
	tuza_gomaxprocs(processors);
}
