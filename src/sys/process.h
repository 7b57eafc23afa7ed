// SPDX-License-Identifier: MIT
/*
 * Child processes: the system calls, with negative errno values as results and errno left alone.
 */
#ifndef TUZA_SYS_PROCESS_H
#define TUZA_SYS_PROCESS_H

#include "base/compiler.h"

enum { SYS_SPAWN_FILES = 256 };

struct sys_spawn {
	const char *path; // what to execute; from `directory` if it is not absolute
	const char *const *argv, *const *environment; // NULL at their ends
	const char *directory;                        // NULL: this process's
	const int *files;                             // become the child's 0 … file_count - 1
	int file_count;                               // 3 to SYS_SPAWN_FILES
	bool new_group, new_sid;
};

/*
 * Starts a child. In it no signal is blocked, and each does what it does by default, but SIGHUP,
 * SIGINT and SIGQUIT stay ignored if they are. It has `files` open and nothing else.
 *
 * Returns  its number once it executes the program: what keeps it from doing so is an error here,
 *          and then there is no child.
 * Blocks   the thread: until then.
 */
MUST_USE int sys_spawn(const struct sys_spawn *s);

// A descriptor that can be read when the process has ended. -ENOSYS, -EPERM: not on this system.
MUST_USE int sys_process_descriptor(int pid);

// Sends a signal to a process or, negative, a group. The child must not have been reaped.
int sys_kill(int pid, int sig);

// Blocks the thread until the child has ended; it stays to be reaped. -ECHILD: no child of ours.
int sys_process_await(int pid);

struct sys_usage {
	int64_t user_time, system_time; // ns
	int64_t most_memory;            // bytes resident
};

// Takes the end of a child. Returns 1 and its wait status; 0: it goes on; -ECHILD.
int sys_process_reap(int pid, int *status, struct sys_usage *usage);

#endif
