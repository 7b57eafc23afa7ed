// SPDX-License-Identifier: MIT
/*
 * The threadcreate profile: the threads of the process, by the names that the kernel knows them by.
 * Machines are called "tuza". Where a thread was made nobody has written down; Go, too, has had no
 * stacks here for long.
 */
#include "pprof/collect.h"
#include "sys/profile.h"

static const struct profile_kind threadcreate_kind = {
	.name = "threadcreate",
	.values = {{"threadcreate", "count"}},
	.value_count = 1,
	.period_type = {"threadcreate", "count"},
	.period = 1,
};

static void add_thread(int id, void *arg)
{
	static const uint64_t one = 1;
	char name[SYS_THREAD_NAME_BYTES];
	struct bytes text = {0};

	if (!sys_thread_name_of(id, name))
		return; // it has ended meanwhile
	bytes_text(&text, "[thread ");
	bytes_text(&text, name);
	bytes_put(&text, "]", sizeof("]"));
	if (!text.failed)
		profile_add(arg,
			&(struct profile_stack){.name = (const char *)text.data, .labels = ""},
			&one);
	bytes_free(&text);
}

static void collect(struct profile *p, const struct arch_saved *caller)
{
	(void)caller;
	sys_threads_each(add_thread, p);
}

const struct profile_source pprof_threadcreate = {&threadcreate_kind, collect};
