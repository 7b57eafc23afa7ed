// SPDX-License-Identifier: MIT
/*
 * A task of an error group that cannot be started for want of memory is a failure of the group.
 */
#include "../memory_limit.h"

#include <tuza/errgroup.h>

static atomic_long ran;

static int wait_for_the_end(void *context)
{
	TUZA_SELECT(TUZA_DONE((tuza_context *)context));
	ran++;
	return 0;
}

static int do_nothing(void *args)
{
	(void)args;
	ran++;
	return 0;
}

TEST(a_task_that_cannot_be_started_is_a_failure_of_its_group)
{
	tuza_errgroup *group = tuza_errgroup_new(tuza_context_background());
	tuza_context *ctx = tuza_errgroup_context(group);
	struct rlimit old;
	long started = 0;

	tuza_errgroup_go(group, wait_for_the_end, ctx); // has the done channel made
	wait_parked("select", 1);
	if (!limit_addresses((size_t)8 << 20, &old)) { // room for 32,768 descriptors
		SKIP("the limit of addresses cannot be set");
		tuza_errgroup_free(group);
		return;
	}
	while (started < 200000 && tuza_errgroup_try_go(group, wait_for_the_end, ctx))
		started++;
	tuza_errgroup_go(group, wait_for_the_end, ctx);
	setrlimit(RLIMIT_AS, &old);
	CHECK(started >= 1000 && started < 200000);
	CHECK_EQ(tuza_errgroup_wait(group), -ENOMEM);
	CHECK_EQ(tuza_context_cause(ctx), -ENOMEM);
	CHECK_STR(tuza_errgroup_message(group), tuza_strerror(-ENOMEM));
	CHECK(ran == started + 1 || ran == started + 2); // the last may have found memory
	tuza_errgroup_free(group);
}

// A copy that is larger than any memory.
TEST(arguments_that_cannot_be_copied_are_a_failure_of_the_group)
{
	tuza_errgroup *group = tuza_errgroup_new(tuza_context_background());

	ran = 0;
	tuza_errgroup_set_limit(group, 1);
	tuza_errgroup_go_copy(group, do_nothing, group, PTRDIFF_MAX);
	tuza_errgroup_go_copy(group, do_nothing, NULL, 0); // no slot was lost
	CHECK_EQ(tuza_errgroup_wait(group), -ENOMEM);
	CHECK_EQ(ran, 1);
	tuza_errgroup_free(group);
}
