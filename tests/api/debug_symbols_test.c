// SPDX-License-Identifier: MIT
// not-under: valgrind, where to read them three times takes too long
/*
 * The names of functions and lines, which are read at the first report: by several at once.
 */
#include "../test.h"

#include <tuza/pprof.h>
#include <tuza/sync.h>

static void report(tuza_chan *start, int turn, tuza_waitgroup *group)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	char text[2000];

	TUZA_DEFER(tuza_waitgroup_done, group);
	tuza_recv(start, NULL);
	if (turn % 2) {
		CHECK_EQ(tuza_pprof_write(null, "goroutine", turn % 3), 0);
	} else {
		CHECK(tuza_stack(text, sizeof(text)) > 0);
		CHECK_CONTAINS(text, "report(");
	}
	close(null);
}

// TB2: also to ThreadSanitizer, which does not see the locks of the library that reads them.
TEST(several_reports_at_once_are_the_first)
{
	tuza_chan *start = tuza_chan_new(0, 0);
	tuza_waitgroup group = {0};

	tuza_waitgroup_add(&group, 3);
	for (int i = 0; i < 3; i++)
		TUZA_GO(report, start, i, &group);
	tuza_chan_close(start);
	tuza_waitgroup_wait(&group);
	tuza_chan_release(start);
}
