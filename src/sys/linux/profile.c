// SPDX-License-Identifier: MIT
/*
 * Threads by /proc, CPU timers by timer_create, readable addresses by a call that fails.
 */
#define _GNU_SOURCE
#include "sys/profile.h"

#include "sys/linux/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>

struct directory_entry { // the kernel's linux_dirent64
	uint64_t inode;
	int64_t offset;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

// The number that the text is; 0 for other texts.
static int number_of(const char *text)
{
	int n = 0;

	for (; *text >= '0' && *text <= '9' && n < 100000000; text++)
		n = n * 10 + (*text - '0');
	return *text ? 0 : n;
}

int sys_threads_each(void (*fn)(int id, void *arg), void *arg)
{
	_Alignas(struct directory_entry) char entries[2048] = {0};
	long fd = raw_syscall6(SYS_openat, AT_FDCWD, (long)"/proc/self/task",
		O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0, 0);
	long n;

	if (fd < 0)
		return (int)fd;
	while ((n = raw_syscall6(SYS_getdents64, fd, (long)entries, sizeof(entries), 0, 0, 0)) > 0)
		for (long at = 0; at < n;) {
			const struct directory_entry *e = (const void *)(entries + at);
			int id = number_of(e->name);

			if (id > 0)
				fn(id, arg);
			at += e->bytes;
		}
	raw_syscall6(SYS_close, fd, 0, 0, 0, 0, 0);
	return (int)n;
}

bool sys_thread_name_of(int id, char name[SYS_THREAD_NAME_BYTES])
{
	char path[64], digits[16];
	size_t n = 0;

	for (; id > 0; id /= 10)
		digits[n++] = (char)('0' + id % 10);
	char *at = stpcpy(path, "/proc/self/task/");
	while (n > 0)
		*at++ = digits[--n];
	stpcpy(at, "/comm");
	long fd = raw_syscall6(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (fd < 0)
		return false;
	long got = raw_syscall6(SYS_read, fd, (long)name, SYS_THREAD_NAME_BYTES, 0, 0, 0);
	raw_syscall6(SYS_close, fd, 0, 0, 0, 0, 0);
	if (got <= 0)
		return false;
	name[got - 1] = 0; // a newline
	return true;
}

// ---- CPU timers --------------------------------------------------------------------------------

int sys_cpu_timer_start(int *timer, int id, int64_t first, int64_t period, void *value)
{
	enum { PER_THREAD = 4, CPU_TIME = 2 }; // the kernel's CPUCLOCK_PERTHREAD_MASK, _SCHED
	const int64_t second = 1000000000;
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF};
	struct itimerspec when = {
		.it_value = {first / second, first % second},
		.it_interval = {period / second, period % second},
	};
	int clock = (int)(~(unsigned)id << 3 | PER_THREAD | CPU_TIME);

	event.sigev_value.sival_ptr = value;
	event._sigev_un._tid = id;
	long error = raw_syscall6(SYS_timer_create, clock, (long)&event, (long)timer, 0, 0, 0);
	if (error)
		return (int)error;
	error = raw_syscall6(SYS_timer_settime, *timer, 0, (long)&when, 0, 0, 0);
	if (error)
		sys_cpu_timer_stop(*timer);
	return (int)error;
}

void sys_cpu_timer_stop(int timer) { raw_syscall6(SYS_timer_delete, timer, 0, 0, 0, 0, 0); }

// ---- addresses ---------------------------------------------------------------------------------

bool sys_is_readable(const void *address)
{
	enum { NO_SUCH_CHANGE = -1, MASK_BYTES = 8 };

	// The kernel copies the new mask, then finds that it does not know what to do with it.
	return raw_syscall6(SYS_rt_sigprocmask, NO_SUCH_CHANGE, (long)address, 0, MASK_BYTES, 0,
		       0) != -EFAULT;
}
