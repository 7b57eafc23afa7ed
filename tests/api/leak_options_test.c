// SPDX-License-Identifier: MIT
// What a leak check ignores, and the check of a block. T7.5.
#include "leak_support.h"

// ---- names -----------------------------------------------------------------------------------

TEST(ignore_top_is_the_innermost_function)
{
	if (!has_names())
		return;
	begin();
	leave(descends, 2);
	CHECK_EQ(FOUND(.ignore_top = "waits"), 0);
	CHECK_EQ(FOUND(.ignore_top = "waits_deep_down"), 2);
	CHECK_EQ(FOUND(.ignore_top = "descends"), 2);
	end();
}

static tuza_mutex held;

static void locks(void *arg)
{
	(void)arg;
	tuza_mutex_lock(&held);
	tuza_mutex_unlock(&held);
}

// As in Go, where time.Sleep is one.
TEST(ignore_top_is_also_the_tuza_function_that_it_called)
{
#ifndef __OPTIMIZE__
	SKIP("the header's tuza_mutex_lock is a function of the program here");
	return;
#endif
	tuza_mutex_lock(&held);
	tuza_go(locks, NULL);
	wait_parked("sync.Mutex.Lock", 1);
	CHECK_EQ(FOUND(.fd = 0), 1);
	CHECK_CONTAINS(report, "\ntuza_mutex_lock(...)\n");
	CHECK_EQ(FOUND(.ignore_top = "tuza_mutex_lock"), 0);
	CHECK_EQ(FOUND(.ignore_any = "tuza_mutex_lock"), 0);
	if (has_names())
		CHECK_EQ(FOUND(.ignore_top = "locks"), 0);
	CHECK_EQ(FOUND(.ignore_top = "tuza_mutex_unlock"), 1);
	tuza_mutex_unlock(&held);
}

TEST(ignore_any_is_every_function_of_the_stack)
{
	if (!has_names())
		return;
	begin();
	leave(descends, 2);
	CHECK_EQ(FOUND(.ignore_any = "waits"), 0);
	CHECK_EQ(FOUND(.ignore_any = "waits_deep_down"), 0);
	CHECK_EQ(FOUND(.ignore_any = "descends"), 0);
	CHECK_EQ(FOUND(.ignore_any = "waits_named"), 2);
	CHECK_EQ(FOUND(.ignore_any = "descend"), 2);
	end();
}

TEST(ignore_any_sees_both_ends_of_a_deep_stack)
{
	if (!has_names())
		return;
	begin();
	leave(descends_far, 1);
	CHECK_EQ(FOUND(.fd = 0), 1);
	CHECK_CONTAINS(report, " frames elided...");
	CHECK_EQ(FOUND(.ignore_any = "waits"), 0);
	CHECK_EQ(FOUND(.ignore_any = "descends_far"), 0);
	CHECK_EQ(FOUND(.ignore_top = "descends_far"), 1);
	end();
}

TEST(ignore_created_by_is_the_function_with_the_go_statement)
{
	if (!has_names())
		return;
	begin();
	starts_one();
	wait_parked("chan receive", 1);
	CHECK_EQ(FOUND(.ignore_created_by = "starts_one"), 0);
	CHECK_EQ(FOUND(.ignore_created_by = "waits"), 1);
	CHECK_EQ(FOUND(.ignore_created_by = __func__), 1);
	tuza_go(waits, NULL);
	wait_parked("chan receive", 2);
	CHECK_EQ(FOUND(.ignore_created_by = "starts_one"), 1);
	CHECK_EQ(FOUND(.ignore_created_by = __func__), 1);
	end();
}

TEST(ignore_name_is_the_goroutines)
{
	begin();
	leave(waits_named, 1);
	CHECK_EQ(FOUND(.ignore_name = "reader 3"), 0);
	CHECK_EQ(FOUND(.ignore_name = "reader *"), 0);
	CHECK_EQ(FOUND(.ignore_name = "reader"), 1);
	CHECK_CONTAINS(report, "name \"reader 3\"");
	leave(waits, 2);
	CHECK_EQ(FOUND(.ignore_name = "reader 3"), 2);
	CHECK_EQ(FOUND(.ignore_name = "*"), 0); // as no name is a name, too
	end();
}

TEST(names_come_in_lists_with_stars)
{
	begin();
	leave(waits_named, 1);
	CHECK_EQ(FOUND(.ignore_name = "writer 1, reader 3"), 0);
	CHECK_EQ(FOUND(.ignore_name = "reader 3,writer 1"), 0);
	CHECK_EQ(FOUND(.ignore_name = " , ,reader 3 , "), 0);
	CHECK_EQ(FOUND(.ignore_name = "reader,3"), 1);
	CHECK_EQ(FOUND(.ignore_name = ""), 1);
	CHECK_EQ(FOUND(.ignore_name = ","), 1);
	CHECK_EQ(FOUND(.ignore_name = "*3"), 0);
	CHECK_EQ(FOUND(.ignore_name = "r*r*3"), 0);
	CHECK_EQ(FOUND(.ignore_name = "*e*e*e*"), 1);
	CHECK_EQ(FOUND(.ignore_name = "**reader 3**"), 0);
	CHECK_EQ(FOUND(.ignore_name = "reader 3*4"), 1);
	CHECK_EQ(FOUND(.ignore_name = "reader 33"), 1);
	end();
}

