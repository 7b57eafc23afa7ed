// SPDX-License-Identifier: MIT
/*
 * Calls at the end of a context. After Go's context_test.go and afterfunc_test.go.
 */
#include "../test.h"
#include <tuza/context.h>
#include <tuza/sync.h>

static const char key;

static void count_call(void *counter) { atomic_fetch_add((atomic_int *)counter, 1); }

static tuza_context *new_context(void)
{
	return tuza_context_with_cancel(tuza_context_background());
}

// X9, T6.8.
TEST(call_is_made_once_at_the_end)
{
	atomic_int calls = 0;
	tuza_context *ctx = new_context();
	tuza_context_after *after = tuza_context_after_func(ctx, count_call, &calls);

	tuza_sleep(2 * TUZA_MILLISECOND);
	CHECK_EQ(calls, 0);
	tuza_context_cancel(ctx);
	WAIT_UNTIL(calls == 1);
	CHECK(!tuza_context_after_stop(after));
	tuza_context_free(ctx);
	CHECK_EQ(calls, 1);
}

// X9, T6.8.
TEST(call_is_made_at_the_deadline_and_at_the_parents_end)
{
	atomic_int calls = 0;
	tuza_context *timed =
		tuza_context_with_timeout(tuza_context_background(), 2 * TUZA_MILLISECOND);
	tuza_context *parent = new_context();
	tuza_context *value = tuza_context_with_value(parent, &key, NULL);
	tuza_context *child = tuza_context_with_cancel(value);
	tuza_context_after *afters[] = {tuza_context_after_func(timed, count_call, &calls),
		tuza_context_after_func(child, count_call, &calls),
		tuza_context_after_func(value, count_call, &calls)};

	WAIT_UNTIL(calls == 1);
	tuza_context_cancel(parent);
	WAIT_UNTIL(calls == 3);
	for (int i = 0; i < 3; i++)
		CHECK(!tuza_context_after_stop(afters[i]));
	tuza_context_free(child);
	tuza_context_free(value);
	tuza_context_free(parent);
	tuza_context_free(timed);
}

// X9, T6.8.
TEST(call_is_made_at_once_for_a_context_that_has_ended)
{
	atomic_int calls = 0;
	tuza_context *ctx = new_context();

	tuza_context_cancel(ctx);
	tuza_context_after *after = tuza_context_after_func(ctx, count_call, &calls);
	WAIT_UNTIL(calls == 1);
	CHECK(!tuza_context_after_stop(after));
	tuza_context_free(ctx);
}

// X9, T6.8.
TEST(stopped_call_is_not_made)
{
	atomic_int calls = 0;
	tuza_context *ctx = new_context();
	tuza_context_after *a = tuza_context_after_func(ctx, count_call, &calls);
	tuza_context_after *b = tuza_context_after_func(ctx, count_call, &calls);

	CHECK(tuza_context_after_stop(a)); // each is a registration of its own
	tuza_context_cancel(ctx);
	WAIT_UNTIL(calls == 1);
	CHECK(!tuza_context_after_stop(b));
	tuza_context_free(ctx);
	tuza_sleep(TUZA_MILLISECOND);
	CHECK_EQ(calls, 1);
}

TEST(call_on_a_context_that_never_ends_is_never_made)
{
	atomic_int calls = 0;
	tuza_context_after *after =
		tuza_context_after_func(tuza_context_background(), count_call, &calls);

	CHECK(tuza_context_after_stop(after));
	CHECK_EQ(calls, 0);
}

// X9, T6.8: the call has a goroutine of its own, so the cancel does not wait for it.
static void lock_and_count(void *arg)
{
	tuza_mutex *m = ((void **)arg)[0];
	void *calls = ((void **)arg)[1];

	tuza_mutex_lock(m);
	tuza_mutex_unlock(m);
	count_call(calls); // last: the test returns, and the mutex is its own
}

TEST(cancel_does_not_wait_for_the_calls)
{
	atomic_int calls = 0;
	tuza_mutex m = {0};
	void *args[] = {&m, &calls};
	tuza_context *ctx = new_context();
	tuza_context_after *after = tuza_context_after_func(ctx, lock_and_count, args);

	tuza_mutex_lock(&m);
	tuza_context_cancel(ctx);
	tuza_mutex_unlock(&m);
	WAIT_UNTIL(calls == 1);
	CHECK(!tuza_context_after_stop(after));
	tuza_context_free(ctx);
}

