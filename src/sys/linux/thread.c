// SPDX-License-Identifier: MIT
/*
 * Threads, CPUs, barriers, and the start-up of sys/.
 */
#define _GNU_SOURCE
#include "sys/sys.h"
#include "base/atomic.h"
#include "base/hash.h"
#include "sys/clock.h"
#include "sys/linux/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
	BARRIER_SLEEP_NS = 1000000,
	JOIN_AWAKE_NS = 100000,
};

static bool membarrier_works;      // constant after sys_init
static uint32_t membarrier_failed; // any thread, atomic
static sigset_t signal_mask;       // the same: of the thread that called it

int sys_thread_start(void *(*fn)(void *), void *arg, size_t stack_bytes)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error = pthread_attr_init(&attributes);
	if (error)
		return -error;
	if (stack_bytes)
		pthread_attr_setstacksize(&attributes, stack_bytes);
	// Not the caller's: the monitor blocks all signals, and a fault while its signal is blocked
	// kills without a word.
	pthread_attr_setsigmask_np(&attributes, &signal_mask);
	error = pthread_create(&thread, &attributes, fn, arg);
	pthread_attr_destroy(&attributes);
	return -error;
}

void sys_thread_join(const sys_thread *t)
{
	int64_t until = sys_clock_now() + JOIN_AWAKE_NS;
	while (pthread_tryjoin_np((pthread_t)t->handle, NULL) == EBUSY) {
		if (sys_clock_now() >= until) {
			pthread_join((pthread_t)t->handle, NULL);
			return;
		}
		sys_yield();
	}
}

void sys_thread_detach_self(void) { pthread_detach(pthread_self()); }

void sys_thread_self(sys_thread *t)
{
	clockid_t clock;
	t->handle = (unsigned long)pthread_self();
	t->cpu_clock = pthread_getcpuclockid(pthread_self(), &clock) == 0 ? clock : 0;
	t->id = (int)raw_syscall6(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

int64_t sys_own_cpu_time(void)
{
	struct timespec t = {0, 0};
	raw_syscall6(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, (long)&t, 0, 0, 0, 0);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t sys_thread_cpu_time(const sys_thread *t)
{
	struct timespec used = {0, 0};
	if (t->cpu_clock == 0 ||
		raw_syscall6(SYS_clock_gettime, t->cpu_clock, (long)&used, 0, 0, 0, 0) != 0)
		return 0;
	return used.tv_sec * 1000000000ll + used.tv_nsec;
}

void sys_thread_exact_timers(void) { raw_syscall6(SYS_prctl, PR_SET_TIMERSLACK, 1, 0, 0, 0, 0); }

void sys_thread_name(const char *name)
{
	raw_syscall6(SYS_prctl, PR_SET_NAME, (long)name, 0, 0, 0, 0);
}

/*
 * Reads a stat file of proc into `buffer`; returns what stands behind the name, "S 1 …": the name
 * may hold anything, so it ends at the last ')'. NULL when it cannot be read.
 */
static const char *read_stat(const char *path, char *buffer, size_t size)
{
	long fd = raw_syscall6(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (fd < 0)
		return NULL;
	long n = raw_syscall6(SYS_read, fd, (long)buffer, (long)size - 1, 0, 0, 0);
	raw_syscall6(SYS_close, fd, 0, 0, 0, 0, 0);
	if (n <= 0)
		return NULL;
	buffer[n] = 0;
	char *p = strrchr(buffer, ')');
	return p && p[1] ? p + 2 : NULL;
}

int sys_thread_count(void)
{
	char buffer[1024];
	const char *p = read_stat("/proc/self/stat", buffer, sizeof buffer);
	// num_threads is field 20; p is at field 3.
	for (int field = 3; p && field < 20; field++) {
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	int threads = 0;
	while (p && *p >= '0' && *p <= '9')
		threads = threads * 10 + (*p++ - '0');
	return threads;
}

bool sys_thread_sleeps(int id)
{
	char path[64], buffer[1024], digits[16];
	size_t n = 0;
	for (; id > 0; id /= 10)
		digits[n++] = (char)('0' + id % 10);
	char *at = stpcpy(path, "/proc/self/task/");
	while (n > 0)
		*at++ = digits[--n];
	stpcpy(at, "/stat");
	const char *p = read_stat(path, buffer, sizeof buffer);
	return p && (*p == 'S' || *p == 'D');
}

void sys_yield(void) { raw_syscall6(SYS_sched_yield, 0, 0, 0, 0, 0, 0); }

void sys_sleep(int64_t ns)
{
	struct timespec t = {ns / 1000000000, ns % 1000000000};
	raw_syscall6(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, (long)&t, 0, 0, 0);
}

int sys_cpu_count(void)
{
	unsigned long mask[1024 / sizeof(unsigned long)] = {0}; // 8,192 CPUs
	long bytes = raw_syscall6(SYS_sched_getaffinity, 0, sizeof mask, (long)mask, 0, 0, 0);
	int n = 0;
	for (long i = 0; i < bytes / (long)sizeof(unsigned long); i++)
		n += __builtin_popcountl(mask[i]);
	return n > 0 ? n : 1;
}

bool sys_membarrier_works(void) { return membarrier_works; }

bool sys_membarrier_is_lost(void) { return load_relaxed(&membarrier_failed); } // a hint

bool sys_membarrier_all(void)
{
	if (raw_syscall6(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0, 0, 0, 0) == 0)
		return true;
	// A filter has come to forbid it: stores are seen by all after some nanoseconds.
	store_relaxed(&membarrier_failed, 1); // as above
	sys_sleep(BARRIER_SLEEP_NS);
	return false;
}

void sys_init(void)
{
	sys_page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	pthread_sigmask(SIG_SETMASK, NULL, &signal_mask);
	membarrier_works = raw_syscall6(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
				   0, 0, 0, 0, 0) == 0;
}

uint64_t sys_random_seed(void)
{
	uint64_t seed = 0;
	if (raw_syscall6(SYS_getrandom, (long)&seed, sizeof seed, GRND_NONBLOCK, 0, 0, 0) !=
		sizeof seed) {
		struct timespec t = {0, 0};
		raw_syscall6(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&t, 0, 0, 0, 0);
		seed = (uint64_t)t.tv_nsec * HASH_FACTOR ^ (uint64_t)t.tv_sec;
	}
	return seed | 1;
}
