// SPDX-License-Identifier: MIT
/*
 * Error groups: a few tasks fanned out and waited for, many in one group, and many below a limit.
 */
#include "bench.h"

#include <stdlib.h>
#include <tuza/tuza.h>

enum {
	fan_out = 8,         // tasks of a small group
	group_batch = 10000, // tasks of a large one
	group_limit = 8,     // how many of a bounded one are under way at a time
};

static int count_run(void *runs)
{
	++*(uint32_t *)runs;
	return 0;
}

// `groups` groups of `tasks` each.
static int64_t run_groups(int64_t groups, int tasks, int limit)
{
	uint32_t *runs = allocate((size_t)tasks, sizeof *runs);
	for (int64_t g = 0; g < groups; g++) {
		tuza_errgroup *group = tuza_errgroup_new(tuza_context_background());
		tuza_errgroup_set_limit(group, limit);
		for (int i = 0; i < tasks; i++)
			tuza_errgroup_go(group, count_run, &runs[i]);
		int code = tuza_errgroup_wait(group);
		check(code == 0, "a group failed with %d", code);
		tuza_errgroup_free(group);
	}
	for (int i = 0; i < tasks; i++)
		check(runs[i] == groups, "task %d ran %u times, not %lld", i, runs[i],
			(long long)groups);
	free(runs);
	return groups;
}

static int64_t errgroup_8(int64_t n) { return run_groups(n, fan_out, -1); }

static int64_t errgroup_batch(int64_t n)
{
	return group_batch * run_groups((n + group_batch - 1) / group_batch, group_batch, -1);
}

static int64_t errgroup_limit(int64_t n)
{
	return group_batch *
	       run_groups((n + group_batch - 1) / group_batch, group_batch, group_limit);
}

const struct workload group_workloads[] = {
	{.name = "errgroup-8",
		.operation = "a group of 8 tasks, made and waited for",
		.run = errgroup_8,
		.memory = true},
	{.name = "errgroup-batch",
		.operation = "a task: 10,000 in a group",
		.run = errgroup_batch,
		.memory = true},
	{.name = "errgroup-limit",
		.operation = "a task: 10,000 in a group, 8 at a time",
		.run = errgroup_limit,
		.memory = true},
	{0},
};
