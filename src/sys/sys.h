// SPDX-License-Identifier: MIT
/*
 * What an OS must provide besides the C library. All errors are negative errno values; errno is
 * left alone. sys/clock.h holds the clock.
 */
#ifndef TUZA_SYS_SYS_H
#define TUZA_SYS_SYS_H

#include "base/compiler.h"

// ---- futex.c: a thread sleeps on a word ----------------------------------------------------

/*
 * Sleeps while *word == value, until sys_futex_wake or the absolute monotonic time `deadline` (ns;
 * INT64_MAX: no deadline). Returns 0 when woken or when *word differed or for no reason at all;
 * -ETIMEDOUT at the deadline.
 */
int sys_futex_wait(uint32_t *word, uint32_t value, int64_t deadline);

// Wakes up to `count` threads that sleep on the word.
void sys_futex_wake(uint32_t *word, int count);

/*
 * Waits while *word == value, for `ns` at most, without falling asleep: other threads get the CPU
 * if they want it. For what is about to come: a sleeper's CPU is idle, and to wake it up takes
 * 5 us, or hundreds where a hypervisor lends CPUs out. Returns true when *word differed; the
 * caller loads it again, in the order that it needs.
 */
bool sys_await_awake(const uint32_t *word, uint32_t value, int64_t ns);

// ---- pages.c: address space ---------------------------------------------------------------

extern size_t sys_page_bytes; // set by sys_init

// Reserves address space without memory, aligned to `align` (a power of two). NULL when there is
// none.
void *sys_pages_reserve(size_t bytes, size_t align);
// Makes reserved pages usable; they cost memory when touched. 0 or -ENOMEM.
MUST_USE int sys_pages_commit(void *base, size_t bytes);
// Reserved and committed in one: zeroed memory. NULL when there is none.
void *sys_pages_alloc(size_t bytes);
// The same, for what is about to be written as a whole: without a page fault for each page.
void *sys_pages_alloc_touched(size_t bytes);
// Gets the memory behind committed pages now.
void sys_pages_touch(void *base, size_t bytes);
void sys_pages_free(void *base, size_t bytes);
// Gives the memory behind the pages back; they read as zero afterwards.
void sys_pages_trim(void *base, size_t bytes);

enum sys_guard {
	SYS_GUARD_MADVISE,  // MADV_GUARD_INSTALL, Linux 6.13: no mapping is split
	SYS_GUARD_MPROTECT, // each guard splits a mapping: at most SYS_GUARDS_BY_MPROTECT
	SYS_GUARD_NONE,
};
// 65,530 mappings are Linux's default limit and each guard makes two; the program needs some as
// well.
enum { SYS_GUARDS_BY_MPROTECT = 30000 };

// The kind that works for pages at `probe` (committed, untouched).
enum sys_guard sys_guard_probe(void *probe);
/*
 * Makes `guard_bytes` at base + i * stride inaccessible, for i in [0, count). 0, or a negative code
 * when the kernel refused: then some may be guarded.
 */
MUST_USE int sys_guard_install(
	enum sys_guard kind, void *base, size_t stride, size_t count, size_t guard_bytes);

// ---- thread.c -----------------------------------------------------------------------------

typedef struct sys_thread {
	unsigned long handle; // pthread_t
	int cpu_clock;        // of the thread, for sys_thread_cpu_time
	int id;
} sys_thread;

// Starts a thread, to be joined or to detach itself; its signal mask is that of the thread that
// called sys_init. 0, -EAGAIN or -ENOMEM.
MUST_USE int sys_thread_start(void *(*fn)(void *), void *arg, size_t stack_bytes);
// Fills *t for the calling thread.
void sys_thread_self(sys_thread *t);
// Waits until a thread that described itself has ended altogether: awake at first, as
// sys_await_awake, for it is about to.
void sys_thread_join(const sys_thread *t);
// Nobody will join the calling thread.
void sys_thread_detach_self(void);
// CPU time it has burnt, ns; 0 when it cannot be told.
int64_t sys_thread_cpu_time(const sys_thread *t);

// The same of the calling thread. A system call: 0.2 µs.
int64_t sys_own_cpu_time(void);
// True when the thread of that id sleeps in the kernel (not merely waits for a CPU).
bool sys_thread_sleeps(int id);
// Timers of this thread fire when asked, not 50 us later.
void sys_thread_exact_timers(void);
void sys_thread_name(const char *name);
// How many threads this process has; 0 when it cannot be told.
int sys_thread_count(void);
void sys_yield(void);
void sys_sleep(int64_t ns);
// CPUs this process may run on, at least 1.
int sys_cpu_count(void);

/*
 * After sys_membarrier_all returns, every running thread of the process has executed a full barrier
 * since the call began. sys_membarrier_works is false when the kernel has no such call (probed by
 * sys_init).
 *
 * A program may come to forbid it by a filter. Then sys_membarrier_all waits for a millisecond
 * instead and returns false, and sys_membarrier_is_lost: nothing should begin to rely on it.
 */
bool sys_membarrier_works(void);
bool sys_membarrier_all(void);
bool sys_membarrier_is_lost(void);

// Once, before anything else here.
void sys_init(void);

// A seed that differs between runs.
uint64_t sys_random_seed(void);

#endif
