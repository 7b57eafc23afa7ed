// SPDX-License-Identifier: MIT
/*
 * A mutex that nobody has waited for in a long time is unlocked by an ordinary store
 * (sync/mutex_state.h): who waits for it is woken nevertheless.
 */
#include "sync_support.h"

#include <errno.h>
#include <tuza/context.h>

static uint32_t alarms(void) { return __atomic_load_n(&tuza_mutex_alarms_, __ATOMIC_RELAXED); }

// As after many quiet locks; whoever waits already goes on doing so.
static void make_quiet(tuza_mutex *m)
{
	uint32_t seen = __atomic_load_n(&m->state, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(&m->state, &seen, seen % 16 | TUZA_MUTEX_QUIET_, false,
		__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static bool is_quiet(const tuza_mutex *m)
{
	return __atomic_load_n(&m->state, __ATOMIC_RELAXED) & TUZA_MUTEX_QUIET_;
}

static void lock_mutex(void *m) { tuza_mutex_lock(m); }

// Somebody waits for it, is woken, and unlocks.
static void wait_and_wake(tuza_mutex *m)
{
	tuza_goroutine *h = tuza_spawn(lock_mutex, m);

	CHECK(wait_parked("sync.Mutex.Lock", 1));
	tuza_mutex_unlock(m);
	CHECK_EQ(tuza_join(h), 0);
	tuza_mutex_unlock(m);
}

TEST(a_mutex_becomes_quiet_and_is_so_until_a_waiter_is_woken)
{
	tuza_mutex m = {0};

	for (int i = 0; i < 40000; i++) {
		tuza_mutex_lock(&m);
		tuza_mutex_unlock(&m);
	}
	CHECK(is_quiet(&m));
	CHECK(tuza_mutex_try_lock(&m));
	CHECK(!tuza_mutex_try_lock(&m));
	CHECK(is_quiet(&m));
	wait_and_wake(&m);
	CHECK(!is_quiet(&m));
}

struct wait {
	tuza_mutex *m;
	tuza_context *ctx;
};

static void lock_in_vain(void *arg)
{
	struct wait *w = arg;

	CHECK_EQ(tuza_mutex_lock_ctx(w->m, w->ctx), -ECANCELED);
}

// The holder may be about to unlock as it was when nobody waited yet: the next one needs an alarm,
// too.
TEST(who_gives_up_waiting_for_a_quiet_mutex_leaves_it_quiet)
{
	tuza_mutex m = {0};
	uint32_t before = alarms();
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	struct wait w = {&m, ctx};

	make_quiet(&m);
	tuza_mutex_lock(&m);
	tuza_goroutine *h = tuza_spawn(lock_in_vain, &w);
	CHECK(wait_parked("sync.Mutex.Lock", 1));
	CHECK_EQ(alarms(), before + 1);
	tuza_context_cancel(ctx);
	CHECK_EQ(tuza_join(h), 0);
	CHECK_EQ(alarms(), before);
	CHECK(is_quiet(&m));
	wait_and_wake(&m);
	CHECK_EQ(alarms(), before);
	tuza_context_free(ctx);
}

struct guarded {
	tuza_mutex mutex;
	tuza_context *ended;
	int value, users; // plain: guarded by the mutex
};

enum { TURNS = 2000 };

static void take_turns(struct guarded *g, int me, int turns)
{
	for (int i = 0; i < turns; i++) {
		if ((i + me) % 3 == 0) {
			int error = tuza_mutex_lock_ctx(&g->mutex, g->ended);
			if (!CHECK_EQ(error, -ECANCELED))
				tuza_mutex_unlock(&g->mutex);
		}
		tuza_mutex_lock(&g->mutex);
		make_quiet(&g->mutex);
		if (++g->value % 64 == 0)
			tuza_yield();
		tuza_mutex_unlock(&g->mutex);
		if (i % 16 == 0)
			tuza_yield();
	}
}

static void *take_turns_on_thread(void *g)
{
	take_turns(g, 2, TURNS);
	return NULL;
}

static void take_turns_in_goroutine(void *arg)
{
	static atomic_int number;
	take_turns(arg, atomic_fetch_add(&number, 1), TURNS);
}

TEST(always_quiet_mutex_lets_one_in_at_a_time_and_loses_nobody)
{
	struct guarded g = {.value = 0};
	uint32_t before = alarms();
	pthread_t thread;

	g.ended = tuza_context_with_cancel(tuza_context_background());
	tuza_context_cancel(g.ended);
	pthread_create(&thread, NULL, take_turns_on_thread, &g);
	run_goroutines(5, take_turns_in_goroutine, &g);
	tuza_blocking_begin();
	pthread_join(thread, NULL);
	tuza_blocking_end();
	CHECK_EQ(g.value, 6 * TURNS);
	CHECK_EQ(alarms(), before);
	tuza_context_free(g.ended);
}

static void use_and_poison(void *arg)
{
	struct guarded *g = arg;

	tuza_mutex_lock(&g->mutex);
	make_quiet(&g->mutex);
	bool last = --g->users == 0;
	tuza_mutex_unlock(&g->mutex);
	if (last)
		memset(g, 0xa5, sizeof(*g)); // as if it were freed and used for something else
}

// Rule 1, last touch.
TEST(quiet_mutex_is_not_touched_after_its_last_unlock)
{
	for (int round = 0; round < 500; round++) {
		struct guarded g = {.users = 4};

		run_goroutines(4, use_and_poison, &g);
		CHECK_EQ(g.users, (int)0xa5a5a5a5);
		CHECK_EQ(g.mutex.state, 0xa5a5a5a5);
	}
}

static int leave_a_waiter(void *m)
{
	make_quiet(m);
	tuza_mutex_lock(m);
	TUZA_GO(lock_mutex, m);
	CHECK(wait_parked("sync.Mutex.Lock", 1));
	return 0;
}

static int use_what_was_left(void *m)
{
	CHECK(!tuza_mutex_try_lock(m));
	wait_and_wake(m);
	return 0;
}

// L5
TEST_PLAIN(quiet_mutex_survives_a_waiter_that_was_dropped)
{
	static tuza_mutex m;
	uint32_t before;

	CHECK_EQ(tuza_run(leave_a_waiter, &m), 0);
	before = alarms();
	CHECK(before <= 1);
	CHECK_EQ(tuza_run(use_what_was_left, &m), 0);
	CHECK_EQ(alarms(), before);
	CHECK(tuza_mutex_try_lock(&m));
	tuza_mutex_unlock(&m);
}

static int unlock_twice(void *unused)
{
	static tuza_mutex m;

	(void)unused;
	make_quiet(&m);
	tuza_mutex_lock(&m);
	tuza_mutex_unlock(&m);
	tuza_mutex_unlock(&m);
	return 0;
}

// M5
TEST_PLAIN(unlock_of_an_unlocked_quiet_mutex_is_fatal)
{
	char output[4096];

	if (child_case() >= 0)
		exit(tuza_run(unlock_twice, NULL));
	CHECK_EQ(run_child(__func__, 0, output, sizeof(output)), 2);
	CHECK_CONTAINS(output, "fatal error: sync: unlock of unlocked mutex");
}
