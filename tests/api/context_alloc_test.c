// SPDX-License-Identifier: MIT
// not-under: address thread valgrind they have a malloc of their own
/*
 * X15: what contexts cost. Allocations of the program and the library are counted alike: malloc is
 * this program's. Those of one thread: the runtime's other threads have some of their own.
 */
#include "../test.h"
#include <time.h>
#include <tuza/context.h>

extern void *__libc_malloc(size_t bytes);
static _Thread_local int allocations;

void *malloc(size_t bytes)
{
	allocations++;
	return __libc_malloc(bytes);
}

static const char key;

// Of one turn of fn.
static int allocations_of(void (*fn)(void))
{
	fn(); // what is made once
	int before = allocations;
	fn();
	return allocations - before;
}

static void use_roots(void)
{
	(void)tuza_context_err(tuza_context_background());
	(void)tuza_context_done(tuza_context_todo());
	tuza_context_free(tuza_context_background());
}

static void use_cancel(void)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_context_cancel(ctx);
	CHECK_EQ(tuza_context_err(ctx), -ECANCELED);
	tuza_context_free(ctx);
}

static void use_done(void)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	CHECK_EQ(TUZA_SELECT(TUZA_DONE(ctx), TUZA_DEFAULT), 1);
	tuza_context_free(ctx);
}

static void use_deadline(void)
{
	size_t goroutines = tuza_num_goroutine();
	tuza_context *ctx =
		tuza_context_with_deadline(tuza_context_background(), tuza_now() + TUZA_HOUR);
	CHECK_EQ(tuza_num_goroutine(), goroutines);
	tuza_context_free(ctx);
}

static void use_value(void)
{
	tuza_context *ctx = tuza_context_with_value(tuza_context_background(), &key, NULL);
	CHECK(tuza_context_value(ctx, &key) == NULL);
	tuza_context_free(ctx);
}

static void use_waits(void)
{
	static tuza_mutex m;
	CHECK_EQ(tuza_mutex_lock_ctx(&m, tuza_context_background()), 0);
	tuza_mutex_unlock(&m);
}

static void nothing(void *arg) { (void)arg; }

static void use_after(void)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	CHECK(tuza_context_after_stop(tuza_context_after_func(ctx, nothing, NULL)));
	tuza_context_free(ctx);
}

TEST(contexts_allocate_themselves_and_nothing_else)
{
	tuza_lock_os_thread();
	int before = allocations;
	tuza_chan_release(tuza_chan_new(1, 1));
	CHECK(allocations > before); // the library's are counted
	CHECK_EQ(allocations_of(use_roots), 0);
	CHECK_EQ(allocations_of(use_cancel), 1);
	CHECK_EQ(allocations_of(use_done), 2); // and its channel
	CHECK_EQ(allocations_of(use_deadline), 1);
	CHECK_EQ(allocations_of(use_value), 1);
	CHECK_EQ(allocations_of(use_waits), 0);
	CHECK_EQ(allocations_of(use_after), 2);
	tuza_unlock_os_thread();
}

static int64_t cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * TUZA_SECOND + t.tv_nsec;
}

// What it costs to add a thousand children and to remove them; the best of several.
static int64_t cost_of_a_thousand(tuza_context *parent)
{
	int64_t best = INT64_MAX;

	for (int round = 0; round < 7; round++) {
		tuza_context *child[1000];
		int64_t start = cpu_time(), took;

		for (int i = 0; i < 1000; i++)
			child[i] = tuza_context_with_cancel(parent);
		for (int i = 0; i < 1000; i++)
			tuza_context_free(child[i]);
		took = cpu_time() - start;
		best = took < best ? took : best;
	}
	return best;
}

#ifdef __OPTIMIZE__
enum { MANY = 1000000 };
#else // a debug build makes the same ten times as slowly
enum { MANY = 100000 };
#endif

// A look at each of the others would cost a hundred thousand times as much. Those in the middle, of
// which the cache knows nothing, are removed in no order: half a million squared would take days.
TEST_PLAIN(child_costs_the_same_beside_a_million_others)
{
	tuza_context **all = calloc(MANY, sizeof(all[0]));
	tuza_context *parent = tuza_context_with_cancel(tuza_context_background());
	int64_t alone = cost_of_a_thousand(parent), together;

	for (int i = 0; i < MANY; i++)
		all[i] = tuza_context_with_cancel(parent);
	together = cost_of_a_thousand(parent);
	printf("  a child: %.0f ns alone, %.0f ns beside %d\n", (double)alone / 1e3,
		(double)together / 1e3, MANY);
	CHECK(together < 20 * alone + TUZA_MILLISECOND);
	for (int64_t i = 0, k = 0; i < MANY; i++, k = (k + 7654321) % MANY)
		tuza_context_free(all[k]);
	tuza_context_free(parent);
	free(all);
}
