// SPDX-License-Identifier: MIT
/*
 * What the tests of tuza_leak_scan share: goroutines that are leaked, and a scan that finds them.
 *
 * A goroutine that a test leaks is freed after the scan: its channel's address is kept where the
 * scan cannot see it, with all bits inverted.
 */
#ifndef TUZA_LEAK_SCAN_SUPPORT_H
#define TUZA_LEAK_SCAN_SUPPORT_H

#include "alone.h"

#include <tuza/context.h>
#include <tuza/time.h>

#define NOINLINE __attribute__((noinline))
#define KEEP_FRAME() __asm__ volatile("" ::: "memory") // no tail call

#ifdef __OPTIMIZE__
#define IS_OPTIMIZED true
#else
#define IS_OPTIMIZED false
#endif

// Whether malloc is glibc's, so that the scan knows its blocks; an emulator hides where they are,
// and without optimisation stale copies of pointers stay on the stacks.
TEST_UNUSED_ static bool sees_heap(void)
{
	return IS_OPTIMIZED && !TEST_SANITIZED && !test_is_on_valgrind() &&
	       !getenv("TUZA_TEST_EMULATOR");
}

// The scan found so many; fewer where it does not know malloc's blocks, never more.
#define CHECK_FOUND(n)                                                                             \
	do {                                                                                       \
		int found_ = scan();                                                               \
		CHECK(found_ >= 0 && found_ <= (n));                                               \
		if (sees_heap())                                                                   \
			CHECK_EQ(found_, (n));                                                     \
	} while (0)

// Waits until every goroutine but the caller is parked.
TEST_UNUSED_ static void settle(void)
{
	tuza_statistics s;

	WAIT_UNTIL((tuza_stats(&s), s.runnable == 0 && s.running + s.blocked <= 1));
}

TEST_UNUSED_ static NOINLINE int scan(void)
{
	settle();
	int n = tuza_leak_scan(-1);
	KEEP_FRAME();
	return n;
}

TEST_UNUSED_ static _Atomic uintptr_t hidden[8];

TEST_UNUSED_ static void hide(int i, const void *p) { hidden[i] = ~(uintptr_t)p; }
TEST_UNUSED_ static void *shown(int i) { return (void *)~hidden[i]; }

TEST_UNUSED_ static void recvs(void *c)
{
	tuza_chan_recv(c, NULL);
	tuza_chan_release(c);
}

// A goroutine waits for a channel that only it knows.
TEST_UNUSED_ static NOINLINE void leak_one(int i)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	hide(i, c);
	tuza_go(recvs, c);
	KEEP_FRAME();
}

TEST_UNUSED_ static void let_go(int i) { tuza_chan_close(shown(i)); }

// Waits until the context ends.
TEST_UNUSED_ static void waits_for_end(void *ctx)
{
	tuza_chan_recv(tuza_context_done(ctx), NULL);
	tuza_context_release(ctx);
}

#endif
