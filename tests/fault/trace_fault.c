// SPDX-License-Identifier: MIT
/*
 * Memory runs out while something is traced: events are lost, and what is written is a trace.
 */
#include "../api/trace_support.h"
#include "../memory_limit.h"

TEST(a_trace_that_there_is_no_memory_for_is_refused)
{
	struct rlimit old;

	if (!limit_addresses(1 << 20, &old)) {
		SKIP("the limit of addresses cannot be set");
		return;
	}
	CHECK_EQ(tuza_trace_start(1), -ENOMEM); // its tables are larger
	CHECK(!tuza_trace_is_on());
	CHECK_EQ(tuza_trace_stop(), 0);
	setrlimit(RLIMIT_AS, &old);
}

TEST(events_without_memory_are_lost_and_the_rest_is_a_trace)
{
	int fd = trace_memory();
	struct rlimit old;

	CHECK_EQ(tuza_trace_start(fd), 0);
	if (!limit_addresses(256 << 10, &old)) {
		SKIP("the limit of addresses cannot be set");
	} else {
		for (int i = 0; i < 50000; i++)
			tuza_yield(); // 100,000 events: a hundred chunks
		CHECK_EQ(tuza_trace_stop(), -ENOMEM);
		setrlimit(RLIMIT_AS, &old);
		CHECK_EQ(tuza_trace_start(fd), 0);
		tuza_yield();
	}
	CHECK_EQ(ftruncate(fd, 0), 0);
	lseek(fd, 0, SEEK_SET);
	CHECK_EQ(tuza_trace_stop(), 0);
	struct trace_file *t = trace_read(fd);

	CHECK(!t->is_broken);
	free(t);
	close(fd);
}