// A registration keeps its context, so the calls may look at it after the maker's free.
static void look_at(void *arg)
{
	void **args = arg;

	CHECK_EQ(tuza_context_err(args[0]), -ECANCELED);
	count_call(args[1]);
}

TEST(registration_holds_the_context)
{
	atomic_int calls = 0;
	tuza_context *ctx = new_context();
	void *args[] = {ctx, &calls};
	tuza_context_after *after = tuza_context_after_func(ctx, look_at, args);

	tuza_context_free(ctx);
	WAIT_UNTIL(calls == 1);
	CHECK(!tuza_context_after_stop(after));
}

static void cancel(tuza_context *ctx, tuza_waitgroup *wg, atomic_int *start)
{
	atomic_store(start, 1);
	while (atomic_load(start) == 1)
		tuza_yield();
	tuza_context_cancel(ctx);
	tuza_waitgroup_done(wg);
}

// X9: true exactly when it was prevented, whoever comes first.
TEST(stop_that_races_with_the_end_tells_what_happened)
{
	int prevented = 0;

	for (int round = 0; round < 2000; round++) {
		atomic_int calls = 0, start = 0;
		tuza_waitgroup wg = {0};
		tuza_context *ctx = new_context();
		tuza_context_after *after = tuza_context_after_func(ctx, count_call, &calls);

		tuza_waitgroup_add(&wg, 1);
		TUZA_GO(cancel, ctx, &wg, &start);
		while (!start)
			tuza_yield();
		atomic_store(&start, 2);
		if (round % 2)
			tuza_yield();
		for (int i = round / 2 % 64; i-- > 0;)
			(void)atomic_load(&start);
		bool stopped = tuza_context_after_stop(after);
		tuza_waitgroup_wait(&wg);
		if (stopped)
			CHECK_EQ(calls, 0);
		else
			WAIT_UNTIL(calls == 1);
		prevented += stopped;
		tuza_context_free(ctx);
	}
	printf("  %d of 2000 prevented\n", prevented);
}

static void stop_in_call(void *arg)
{
	CHECK(!tuza_context_after_stop(
		atomic_exchange((_Atomic(tuza_context_after *) *)arg, NULL)));
}

TEST(call_may_stop_itself)
{
	tuza_context *ctx = new_context();
	_Atomic(tuza_context_after *) after = NULL;

	atomic_store(&after, tuza_context_after_func(ctx, stop_in_call, &after));
	tuza_context_cancel(ctx);
	WAIT_UNTIL(atomic_load(&after) == NULL);
	tuza_context_free(ctx);
}

static tuza_mutex *lock_in_free;
static void free_under_lock(void *counter)
{
	tuza_mutex_lock(lock_in_free);
	count_call(counter);
	tuza_mutex_unlock(lock_in_free);
}

static void wait_with_lock(tuza_context *ctx, tuza_mutex *m, tuza_waitgroup *wg)
{
	tuza_mutex_lock(m);
	CHECK_EQ(tuza_sleep_ctx(ctx, TUZA_HOUR), -ECANCELED);
	tuza_mutex_unlock(m);
	tuza_waitgroup_done(wg);
}

static void free_on(tuza_context *ctx, atomic_int *start, tuza_waitgroup *wg)
{
	atomic_store(start, 1);
	while (atomic_load(start) == 1)
		tuza_yield();
	tuza_context_free(ctx);
	tuza_waitgroup_done(wg);
}

// Whoever an end wakes is on the way before the end runs code of the program. The last reference to
// the value may be given up by the cancel here, and the value's function wants what a waiter holds.
TEST(value_that_an_end_frees_may_wait_for_who_was_woken)
{
	for (int round = 0; round < 100; round++) {
		tuza_mutex m = {0};
		tuza_waitgroup wg = {0};
		atomic_int freed = 0, start = 0;
		tuza_context *parent = new_context();
		tuza_context *other = tuza_context_with_cancel(parent);
		tuza_context *value =
			tuza_context_with_value_free(parent, &key, &freed, free_under_lock);
		tuza_context *child = tuza_context_with_cancel(value);

		lock_in_free = &m;
		tuza_context_free(value);
		tuza_waitgroup_add(&wg, 2);
		TUZA_GO(wait_with_lock, other, &m, &wg);
		wait_parked("select", 1);
		TUZA_GO(free_on, child, &start, &wg);
		WAIT_UNTIL(start == 1);
		atomic_store(&start, 2);
		tuza_context_cancel(parent);
		tuza_waitgroup_wait(&wg);
		CHECK_EQ(freed, 1);
		tuza_context_free(other);
		tuza_context_free(parent);
	}
}
