// SPDX-License-Identifier: MIT
/*
 * Error groups: limits, and who may start tasks and wait. After golang.org/x/sync/errgroup's tests.
 */
#include "errgroup_support.h"

static int wait_to_go_on(void *arg)
{
	struct work *w = arg;
	tuza_recv(w->go_on, NULL);
	w->ran++;
	return 0;
}

// ---- limits ------------------------------------------------------------------------------------

static int count_active(void *arg)
{
	struct work *w = arg;
	int active = ++w->active, most = w->most;

	while (active > most && !atomic_compare_exchange_weak(&w->most, &most, active))
		;
	if (w->ran++ % 4 == 0)
		tuza_yield();
	w->active--;
	return 0;
}

// E2, T7.1: Go: GoLimit
TEST(no_more_tasks_than_the_limit_are_under_way)
{
	struct work w = work_new();

	tuza_errgroup_set_limit(w.group, 10);
	for (int i = 0; i < 1024; i++)
		tuza_errgroup_go(w.group, count_active, &w);
	CHECK_EQ(tuza_errgroup_wait(w.group), 0);
	CHECK_EQ(w.ran, 1024);
	CHECK(w.most >= 1 && w.most <= 10);
	work_free(&w);
}

// E1, T7.1: Go: TryGo
TEST(try_go_starts_a_task_only_below_the_limit)
{
	struct work w = work_new();

	for (int i = 0; i < 100; i++)
		CHECK(tuza_errgroup_try_go(w.group, succeed, &w)); // no limit yet
	CHECK_EQ(tuza_errgroup_wait(w.group), 0);
	tuza_errgroup_set_limit(w.group, 42);
	for (int i = 0; i < 42; i++)
		CHECK(tuza_errgroup_try_go(w.group, wait_to_go_on, &w));
	CHECK(!tuza_errgroup_try_go(w.group, succeed, &w));
	tuza_chan_close(w.go_on);
	CHECK_EQ(tuza_errgroup_wait(w.group), 0);
	CHECK_EQ(w.ran, 142);
	tuza_errgroup_set_limit(w.group, 1);
	CHECK(tuza_errgroup_try_go(w.group, succeed, &w));
	CHECK_EQ(tuza_errgroup_wait(w.group), 0);
	tuza_errgroup_set_limit(w.group, 0);
	for (int i = 0; i < 1024; i++)
		CHECK(!tuza_errgroup_try_go(w.group, succeed, &w));
	CHECK_EQ(tuza_errgroup_wait(w.group), 0);
	tuza_errgroup_set_limit(w.group, -1);
	CHECK(tuza_errgroup_try_go(w.group, succeed, &w));
	CHECK_EQ(tuza_errgroup_wait(w.group), 0);
	CHECK_EQ(w.ran, 144);
	work_free(&w);
}

static void start_one_more(void *arg)
{
	struct work *w = arg;
	tuza_errgroup_go(w->group, succeed, w);
	w->active++;
}

// E2
TEST(go_waits_for_a_place_below_the_limit)
{
	struct work w = work_new();

	tuza_errgroup_set_limit(w.group, 1);
	tuza_errgroup_go(w.group, wait_to_go_on, &w);
	TUZA_GO(start_one_more, &w);
	wait_parked("semacquire", 1);
	CHECK_EQ(w.active, 0);
	tuza_chan_close(w.go_on);
	WAIT_UNTIL(w.active == 1);
	CHECK_EQ(tuza_errgroup_wait(w.group), 0);
	CHECK_EQ(w.ran, 2);
	work_free(&w);
}

// E1. Whoever waits is dropped with the run, without another look at the group.
TEST(a_limit_of_zero_blocks_all)
{
	static struct work w;

	w = (struct work){.group = tuza_errgroup_new(tuza_context_background())};
	tuza_errgroup_set_limit(w.group, 0);
	CHECK(blocks(start_one_more, &w));
	wait_parked("semacquire", 1); // not only about to look at the group
	CHECK(!tuza_errgroup_try_go(w.group, succeed, &w));
	CHECK_EQ(w.ran, 0);
	tuza_errgroup_free(w.group);
}

static void set_limit_2(void *group) { tuza_errgroup_set_limit(group, 2); }
static void set_no_limit(void *group) { tuza_errgroup_set_limit(group, -1); }

