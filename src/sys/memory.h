// SPDX-License-Identifier: MIT
/*
 * What a look at all memory of the process asks of the OS: that nothing moves meanwhile, and what
 * memory there is.
 */
#ifndef TUZA_SYS_MEMORY_H
#define TUZA_SYS_MEMORY_H

#include "base/compiler.h"

// ---- stop.c: all other threads of the process stand still -----------------------------------

// A thread that stands in the signal's handler.
struct sys_stopped {
	int id;
	/*
	 * What it was doing: its registers lie in [registers, registers_end); its stack goes on at
	 * `sp`, what leaf functions may use below it included. When both are on one stack the
	 * registers end where the stack begins. All 0: it could not be stopped, because it blocks
	 * the signal or is stuck in the kernel; it may be running.
	 */
	const char *registers, *registers_end;
	const char *sp;
	// Its alternate signal stack; NULL: none.
	const char *signal_stack;
	size_t signal_stack_bytes;
	uint32_t arrived; // atomic
};

/*
 * Stops all other threads of the process where they are, by SIGURG. They may hold any lock: until
 * sys_threads_resume the caller uses neither malloc, nor stdio, nor anything else that locks.
 *
 *   stopped  room for `room` threads; must stay where it is until the resume.
 *
 * System calls under way are restarted where Linux does that (see signal(7)); epoll_wait, poll,
 * nanosleep and their like return EINTR.
 *
 * Returns  how many there are, those that could not be stopped included; -ENOSPC: more than `room`;
 *          -EBUSY: the program handles the signal itself; or another code. Then all run on.
 * Blocks   until they stand, 2 s at most for one that is stuck. Needs: one caller at a time.
 */
MUST_USE int sys_threads_stop(struct sys_stopped *stopped, size_t room);

// Lets them go on, and waits until none needs `stopped` any more.
void sys_threads_resume(void);

// The calling thread's alternate signal stack; NULL: none.
const char *sys_signal_stack(size_t *bytes);

// The signal that stops: for threads that block all others.
int sys_stop_signal(void);

// ---- memory.c -------------------------------------------------------------------------------

struct sys_mapping {
	uintptr_t low, high;
	bool is_shared;  // with other processes, perhaps
	bool is_device;  // reading it may do something
	bool is_heap;    // the kernel's [heap]
	bool is_stack;   // the main thread's
	bool is_unnamed; // no file and no name: mmap's, or a program's zeroed data
};

/*
 * Calls fn for each mapping that can be read and written, in order of address. Allocates nothing
 * and takes no lock. 0 or a code.
 */
MUST_USE int sys_mappings_each(void (*fn)(const struct sys_mapping *m, void *arg), void *arg);

/*
 * Copies memory of this process; what cannot be read ends the copy instead of the process. Returns
 * how many bytes it got.
 */
size_t sys_memory_copy(void *to, uintptr_t from, size_t bytes);

/*
 * Tells for each of `pages` pages from `low` on whether there is anything in it: untouched ones
 * read as zero. False: it cannot be told.
 */
bool sys_pages_touched(uintptr_t low, size_t pages, bool *touched);

#endif
