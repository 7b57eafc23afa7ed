// SPDX-License-Identifier: MIT
/*
 * Child processes.
 *
 * A child is started as by vfork: it borrows this process's memory, and the calling thread waits,
 * until it executes the program. So the cost does not grow with the memory of the parent, and no
 * lock that another thread holds is copied. Until then only what is below runs in it: raw system
 * calls, on a stack of its own, with all signals blocked, since a handler of the program's would
 * change the parent's memory.
 *
 * What fails in the child comes back through a pipe that the exec closes. Memory would do, were it
 * always shared: valgrind and qemu fork.
 *
 * Rejected: posix_spawn. It can neither close what it does not know of nor, with what glibc has,
 * leave an ignored SIGINT ignored and set all others to their defaults.
 *
 * Go: src/syscall/exec_linux.go
 */
#define _GNU_SOURCE
#include "sys/process.h"
#include "base/atomic.h"
#include "sys/files.h"
#include "sys/linux/syscall.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

enum {
	STACK_BYTES = 32768, // the child's; it uses some 3 KiB
	SIGNALS = 64,
	SIGNAL_SET_BYTES = 8,
	RANGE_CLOEXEC = 4, // CLOSE_RANGE_CLOEXEC, Linux 5.11
};

// The kernel's struct sigaction, large enough for each CPU's.
struct kernel_action {
	unsigned long handler, flags, more[2];
};

struct child {
	const struct sys_spawn *spawn;
	int failure; // the pipe's end
};

static long call(long n, long a, long b, long c) { return raw_syscall6(n, a, b, c, 0, 0, 0); }

// ---- in the child ------------------------------------------------------------------------------

static long reset_signals(void)
{
	for (int sig = 1; sig <= SIGNALS; sig++) {
		struct kernel_action action = {(unsigned long)SIG_DFL, 0, {0, 0}};
		bool may_stay_ignored = sig == SIGHUP || sig == SIGINT || sig == SIGQUIT;

		if (sig == SIGKILL || sig == SIGSTOP)
			continue;
		raw_syscall6(SYS_rt_sigaction, sig, 0, (long)&action, SIGNAL_SET_BYTES, 0, 0);
		if (action.handler == (unsigned long)SIG_DFL ||
			(action.handler == (unsigned long)SIG_IGN && may_stay_ignored))
			continue;
		action = (struct kernel_action){(unsigned long)SIG_DFL, 0, {0, 0}};
		raw_syscall6(SYS_rt_sigaction, sig, (long)&action, 0, SIGNAL_SET_BYTES, 0, 0);
	}
	return 0;
}

// The processors' threads have exact timers (sys_thread_exact_timers); programs start with 50 us.
static void reset_timer_slack(void)
{
	if (call(SYS_prctl, PR_GET_TIMERSLACK, 0, 0) == 1)
		call(SYS_prctl, PR_SET_TIMERSLACK, 50000, 0);
}