TEST(names_are_looked_at_before_the_wait_is_over)
{
	tuza_leak_options options = {.ignore_created_by = "leave", .wait = 25 * TUZA_SECOND};
	int64_t before = tuza_now();

	if (!has_names())
		return;
	begin();
	leave(waits, 2);
	CHECK_EQ(tuza_leak_check(&options), 0);
	CHECK(tuza_now() - before < 20 * TUZA_SECOND);
	end();
}

// ---- those of before -------------------------------------------------------------------------

TEST(ignore_current_hides_the_old_and_finds_the_new)
{
	tuza_leak_snapshot *none = tuza_leak_snapshot_new();

	begin();
	leave(waits, 20);
	tuza_leak_snapshot *old = tuza_leak_snapshot_new();
	CHECK_EQ(FOUND(.ignore_current = none), 20);
	CHECK_EQ(FOUND(.ignore_current = old), 0);
	leave(waits_named, 1);
	wait_parked("chan receive, name", 1);
	CHECK_EQ(FOUND(.ignore_current = old), 1);
	CHECK_CONTAINS(report, "reader 3");
	CHECK_EQ(FOUND(.ignore_current = old, .ignore_name = "reader 3"), 0);
	tuza_leak_snapshot_free(none);
	tuza_leak_snapshot_free(old);
	end();
}

TEST(snapshot_of_many_is_searched)
{
	begin();
	leave(waits, test_is_on_valgrind() ? 300 : 3000);
	tuza_leak_snapshot *old = tuza_leak_snapshot_new();
	CHECK_EQ(FOUND(.ignore_current = old), 0);
	tuza_leak_snapshot_free(old);
	end();
}

// ---- verify, and the check of a block --------------------------------------------------------

static tuza_leak_options quiet = {.wait = -1, .fd = -1};

static void verifies(void *options) { tuza_leak_verify(options); }

TEST(verify_panics_when_something_is_left)
{
	begin();
	leave(waits, 2);
	CHECK_PANICS("tuza_leak_verify: 2 left over", verifies, &quiet);
	end();
	tuza_leak_verify(&quiet);
}

static void leaves_none(void *arg)
{
	tuza_goroutine *g;

	(void)arg;
	TUZA_LEAK_CHECK();
	g = tuza_spawn(does_nothing, NULL);
	tuza_join(g);
}

static void leaves_two(void *options)
{
	TUZA_LEAK_CHECK(options);
	leave(waits, 2);
}

static void leaves_two_by_default(void *arg)
{
	(void)arg;
	TUZA_LEAK_CHECK();
	leave(waits, 2);
}

TEST(block_that_leaves_something_panics_at_its_end)
{
	tuza_leak_options readers = {.wait = -1, .fd = -1, .ignore_name = "*"};

	CHECK_EQ(tuza_try(leaves_none, NULL, NULL), 0);
	begin();
	CHECK_PANICS("tuza_leak_verify: 2 left over", leaves_two, &quiet);
	CHECK_EQ(tuza_try(leaves_none, NULL, NULL), 0); // those are from before
	CHECK_EQ(tuza_try(leaves_two, &readers, NULL), 0);
	CHECK_PANICS("tuza_leak_verify: 2 left over", leaves_two, &quiet);
	end();
}

TEST(report_of_a_block_goes_to_standard_error)
{
	int fd = memfd_create("report", MFD_CLOEXEC), saved = dup(STDERR_FILENO);

	begin();
	dup2(fd, STDERR_FILENO);
	CHECK_PANICS("tuza_leak_verify: 2 left over", leaves_two_by_default, NULL);
	dup2(saved, STDERR_FILENO);
	ssize_t n = pread(fd, report, sizeof(report) - 1, 0);
	report[n > 0 ? n : 0] = 0;
	CHECK_EQ(strncmp(report, "found unexpected goroutines:\ngoroutine ", 39), 0);
	CHECK_EQ(occurrences("\ngoroutine "), 2);
	close(saved);
	close(fd);
	end();
}

// To see whether there was a check.
static tuza_leak_options noted = {
	.wait = -1, .fd = -1, .buffer = report, .buffer_bytes = sizeof(report)};

static void panics_in_its_block(void *arg)
{
	(void)arg;
	TUZA_LEAK_CHECK(&noted);
	leave(waits, 1);
	strcpy(report, "none");
	tuza_panic("of its own");
}

TEST(block_that_panics_is_not_checked)
{
	begin();
	CHECK_PANICS("of its own", panics_in_its_block, NULL);
	CHECK_STR(report, "none");
	end();
}

static void exits_in_its_block(void *arg)
{
	(void)arg;
	TUZA_LEAK_CHECK(&noted);
	leave(waits, 1);
	strcpy(report, "none");
	tuza_goexit();
}

TEST(block_that_exits_the_goroutine_is_not_checked)
{
	begin();
	CHECK_EQ(tuza_join(tuza_spawn(exits_in_its_block, NULL)), 0);
	CHECK_STR(report, "none");
	end();
}

TEST_PLAIN(block_of_a_plain_thread_is_checked)
{
	CHECK_EQ(tuza_try(leaves_none, NULL, NULL), 0);
	begin();
	CHECK_PANICS("tuza_leak_verify: 2 left over", leaves_two, &quiet);
	end();
}
