// SPDX-License-Identifier: MIT
/*
 * What the tests of waiting for descriptors share.
 */
#ifndef TUZA_IO_WAIT_SUPPORT_H
#define TUZA_IO_WAIT_SUPPORT_H

#include "../test.h"

#include <tuza/io.h>

#include <poll.h>

#define MS TUZA_MILLISECOND

// A wait in a goroutine of its own.
struct wait {
	int fd, events;
	int64_t deadline;
	atomic_int result, done;
};

TEST_UNUSED_ static void wait_for(struct wait *w)
{
	atomic_store(&w->result, tuza_wait_fd(w->fd, w->events, w->deadline));
	atomic_store(&w->done, 1);
}

TEST_UNUSED_ static void put(int fd) { CHECK_EQ(write(fd, "x", 1), 1); }

TEST_UNUSED_ static void get(int fd)
{
	char c;
	CHECK_EQ(read(fd, &c, 1), 1);
}

#endif
