// SPDX-License-Identifier: MIT
/*
 * What the tests of timers share.
 */
#ifndef TUZA_TIMER_SUPPORT_H
#define TUZA_TIMER_SUPPORT_H

#include "../test.h"

#define MS TUZA_MILLISECOND

TEST_UNUSED_ static bool recv_time(tuza_chan *c, int64_t *at) { return tuza_recv(c, at); }

// True when nothing can be received from c at present.
TEST_UNUSED_ static bool is_empty(tuza_chan *c) { return tuza_chan_try_recv(c, NULL) == -EAGAIN; }

TEST_UNUSED_ static void count(void *n) { atomic_fetch_add((atomic_int *)n, 1); }

#endif
