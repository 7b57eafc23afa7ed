// SPDX-License-Identifier: MIT
/*
 * Error groups. After golang.org/x/sync/errgroup's tests.
 */
#include "errgroup_support.h"

static int return_code(void *code) { return *(int *)code; }

// Ends with the group's context.
static int watch_context(void *arg)
{
	struct work *w = arg;
	tuza_context *ctx = tuza_errgroup_context(w->group);

	TUZA_SELECT(TUZA_DONE(ctx));
	w->ran++;
	return tuza_context_err(ctx);
}

// ---- the outcome -------------------------------------------------------------------------------

// E1
TEST(wait_returns_zero_when_no_task_fails)
{
	struct work w = work_new();

	for (int i = 0; i < 100; i++)
		tuza_errgroup_go(w.group, succeed, &w);
	CHECK_EQ(tuza_errgroup_wait(w.group), 0);
	CHECK_EQ(w.ran, 100);
	CHECK_STR(tuza_errgroup_message(w.group), "success");
	CHECK(tuza_errgroup_panic(w.group) == NULL);
	work_free(&w);
}

TEST(a_group_without_tasks_does_not_wait)
{
	struct work w = work_new();

	CHECK_EQ(tuza_errgroup_wait(w.group), 0);
	CHECK_EQ(tuza_context_err(tuza_errgroup_context(w.group)), -ECANCELED);
	work_free(&w);
	tuza_errgroup_free(NULL);
}

// T7.1: Go: ZeroGroup: the first failure stays.
TEST(wait_returns_the_first_failure_each_time)
{
	struct work w = work_new();
	int codes[] = {0, -ENOENT, -EIO, 0};

	for (int i = 0; i < 4; i++) {
		tuza_errgroup_go(w.group, return_code, &codes[i]);
		int want = i == 0 ? 0 : -ENOENT;
		CHECK_EQ(tuza_errgroup_wait(w.group), want);
		CHECK_EQ(tuza_errgroup_wait(w.group), want);
	}
	CHECK_STR(tuza_errgroup_message(w.group), tuza_strerror(-ENOENT));
	work_free(&w);
}

TEST(a_positive_return_is_a_failure)
{
	struct work w = work_new();
	int code = 3;

	tuza_errgroup_go(w.group, return_code, &code);
	CHECK_EQ(tuza_errgroup_wait(w.group), 3);
	CHECK_EQ(tuza_context_cause(tuza_errgroup_context(w.group)), 3);
	work_free(&w);
}

// E1, T7.1: Go: CancelCause
TEST(the_first_failure_ends_the_context_with_its_code_as_the_cause)
{
	struct work w = work_new();
	tuza_context *ctx = tuza_errgroup_context(w.group);
	int code = -ENOENT;

	for (int i = 0; i < 10; i++)
		tuza_errgroup_go(w.group, watch_context, &w);
	CHECK_EQ(tuza_context_err(ctx), 0);
	CHECK_EQ(w.ran, 0);
	tuza_errgroup_go(w.group, return_code, &code);
	CHECK_EQ(tuza_errgroup_wait(w.group), -ENOENT);
	CHECK_EQ(w.ran, 10);
	CHECK_EQ(tuza_context_err(ctx), -ECANCELED);
	CHECK_EQ(tuza_context_cause(ctx), -ENOENT);
	work_free(&w);
}

// T7.1: Go: WithContext: done after the wait in all cases.
TEST(the_context_ends_when_the_wait_returns)
{
	struct work w = work_new();
	tuza_context *ctx = tuza_errgroup_context(w.group);

	tuza_errgroup_go(w.group, succeed, &w);
	WAIT_UNTIL(w.ran == 1);
	CHECK_EQ(tuza_context_err(ctx), 0);
	CHECK_EQ(tuza_errgroup_wait(w.group), 0);
	CHECK_EQ(tuza_context_err(ctx), -ECANCELED);
	CHECK_EQ(tuza_context_cause(ctx), -ECANCELED);
	CHECK_EQ(TUZA_SELECT(TUZA_DONE(ctx), TUZA_DEFAULT), 0);
	CHECK(tuza_errgroup_context(w.group) == ctx);
	work_free(&w);
}

