// SPDX-License-Identifier: MIT
/*
 * What the tests of error groups share.
 */
#ifndef TUZA_ERRGROUP_SUPPORT_H
#define TUZA_ERRGROUP_SUPPORT_H

#include "sync_support.h"

#include <tuza/context.h>
#include <tuza/errgroup.h>

// What the tasks of a test share.
struct work {
	tuza_errgroup *group;
	tuza_chan *go_on; // 0 bytes; tasks that have it wait for it
	atomic_int ran, active, most;
};

TEST_UNUSED_ static struct work work_new(void)
{
	return (struct work){
		.group = tuza_errgroup_new(tuza_context_background()),
		.go_on = tuza_chan_new(0, 0),
	};
}

TEST_UNUSED_ static void work_free(struct work *w)
{
	tuza_errgroup_free(w->group);
	tuza_chan_release(w->go_on);
}

TEST_UNUSED_ static int succeed(void *arg)
{
	struct work *w = arg;
	w->ran++;
	return 0;
}

#endif