// Puts the files to their places. One that lies where another has to go moves out of the way first.
static long place_files(struct child *c)
{
	int count = c->spawn->file_count;
	int at[SYS_SPAWN_FILES];
	long r;

	for (int i = 0; i < count; i++) {
		r = c->spawn->files[i];
		if (r < count && r != i)
			r = call(SYS_fcntl, r, F_DUPFD_CLOEXEC, count);
		if (r < 0)
			return r;
		at[i] = (int)r;
	}
	if (c->failure < count) {
		r = call(SYS_fcntl, c->failure, F_DUPFD_CLOEXEC, count);
		if (r < 0)
			return r;
		c->failure = (int)r;
	}
	for (int i = 0; i < count; i++) {
		r = at[i] == i ? call(SYS_fcntl, i, F_SETFD, 0) : call(SYS_dup3, at[i], i, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

// Before Linux 5.11: one by one, by the list of those open, else by all numbers there may be.
static void close_each_at_exec(int first)
{
	struct entry { // linux_dirent64
		uint64_t inode;
		int64_t offset;
		uint16_t bytes;
		uint8_t type;
		char name[];
	};
	_Alignas(struct entry) char entries[1024] = {0};
	long fd = raw_syscall6(SYS_openat, AT_FDCWD, (long)"/proc/self/fd",
		O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0, 0);
	long n;

	if (fd < 0) {
		struct rlimit limit = {0, 0};
		raw_syscall6(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0);
		for (long i = first; i < (long)limit.rlim_cur; i++)
			call(SYS_fcntl, i, F_SETFD, FD_CLOEXEC);
		return;
	}
	while ((n = call(SYS_getdents64, fd, (long)entries, sizeof entries)) > 0)
		for (long at = 0; at < n;) {
			const struct entry *e = (const void *)(entries + at);
			long number = 0;

			for (const char *p = e->name; *p >= '0' && *p <= '9'; p++)
				number = number * 10 + (*p - '0');
			if (number >= first)
				call(SYS_fcntl, number, F_SETFD, FD_CLOEXEC);
			at += e->bytes;
		}
	call(SYS_close, fd, 0, 0);
}

static long prepare(struct child *c)
{
	const struct sys_spawn *s = c->spawn;
	long r = reset_signals();

	reset_timer_slack();
	if (s->new_sid)
		r = call(SYS_setsid, 0, 0, 0);
	else if (s->new_group)
		r = call(SYS_setpgid, 0, 0, 0);
	if (r >= 0)
		r = place_files(c); // before the directory changes nothing is looked up by name
	if (r >= 0 && s->directory)
		r = call(SYS_chdir, (long)s->directory, 0, 0);
	if (r >= 0 && call(SYS_close_range, s->file_count, ~0u, RANGE_CLOEXEC) < 0)
		close_each_at_exec(s->file_count);
	return r;
}

static void run_child(void *arg)
{
	struct child *c = arg;
	const struct sys_spawn *s = c->spawn;
	uint64_t none = 0;
	long r = prepare(c);

	if (r >= 0) {
		raw_syscall6(
			SYS_rt_sigprocmask, SIG_SETMASK, (long)&none, 0, SIGNAL_SET_BYTES, 0, 0);
		r = call(SYS_execve, (long)s->path, (long)s->argv, (long)s->environment);
	}
	int error = (int)r;
	call(SYS_write, c->failure, (long)&error, sizeof error);
	call(SYS_exit_group, 127, 0, 0);
	__builtin_unreachable();
}

// ---- in the parent -----------------------------------------------------------------------------

// With all signals blocked: what the child does before it has reset them must not be disturbed.
static int clone_child(struct child *c, void *stack)
{
	uint64_t all = ~(uint64_t)0, mask = 0;

	raw_syscall6(
		SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&mask, SIGNAL_SET_BYTES, 0, 0);
	long pid = raw_clone(
		CLONE_VM | CLONE_VFORK | SIGCHLD, (char *)stack + STACK_BYTES, run_child, c);
	raw_syscall6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, SIGNAL_SET_BYTES, 0, 0);
	return (int)pid;
}

// What the child says: nothing if it executes the program.
static int read_failure(int fd)
{
	int error = 0;
	long n;

	do
		n = call(SYS_read, fd, (long)&error, sizeof error);
	while (n == -EINTR);
	return n == sizeof error ? error : 0;
}

int sys_spawn(const struct sys_spawn *s)
{
	int ends[2];
	void *stack = sys_pages_alloc(STACK_BYTES);

	if (!stack)
		return -ENOMEM;
	int pid = sys_pipe(ends);
	if (pid < 0)
		goto free_stack;
	struct child c = {.spawn = s, .failure = ends[1]};
	pid = clone_child(&c, stack);
	sys_close(ends[1]);
	int error = pid > 0 ? read_failure(ends[0]) : 0;
	sys_close(ends[0]);
	if (error) {
		int status = 0;
		struct sys_usage usage;
		sys_process_await(pid);
		sys_process_reap(pid, &status, &usage);
		pid = error;
	}
free_stack:
	sys_pages_free(stack, STACK_BYTES);
	return pid;
}

int sys_process_descriptor(int pid)
{
	static uint32_t missing; // relaxed: a hint, to save the call
	int fd = load_relaxed(&missing) ? -ENOSYS : (int)call(SYS_pidfd_open, pid, 0, 0);

	if (fd == -ENOSYS)
		store_relaxed(&missing, 1); // as above
	return fd;
}

int sys_kill(int pid, int sig) { return (int)call(SYS_kill, pid, sig, 0); }

int sys_process_await(int pid)
{
	siginfo_t info;
	long r;

	do
		r = raw_syscall6(SYS_waitid, P_PID, pid, (long)&info, WEXITED | WNOWAIT, 0, 0);
	while (r == -EINTR);
	return (int)r;
}

static int64_t nanoseconds(const struct timeval *t)
{
	return t->tv_sec * (int64_t)1000000000 + t->tv_usec * 1000;
}

int sys_process_reap(int pid, int *status, struct sys_usage *usage)
{
	struct rusage r = {.ru_maxrss = 0};
	long n;

	do
		n = raw_syscall6(SYS_wait4, pid, (long)status, WNOHANG, (long)&r, 0, 0);
	while (n == -EINTR);
	if (n <= 0)
		return (int)n;
	*usage = (struct sys_usage){
		nanoseconds(&r.ru_utime), nanoseconds(&r.ru_stime), r.ru_maxrss * (int64_t)1024};
	return 1;
}