TEST(the_parent_ends_the_group_and_the_group_not_the_parent)
{
	tuza_context *parent = tuza_context_with_cancel(tuza_context_background());
	struct work w = {.group = tuza_errgroup_new(parent)};
	struct work other = {.group = tuza_errgroup_new(parent)};
	int code = -EIO;

	tuza_errgroup_go(other.group, return_code, &code);
	CHECK_EQ(tuza_errgroup_wait(other.group), -EIO);
	CHECK_EQ(tuza_context_err(parent), 0);
	tuza_errgroup_go(w.group, watch_context, &w);
	tuza_context_cancel_cause(parent, -ENOTCONN);
	CHECK_EQ(tuza_errgroup_wait(w.group), -ECANCELED);
	CHECK_EQ(tuza_context_cause(tuza_errgroup_context(w.group)), -ENOTCONN);
	tuza_errgroup_free(w.group);

	// One made too late.
	w.group = tuza_errgroup_new(parent);
	CHECK_EQ(tuza_context_err(tuza_errgroup_context(w.group)), -ECANCELED);
	tuza_errgroup_go(w.group, succeed, &w);
	CHECK_EQ(tuza_errgroup_wait(w.group), 0);
	tuza_errgroup_free(w.group);
	tuza_errgroup_free(other.group);
	tuza_context_free(parent);
}

static void make_orphan(void *arg)
{
	(void)arg;
	tuza_errgroup_free(tuza_errgroup_new(NULL));
}

TEST(a_group_without_a_parent_panics)
{
	CHECK_PANICS("cannot create context from nil parent", make_orphan, NULL);
}

// ---- words -------------------------------------------------------------------------------------

static int fail_then_wait(void *arg)
{
	struct work *w = arg;

	CHECK_EQ(tuza_errgroup_fail(w->group, -ENOENT, "fetch %s: status %d", "/a", 404), -ENOENT);
	tuza_recv(w->go_on, NULL);
	CHECK_EQ(tuza_errgroup_fail(w->group, -EIO, "too late"), -EIO);
	return -EIO;
}

TEST(fail_records_code_and_words_at_once)
{
	struct work w = work_new();
	tuza_context *ctx = tuza_errgroup_context(w.group);

	tuza_errgroup_go(w.group, fail_then_wait, &w);
	TUZA_SELECT(TUZA_DONE(ctx));
	CHECK_EQ(tuza_context_cause(ctx), -ENOENT);
	const char *message = tuza_errgroup_message(w.group);
	CHECK_STR(message, "fetch /a: status 404");
	tuza_chan_close(w.go_on);
	CHECK_EQ(tuza_errgroup_wait(w.group), -ENOENT);
	CHECK(tuza_errgroup_message(w.group) == message);
	CHECK_STR(message, "fetch /a: status 404");
	work_free(&w);
}

TEST(a_failure_stays_when_the_task_then_returns_zero)
{
	struct work w = work_new();

	CHECK_EQ(tuza_errgroup_fail(w.group, 0, "no failure"), 0);
	CHECK_EQ(tuza_context_err(tuza_errgroup_context(w.group)), 0);
	CHECK_EQ(tuza_errgroup_fail(w.group, -EIO, "%s", ""), -EIO);
	tuza_errgroup_go(w.group, succeed, &w);
	CHECK_EQ(tuza_errgroup_wait(w.group), -EIO);
	CHECK_STR(tuza_errgroup_message(w.group), "");
	work_free(&w);
}

TEST(words_of_any_length_are_kept_and_errno_is_left_alone)
{
	static char long_word[5000];

	for (size_t length = 1; length < sizeof(long_word); length += length / 10 + 1) {
		struct work w = work_new();
		memset(long_word, 'x', length);
		long_word[length] = 0;
		errno = 77;
		tuza_errgroup_fail(w.group, -EIO, "%s", long_word);
		CHECK_EQ(errno, 77);
		CHECK_STR(tuza_errgroup_message(w.group), long_word);
		work_free(&w);
	}
}

static int fail_with_own_words(void *args)
{
	struct work *w = *(struct work **)args;
	int code = 1 + w->ran++;
	return code % 2 ? tuza_errgroup_fail(w->group, code, "task %d failed", code) : code;
}

