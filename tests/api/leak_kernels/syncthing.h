// SPDX-License-Identifier: MIT
// After bugs of Syncthing.
#include "kernel.h"

// Notifies under the write lock by a function that reads.
static void y4829_notifies(tuza_rwmutex *mut)
{
	tuza_rwmutex_rlock(mut);
	tuza_rwmutex_runlock(mut);
}

KERNEL(syncthing4829, 1)
{
	tuza_rwmutex *mut = NEW(tuza_rwmutex);

	if (is_fixed)
		y4829_notifies(mut);
	tuza_rwmutex_lock(mut);
	if (!is_fixed)
		y4829_notifies(mut);
	tuza_rwmutex_unlock(mut);
}

// The dispatcher closes the connection, which waits for the dispatcher.
struct y5795 {
	tuza_chan *inbox, *closed, *loop_stopped;
};

static void y5795_dispatches(struct y5795 *c, bool is_fixed)
{
	if (TUZA_SELECT(TUZA_RECV(c->inbox, (int *)NULL), TUZA_RECV(c->closed, (int *)NULL)) == 0) {
		tuza_chan_close(c->closed); // Close
		if (!is_fixed)
			take(c->loop_stopped);
	}
	tuza_chan_close(c->loop_stopped);
}

KERNEL(syncthing5795, 2)
{
	struct y5795 *c = NEW(struct y5795);

	*c = (struct y5795){chan(0), chan(0), chan(0)};
	TUZA_GO(y5795_dispatches, c, is_fixed);
	put(c->inbox);
	take(c->loop_stopped);
}
