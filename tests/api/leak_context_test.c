// SPDX-License-Identifier: MIT
// Contexts that nobody has freed, in the report of a leak check.
#include "leak_support.h"

#include <tuza/context.h>

static NOINLINE tuza_context *makes_one(tuza_context *parent)
{
	tuza_context *ctx = tuza_context_with_cancel(parent);

	KEEP_FRAME();
	return ctx;
}

TEST(context_is_reported_until_it_is_freed)
{
	tuza_context *ctx = makes_one(tuza_context_background());

	CHECK_EQ(FOUND(.fd = 0), 1);
	CHECK_EQ(
		strncmp(report,
			"found contexts that were not freed:\ncontext.WithCancel\ncreated by ", 66),
		0);
	CHECK_CONTAINS(report, " in goroutine 1\n\t");
	if (has_names())
		CHECK_CONTAINS(report, "\ncreated by makes_one in goroutine 1\n\t");
	tuza_context_cancel(ctx); // cancelled is not freed
	CHECK_EQ(FOUND(.fd = 0), 1);
	tuza_context_free(ctx);
	CHECK_EQ(FOUND(.fd = 0), 0);
}

TEST(context_that_was_freed_and_is_still_held_is_no_leak)
{
	tuza_context *parent = makes_one(tuza_context_background());
	tuza_context *child = tuza_context_with_timeout(parent, TUZA_HOUR);

	tuza_context_free(parent);
	CHECK_EQ(FOUND(.fd = 0), 1);
	CHECK_CONTAINS(report, "\ncontext.WithDeadline\ncreated by ");
	tuza_context_free(child);
	CHECK_EQ(FOUND(.fd = 0), 0);
}

TEST(every_kind_of_context_is_reported)
{
	static const int key;
	tuza_context *root = tuza_context_background();
	tuza_context *cancel = tuza_context_with_cancel(root);
	tuza_context *value = tuza_context_with_value(cancel, &key, NULL);
	tuza_context *without = tuza_context_without_cancel(value);

	CHECK_EQ(FOUND(.fd = 0), 3);
	CHECK_CONTAINS(report, "\ncontext.WithCancel\n");
	CHECK_CONTAINS(report, "\ncontext.WithValue\n");
	CHECK_CONTAINS(report, "\ncontext.WithoutCancel\n");
	tuza_context_free(cancel);
	tuza_context_free(value);
	tuza_context_free(without);
}

TEST(context_is_ignored_by_its_maker_or_by_a_snapshot)
{
	tuza_context *old = makes_one(tuza_context_background());
	tuza_leak_snapshot *before = tuza_leak_snapshot_new();

	CHECK_EQ(FOUND(.ignore_current = before), 0);
	// The allocator may give the same address again: it is another context.
	tuza_context_free(old);
	tuza_context *new = makes_one(tuza_context_background());
	CHECK_EQ(FOUND(.ignore_current = before), 1);
	if (has_names())
		CHECK_EQ(FOUND(.ignore_created_by = "makes_one"), 0);
	tuza_context_free(new);
	tuza_leak_snapshot_free(before);
}

static void makes_and_frees(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200; i++)
		tuza_context_free(makes_one(tuza_context_background()));
}

TEST(contexts_may_come_and_go_while_it_looks)
{
	tuza_waitgroup wg = {0};

	for (int i = 0; i < 4; i++)
		tuza_waitgroup_go(&wg, makes_and_frees, NULL);
	for (int i = 0; i < 50; i++)
		FOUND(.fd = 0);
	tuza_waitgroup_wait(&wg);
	CHECK_EQ(tuza_leak_check(&(tuza_leak_options){.wait = 10 * TUZA_SECOND}), 0);
}