TEST(of_many_that_fail_at_once_one_is_the_first)
{
	for (int round = 0; round < 50; round++) {
		struct work w = work_new();
		struct work *shared = &w;
		char text[32];

		for (int i = 0; i < 20; i++)
			tuza_errgroup_go_copy(
				w.group, fail_with_own_words, &shared, sizeof(shared));
		int code = tuza_errgroup_wait(w.group);
		CHECK(code >= 1 && code <= 20);
		CHECK_EQ(tuza_context_cause(tuza_errgroup_context(w.group)), code);
		snprintf(text, sizeof(text), "task %d failed", code);
		CHECK_STR(tuza_errgroup_message(w.group), code % 2 ? text : tuza_strerror(code));
		work_free(&w);
	}
}

// ---- tasks that do not return ------------------------------------------------------------------

static void count(atomic_int *n) { ++*n; }

__attribute__((noinline)) static int explode(void *arg)
{
	struct work *w = arg;
	TUZA_DEFER(count, &w->ran);
	tuza_panic("the pump has %d leaks", 3);
	return 0;
}

// E2: unlike Go, where it ends the process.
TEST(a_panic_in_a_task_is_a_failure_with_its_text_and_stack)
{
	struct work w = work_new();

	tuza_errgroup_go(w.group, watch_context, &w);
	tuza_errgroup_go(w.group, explode, &w);
	CHECK_EQ(tuza_errgroup_wait(w.group), TUZA_EPANIC);
	CHECK_EQ(w.ran, 2); // the deferred call as well
	CHECK_EQ(tuza_context_cause(tuza_errgroup_context(w.group)), TUZA_EPANIC);
	CHECK_STR(tuza_errgroup_message(w.group), "the pump has 3 leaks");
	const tuza_panic_info *panic = tuza_errgroup_panic(w.group);
	if (CHECK(panic != NULL)) {
		CHECK_STR(panic->message, "the pump has 3 leaks");
		CHECK_CONTAINS(panic->stack, "explode");
		CHECK_CONTAINS(panic->stack, "errgroup_test.c");
	}
	work_free(&w);
}

static int explode_in_turn(void *arg)
{
	struct work *w = arg;
	tuza_recv(w->go_on, NULL);
	tuza_panic("panic number %d", w->ran++);
}

TEST(a_panic_after_the_first_failure_is_kept_as_well)
{
	struct work w = work_new();

	tuza_errgroup_fail(w.group, -EIO, "first");
	for (int i = 0; i < 10; i++)
		tuza_errgroup_go(w.group, explode_in_turn, &w);
	CHECK(tuza_errgroup_panic(w.group) == NULL);
	tuza_chan_send(w.go_on, NULL);
	WAIT_UNTIL(tuza_errgroup_panic(w.group) != NULL);
	tuza_chan_close(w.go_on);
	CHECK_EQ(tuza_errgroup_wait(w.group), -EIO);
	CHECK_STR(tuza_errgroup_message(w.group), "first");
	const tuza_panic_info *panic = tuza_errgroup_panic(w.group);
	if (CHECK(panic != NULL))
		CHECK_STR(panic->message, "panic number 0");
	work_free(&w);
}

static void explode_deferred(struct work *w) { (void)explode(w); }

static int exit_task(void *arg)
{
	struct work *w = arg;
	w->ran++;
	tuza_goexit();
}

static int exit_and_explode(void *arg)
{
	TUZA_DEFER(explode_deferred, (struct work *)arg);
	tuza_goexit();
}

TEST(goexit_ends_a_task_without_a_failure)
{
	struct work w = work_new();

	tuza_errgroup_set_limit(w.group, 1);
	for (int i = 0; i < 3; i++)
		tuza_errgroup_go(w.group, exit_task, &w);
	CHECK_EQ(tuza_errgroup_wait(w.group), 0);
	CHECK_EQ(w.ran, 3);
	tuza_errgroup_go(w.group, exit_and_explode, &w);
	CHECK_EQ(tuza_errgroup_wait(w.group), TUZA_EPANIC);
	work_free(&w);
}

static void free_group(tuza_errgroup *group) { tuza_errgroup_free(group); }

static void explode_around_a_group(void *arg)
{
	struct work *w = arg;
	w->group = tuza_errgroup_new(tuza_context_background());
	TUZA_DEFER(free_group, w->group);
	for (int i = 0; i < 5; i++)
		tuza_errgroup_go(w->group, watch_context, w);
	tuza_panic("no more");
}

TEST(free_cancels_and_waits_also_on_the_way_of_a_panic)
{
	struct work w = {0};

	CHECK_PANICS("no more", explode_around_a_group, &w);
	CHECK_EQ(w.ran, 5);
}
