// SPDX-License-Identifier: MIT
/*
 * Address space: reserving, committing, guarding, giving back.
 */
#define _GNU_SOURCE
#include "sys/sys.h"
#include "base/atomic.h"
#include "sys/linux/syscall.h"
#include "sys/valgrind.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 // Linux 6.13; Debian 12's headers are older
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 // Linux 5.14
#endif
#define PIDFD_SELF_THREAD (-10000) // Linux 6.14: the calling process, without opening a descriptor

size_t sys_page_bytes;

static long map(size_t bytes, int protection, int more)
{
	return raw_syscall6(SYS_mmap, 0, (long)bytes, protection,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | more, -1, 0);
}

static long advise(void *base, size_t bytes, int advice)
{
	return raw_syscall6(SYS_madvise, (long)base, (long)bytes, advice, 0, 0, 0);
}

void *sys_pages_reserve(size_t bytes, size_t align)
{
	// Align by reserving more and giving the ends back.
	if (bytes + align < bytes)
		return NULL;
	long r = map(bytes + align, PROT_NONE, 0);
	if (raw_is_error(r))
		return NULL;
	uintptr_t start = (uintptr_t)r;
	uintptr_t aligned = (start + align - 1) & ~(align - 1);
	if (aligned > start)
		sys_pages_free((void *)start, aligned - start);
	sys_pages_free((void *)(aligned + bytes), start + align - aligned);
	// Huge pages would make each touched stack cost 2 MiB. Refused by kernels without them: no
	// harm.
	advise((void *)aligned, bytes, MADV_NOHUGEPAGE);
	// The kernel leaves untouched pages out of core files, but gdb's gcore writes them.
	advise((void *)aligned, bytes, MADV_DONTDUMP);
	return (void *)aligned;
}

int sys_pages_commit(void *base, size_t bytes)
{
	long r = raw_syscall6(
		SYS_mprotect, (long)base, (long)bytes, PROT_READ | PROT_WRITE, 0, 0, 0);
	if (raw_is_error(r))
		return -ENOMEM;
	advise(base, bytes, MADV_DODUMP);
	return 0;
}

void *sys_pages_alloc(size_t bytes)
{
	long r = map(bytes, PROT_READ | PROT_WRITE, 0);
	return raw_is_error(r) ? NULL : (void *)r;
}

void *sys_pages_alloc_touched(size_t bytes)
{
	long r = map(bytes, PROT_READ | PROT_WRITE, MAP_POPULATE);
	return raw_is_error(r) ? NULL : (void *)r;
}

void sys_pages_touch(void *base, size_t bytes)
{
	if (!raw_is_error(advise(base, bytes, MADV_POPULATE_WRITE)))
		return;
	for (size_t at = 0; at < bytes; at += sys_page_bytes)
		*((volatile char *)base + at) = 0;
}

void sys_pages_free(void *base, size_t bytes)
{
	if (bytes)
		raw_syscall6(SYS_munmap, (long)base, (long)bytes, 0, 0, 0, 0);
}

void sys_pages_trim(void *base, size_t bytes)
{
	if (bytes)
		advise(base, bytes, MADV_DONTNEED);
}

enum sys_guard sys_guard_probe(void *probe)
{
	// EINVAL: an older kernel, or the process locks its memory (mlockall).
	if (raw_is_error(advise(probe, sys_page_bytes, MADV_GUARD_INSTALL)))
		return SYS_GUARD_MPROTECT;
	// Emulators may take advice that they do not know for advice that need not be followed
	// (qemu-user does): then the kernel can still write there.
	if (raw_syscall6(SYS_clock_gettime, CLOCK_MONOTONIC, (long)probe, 0, 0, 0, 0) == -EFAULT)
		return SYS_GUARD_MADVISE;
	sys_pages_trim(probe, sys_page_bytes);
	return SYS_GUARD_MPROTECT;
}

static int guard_one(enum sys_guard kind, void *at, size_t bytes)
{
	long r = kind == SYS_GUARD_MADVISE
			 ? advise(at, bytes, MADV_GUARD_INSTALL)
			 : raw_syscall6(SYS_mprotect, (long)at, (long)bytes, PROT_NONE, 0, 0, 0);
	return raw_is_error(r) ? (int)r : 0;
}

int sys_guard_install(
	enum sys_guard kind, void *base, size_t stride, size_t count, size_t guard_bytes)
{
	enum { BATCH = 128 };
	static bool batch_refused; // hint: process_madvise on ourselves is newer than the advice
	size_t done = 0;
	if (RUNNING_ON_VALGRIND) // 3.19 complains that it does not know the call
		store_relaxed(&batch_refused, true);
	while (kind == SYS_GUARD_MADVISE && count - done > 1 && !load_relaxed(&batch_refused)) {
		struct iovec v[BATCH];
		size_t n = 0;
		for (; n < BATCH && done + n < count; n++)
			v[n] = (struct iovec){(char *)base + (done + n) * stride, guard_bytes};
		long r = raw_syscall6(SYS_process_madvise, PIDFD_SELF_THREAD, (long)v, (long)n,
			MADV_GUARD_INSTALL, 0, 0);
		if (r != (long)(n * guard_bytes)) {
			store_relaxed(&batch_refused, true);
			break; // installing twice is harmless
		}
		done += n;
	}
	for (; done < count; done++) {
		int error = guard_one(kind, (char *)base + done * stride, guard_bytes);
		if (error)
			return error;
	}
	return 0;
}
