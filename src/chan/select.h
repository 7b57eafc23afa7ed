// SPDX-License-Identifier: MIT
/*
 * What the two halves of a select share: select.c, which does what can be done without waiting, and
 * select_wait.c, which decides under the locks of all channels, and waits.
 */
#ifndef TUZA_CHAN_SELECT_H
#define TUZA_CHAN_SELECT_H

#include "base/race_hooks.h"
#include "chan/chan.h"
#include <tuza/select.h>

// In place of a case's index: none was ready.
enum { SELECT_NOTHING = -1 };

// What the cases amount to besides channels.
struct select_overview {
	int default_index; // -1: none
	int time_index;    // the earliest timed case, -1: none
	int64_t time;      // absolute
	size_t channels;   // channel cases whose channel is not NULL
	size_t only;       // the last of them
};

static ALWAYS_INLINE bool select_is_channel_case(const tuza_select_case *k)
{
	return k->kind <= TUZA_SELECT_RECV_;
}

// A hint without the channel's lock; see chan_may_recv.
static ALWAYS_INLINE bool select_may_go_on(const tuza_select_case *k)
{
	return k->kind == TUZA_SELECT_RECV_ ? chan_may_recv(k->chan) : chan_may_send(k->chan);
}

// Does a case. Needs: its channel's lock.
static ALWAYS_INLINE enum chan_result select_do_locked(
	const tuza_select_case *k, struct goroutine **wake)
{
	return k->kind == TUZA_SELECT_RECV_ ? chan_recv_locked(k->chan, k->value, wake)
					    : chan_send_locked(k->chan, k->value, wake);
}

/*
 * What is left to be done for a case when no lock is held any more: tells, wakes, panics. The
 * channel may be gone: `bytes` is the size of its elements.
 */
static inline void select_finish(
	const tuza_select_case *k, size_t bytes, enum chan_result r, struct goroutine *wake)
{
	if (k->kind == TUZA_SELECT_SEND_) {
		if (unlikely(r == CHAN_CLOSED))
			chan_panic_closed();
	} else {
		if (k->ok)
			*k->ok = r == CHAN_DONE;
		race_write(k->value, bytes);
	}
	if (wake)
		ready(wake);
}

/*
 * Decides at one instant, under the locks of all channels, and waits if there is no default.
 *
 *   ordered  of several ready cases the first is taken, not one by chance.
 *
 * Returns  the index of the case that was done.
 * Panics   as tuza_select, with no lock held.
 */
int select_wait(tuza_select_case *cases, size_t n, const struct select_overview *o, bool ordered);

#endif
