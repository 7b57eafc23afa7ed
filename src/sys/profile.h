// SPDX-License-Identifier: MIT
/*
 * What profiles ask of the OS: the threads of the process, a signal per piece of CPU time, and
 * whether an address may be read. Errors are negative errno values.
 */
#ifndef TUZA_SYS_PROFILE_H
#define TUZA_SYS_PROFILE_H

#include "base/compiler.h"

// Calls fn for the id of each thread of the process; those that start or end meanwhile may or may
// not be among them. 0 or a code.
int sys_threads_each(void (*fn)(int id, void *arg), void *arg);

enum { SYS_THREAD_NAME_BYTES = 16 }; // with the final 0: Linux's TASK_COMM_LEN

// The name of a thread of this process; false when there is no such thread (any more).
bool sys_thread_name_of(int id, char name[SYS_THREAD_NAME_BYTES]);

/*
 * Sends SIGPROF with `value` to a thread of this process, once. False when there is no such thread,
 * or the limit of pending signals is reached. For signal handlers, too, as the next two.
 */
bool sys_thread_ask(int id, void *value);

/*
 * Whether a signal does a thread no harm: it runs, or sleeps in a system call that Linux starts
 * again by itself (futex, read …). False for others, such as poll and nanosleep, which would end
 * early: signal(7). A glimpse.
 */
bool sys_thread_may_be_asked(int id);

// The calling thread's id.
int sys_thread_id(void);

/*
 * Sends SIGPROF, with `value` as its value, to a thread of this process for each `period` ns of CPU
 * time that it burns, for the first time after `first`.
 *
 * Returns  0, -EAGAIN (the limit of pending signals), or -EINVAL: there is no such thread.
 */
MUST_USE int sys_cpu_timer_start(int *timer, int id, int64_t first, int64_t period, void *value);
// A signal that is under way may still arrive.
void sys_cpu_timer_stop(int timer);

/*
 * The index of the unwind tables (.eh_frame_hdr) of the module that holds this code; NULL: there is
 * none. For signal handlers, too. Where the C library does not tell there (glibc before 2.35),
 * modules are known that were loaded before the latest sys_unwind_refresh, which is not for signal
 * handlers, and costs next to nothing when none have come or gone.
 */
const void *sys_unwind_index(uintptr_t pc);
void sys_unwind_refresh(void);

// How it is done where the C library does not tell; for tests, where it does.
const void *sys_unwind_table_index(uintptr_t pc);
void sys_unwind_table_refresh(void);

// Whether the 8 bytes at `address` can be read at this moment. For signal handlers, too.
bool sys_is_readable(const void *address);

#endif
