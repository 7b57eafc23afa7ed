// SPDX-License-Identifier: MIT
/*
 * The clock: nanoseconds since some fixed moment, never going back, not moved by changes of the
 * wall clock.
 */
#ifndef TUZA_SYS_CLOCK_H
#define TUZA_SYS_CLOCK_H

#include "base/compiler.h"

// The time now. About 20 ns, no system call. Callable from signal handlers.
int64_t sys_clock_now(void);

// The same as of the last tick, some milliseconds ago: half the cost.
int64_t sys_clock_coarse(void);

// CPU time that the calling thread has burnt.
int64_t sys_clock_burnt(void);

// Whether arch_ticks() counts alike on all CPUs, at all times: the kernel's clock hangs on it, too.
bool sys_ticks_are_steady(void);

// Sleeps the calling thread until sys_clock_now() >= when. Signals do not cut it short; errno is
// left alone.
void sys_clock_sleep_until(int64_t when);

#endif