// E1
TEST(changing_the_limit_of_active_tasks_panics)
{
	static const char text[] =
		"errgroup: modify limit while 3 goroutines in the group are still active";
	struct work w = work_new();

	for (int limit = -1; limit < 4; limit += 4) {
		tuza_errgroup_set_limit(w.group, limit);
		for (int i = 0; i < 3; i++)
			tuza_errgroup_go(w.group, wait_to_go_on, &w);
		CHECK_PANICS(text, set_limit_2, w.group);
		CHECK_PANICS(text, set_no_limit, w.group);
		for (int i = 0; i < 3; i++)
			tuza_chan_send(w.go_on, NULL);
		CHECK_EQ(tuza_errgroup_wait(w.group), 0);
	}
	CHECK_EQ(w.ran, 6);
	work_free(&w);
}

// ---- who starts, who waits ---------------------------------------------------------------------

struct add {
	atomic_int *sum;
	int n;
	char padding[100];
};

static int add_copied(void *args)
{
	struct add *add = args;
	*add->sum += add->n;
	add->n = -1; // its own
	return 0;
}

static int add_nothing(void *args)
{
	(void)args;
	return 0;
}

TEST(each_task_of_go_copy_has_its_own_copy)
{
	struct work w = work_new();
	atomic_int sum = 0;

	tuza_errgroup_set_limit(w.group, 3);
	for (int i = 1; i <= 100; i++) {
		struct add add = {.sum = &sum, .n = i};
		tuza_errgroup_go_copy(w.group, add_copied, &add, sizeof(add));
	}
	tuza_errgroup_go_copy(w.group, add_nothing, NULL, 0);
	CHECK_EQ(tuza_errgroup_wait(w.group), 0);
	CHECK_EQ(sum, 5050);
	work_free(&w);
}

static int start_two_more(void *arg)
{
	struct work *w = arg;

	if (w->ran++ < 500) {
		tuza_errgroup_go(w->group, start_two_more, w);
		tuza_errgroup_go(w->group, start_two_more, w);
	}
	return 0;
}

TEST(tasks_may_start_tasks)
{
	struct work w = work_new();

	tuza_errgroup_go(w.group, start_two_more, &w);
	CHECK_EQ(tuza_errgroup_wait(w.group), 0);
	CHECK_EQ(w.ran, 1001);
	work_free(&w);
}

static void wait_for_group(struct work *w)
{
	CHECK_EQ(tuza_errgroup_wait(w->group), -ENOENT);
	w->active++;
}

static int fail_then_wait(void *arg)
{
	struct work *w = arg;

	tuza_errgroup_fail(w->group, -ENOENT, "before the end");
	tuza_recv(w->go_on, NULL);
	return 0;
}

TEST(several_may_wait)
{
	struct work w = work_new();

	tuza_errgroup_go(w.group, fail_then_wait, &w);
	for (int i = 0; i < 5; i++)
		TUZA_GO(wait_for_group, &w);
	wait_parked("sync.WaitGroup.Wait", 5);
	WAIT_UNTIL(tuza_context_err(tuza_errgroup_context(w.group)) != 0);
	CHECK_EQ(w.active, 0);
	tuza_chan_close(w.go_on);
	WAIT_UNTIL(w.active == 5);
	work_free(&w);
}

static void *start_and_wait_on_thread(void *arg)
{
	struct work *w = arg;

	for (int i = 0; i < 20; i++)
		tuza_errgroup_go(w->group, count_active, w);
	CHECK_EQ(tuza_errgroup_wait(w->group), 0);
	return NULL;
}

TEST_PLAIN(plain_threads_may_start_tasks_and_wait)
{
	struct work w = work_new();
	pthread_t thread;

	tuza_errgroup_set_limit(w.group, 2);
	pthread_create(&thread, NULL, start_and_wait_on_thread, &w);
	pthread_join(thread, NULL);
	start_and_wait_on_thread(&w);
	CHECK_EQ(w.ran, 40);
	CHECK(w.most <= 2);
	work_free(&w);
}

// A value of the tasks is seen after the wait; for the race detector.
static int fill(void *arg)
{
	*(int *)arg += 1;
	return 0;
}

TEST(what_tasks_did_is_seen_after_the_wait_and_a_group_may_then_go_on)
{
	enum { N = 64 };
	int values[N] = {0};
	struct work w = work_new();

	for (int round = 1; round <= 20; round++) {
		for (int i = 0; i < N; i++)
			tuza_errgroup_go(w.group, fill, &values[i]);
		CHECK_EQ(tuza_errgroup_wait(w.group), 0);
		for (int i = 0; i < N; i++)
			CHECK_EQ(values[i], round);
	}
	work_free(&w);
}
