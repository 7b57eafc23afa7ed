// SPDX-License-Identifier: MIT
/*
 * Threads by /proc, CPU timers by timer_create, readable addresses by a call that fails.
 */
#define _GNU_SOURCE
#include "sys/profile.h"

#include "base/digits.h"
#include "sys/linux/syscall.h"
#include "sys/sys.h"
#include "sys/valgrind.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

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

// Reads a file about a thread; how many bytes, or a code.
static long read_of_thread(int id, const char *file, char *buffer, size_t size)
{
	char path[64], digits[DIGITS_MAX + 1] = "";
	char *at = stpcpy(path, "/proc/self/task/");

	at = stpcpy(at, digits_write(digits, (uint64_t)id, 10));
	stpcpy(at, file);
	long fd = raw_syscall6(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (fd < 0)
		return fd;
	long got = raw_syscall6(SYS_read, fd, (long)buffer, (long)size, 0, 0, 0);
	raw_syscall6(SYS_close, fd, 0, 0, 0, 0, 0);
	return got;
}

bool sys_thread_name_of(int id, char name[SYS_THREAD_NAME_BYTES])
{
	long got = read_of_thread(id, "/comm", name, SYS_THREAD_NAME_BYTES);

	if (got <= 0)
		return false;
	name[got - 1] = 0; // a newline
	return true;
}

// ---- asking a thread ---------------------------------------------------------------------------

int sys_thread_id(void) { return (int)raw_syscall6(SYS_gettid, 0, 0, 0, 0, 0, 0); }

bool sys_thread_ask(int id, void *value)
{
	long process = raw_syscall6(SYS_getpid, 0, 0, 0, 0, 0, 0);
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGPROF;
	info.si_code = SI_QUEUE;
	info.si_pid = (pid_t)process;
	info.si_value.sival_ptr = value;
	return raw_syscall6(SYS_rt_tgsigqueueinfo, process, id, SIGPROF, (long)&info, 0, 0) == 0;
}

// Started again after a handler with SA_RESTART: signal(7). Those of sockets are not if they have a
// time limit, so they are not here.
static bool is_restarted(int call)
{
	static const int restarted[] = {SYS_futex, SYS_read, SYS_write, SYS_readv, SYS_writev,
		SYS_pread64, SYS_pwrite64, SYS_openat, SYS_fsync, SYS_fdatasync, SYS_flock,
		SYS_fcntl, SYS_wait4, SYS_waitid, SYS_getrandom, SYS_madvise, SYS_munmap,
		SYS_mprotect, SYS_mmap, SYS_sched_yield};

	for (size_t i = 0; i < COUNT_OF(restarted); i++)
		if (restarted[i] == call)
			return true;
	return false;
}

bool sys_thread_may_be_asked(int id)
{
	char text[256];
	// "running", or "202 0x7f … sp pc"; "-1 sp pc" in a fault.
	long n = read_of_thread(id, "/syscall", text, sizeof(text) - 1);

	if (n <= 0)
		return !sys_thread_sleeps(id); // this kernel does not tell
	text[n] = 0;
	if (text[0] < '0' || text[0] > '9')
		return true;
	text[strcspn(text, " ")] = 0;
	return is_restarted(number_of(text));
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

// Valgrind takes the call below for a mistake of the program's. At what this one reads it does not
// look.
static bool is_readable_in_valgrind(const void *address)
{
	char copy[8];
	struct iovec to = {copy, sizeof(copy)}, from = {(void *)(uintptr_t)address, sizeof(copy)};

	return raw_syscall6(SYS_process_vm_readv, getpid(), (long)&to, 1, (long)&from, 1, 0) !=
	       -EFAULT;
}

bool sys_is_readable(const void *address)
{
	enum { NO_SUCH_CHANGE = -1, MASK_BYTES = 8 };

	if (RUNNING_ON_VALGRIND)
		return is_readable_in_valgrind(address);
	// The kernel copies the new mask, then finds that it does not know what to do with it.
	return raw_syscall6(SYS_rt_sigprocmask, NO_SUCH_CHANGE, (long)address, 0, MASK_BYTES, 0,
		       0) != -EFAULT;
}
