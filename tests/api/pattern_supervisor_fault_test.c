// SPDX-License-Identifier: MIT
/*
 * The supervisor of a function that faults.
 */
// not-under: valgrind it reports each access to a stack that a fault leaves
#include "pattern_support.h"

static volatile int sink;
static int *volatile null_pointer;

// Not a division by zero: AArch64 has a result for it.
static int read_null(tuza_context *ctx, void *runs)
{
	(void)ctx;
	if (++*(int *)runs < 3)
		sink = *null_pointer;
	return 0;
}

static void note(const tuza_supervisor_failure *f, void *told)
{
	++*(int *)told;
	CHECK_EQ(f->code, TUZA_EPANIC);
	CHECK_STR(f->message, "runtime error: invalid memory address or nil pointer dereference");
}

TEST(faults_are_failures_where_asked_for)
{
	int runs = 0, told = 0;
	tuza_supervisor_options o = {
		.backoff = TUZA_MICROSECOND,
		.flags = TUZA_RECOVER_FAULTS,
		.on_failure = note,
		.on_failure_arg = &told,
	};

	CHECK_EQ(tuza_supervise(tuza_context_background(), &o, read_null, &runs), 0);
	CHECK_EQ(runs, 3);
	CHECK_EQ(told, 2);
}
