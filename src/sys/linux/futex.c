// SPDX-License-Identifier: MIT
/*
 * Sleeping on a word: raw futex calls, because the C library's primitives had lost wake-ups of
 * their own (glibc bug 25847) and because errno must not change.
 */
#define _GNU_SOURCE
#include "sys/sys.h"

#include "base/atomic.h"
#include "sys/clock.h"
#include "sys/linux/syscall.h"

#include <errno.h>
#include <linux/futex.h>
#include <time.h>

int sys_futex_wait(uint32_t *word, uint32_t value, int64_t deadline)
{
	struct timespec at = {deadline / 1000000000, deadline % 1000000000};
	// WAIT_BITSET takes an absolute monotonic deadline; WAIT would take a relative one and
	// drift.
	long r = raw_syscall6(SYS_futex, (long)word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, value,
		deadline == INT64_MAX ? 0 : (long)&at, 0, (long)FUTEX_BITSET_MATCH_ANY);
	return r == -ETIMEDOUT ? -ETIMEDOUT : 0;
}

void sys_futex_wake(uint32_t *word, int count)
{
	raw_syscall6(SYS_futex, (long)word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, 0, 0, 0);
}

bool sys_await_awake(const uint32_t *word, uint32_t value, int64_t ns)
{
	int64_t until = sys_clock_now() + ns;
	while (load_relaxed(word) == value) { // the caller looks again
		if (sys_clock_now() >= until)
			return false;
		sys_yield();
	}
	return true;
}
