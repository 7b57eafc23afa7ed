// SPDX-License-Identifier: MIT
/*
 * Raw system calls on descriptors.
 */
#define _GNU_SOURCE
#include "sys/files.h"
#include "base/race_hooks.h"
#include "sys/linux/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

ssize_t sys_read(int fd, void *bytes, size_t count)
{
	return raw_syscall6(SYS_read, fd, (long)bytes, (long)count, 0, 0, 0);
}

ssize_t sys_write(int fd, const void *bytes, size_t count)
{
	return raw_syscall6(SYS_write, fd, (long)bytes, (long)count, 0, 0, 0);
}

ssize_t sys_pread(int fd, void *bytes, size_t count, int64_t offset)
{
	return raw_syscall6(SYS_pread64, fd, (long)bytes, (long)count, offset, 0, 0);
}

ssize_t sys_pwrite(int fd, const void *bytes, size_t count, int64_t offset)
{
	return raw_syscall6(SYS_pwrite64, fd, (long)bytes, (long)count, offset, 0, 0);
}

ssize_t sys_pread_now(int fd, void *bytes, size_t count, int64_t offset)
{
	const struct iovec piece = {bytes, count};

	// What goes past the cache does wait for the disk. It has to be aligned, which most is not:
	// that saves a call.
	if (count % 512 == 0 && (offset < 0 || offset % 512 == 0) &&
		raw_syscall6(SYS_fcntl, fd, F_GETFL, 0, 0, 0, 0) & O_DIRECT)
		return -EOPNOTSUPP;
	return raw_syscall6(SYS_preadv2, fd, (long)&piece, 1, offset, 0, RWF_NOWAIT);
}

int sys_open(const char *path, int flags, unsigned mode)
{
	return (int)raw_syscall6(
		SYS_openat, AT_FDCWD, (long)path, flags | O_CLOEXEC, (long)mode, 0, 0);
}

int sys_unlink(const char *path)
{
	return (int)raw_syscall6(SYS_unlinkat, AT_FDCWD, (long)path, 0, 0, 0, 0);
}

int sys_fsync(int fd) { return (int)raw_syscall6(SYS_fsync, fd, 0, 0, 0, 0, 0); }

int sys_close(int fd)
{
	int r;
	if (race_is_on()) {
		// The race detector keeps a table of descriptors, and must see that this one ends.
		int saved = errno;
		r = close(fd) == 0 ? 0 : -errno;
		errno = saved;
	} else {
		r = (int)raw_syscall6(SYS_close, fd, 0, 0, 0, 0, 0);
	}
	return r == -EINTR ? 0 : r;
}

int sys_pipe(int ends[2])
{
	return (int)raw_syscall6(SYS_pipe2, (long)ends, O_CLOEXEC, 0, 0, 0, 0);
}

int sys_set_nonblocking(int fd)
{
	long flags = raw_syscall6(SYS_fcntl, fd, F_GETFL, 0, 0, 0, 0);
	return (int)(flags < 0 ? flags
			       : raw_syscall6(SYS_fcntl, fd, F_SETFL, flags | O_NONBLOCK, 0, 0, 0));
}

/*
 * The kernel sends the signal to this thread, before the call returns: it is blocked meanwhile and
 * taken back, unless one was pending before. (RWF_NOSIGNAL is of Linux 6.18.)
 */
ssize_t sys_write_quietly(int fd, const void *bytes, size_t count)
{
	enum { SET_BYTES = 8 };
	const uint64_t sigpipe = (uint64_t)1 << (SIGPIPE - 1);
	const struct timespec now = {0, 0};
	uint64_t mask = 0, pending = 0;

	raw_syscall6(SYS_rt_sigprocmask, SIG_BLOCK, (long)&sigpipe, (long)&mask, SET_BYTES, 0, 0);
	if (mask & sigpipe)
		raw_syscall6(SYS_rt_sigpending, (long)&pending, SET_BYTES, 0, 0, 0, 0);
	ssize_t n = sys_write(fd, bytes, count);
	if (n == -EPIPE && !(pending & sigpipe))
		raw_syscall6(SYS_rt_sigtimedwait, (long)&sigpipe, 0, (long)&now, SET_BYTES, 0, 0);
	raw_syscall6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, SET_BYTES, 0, 0);
	return n;
}

size_t sys_write_limit(int fd)
{
	struct statx s = {.stx_mode = 0};
	long flags = raw_syscall6(SYS_fcntl, fd, F_GETFL, 0, 0, 0, 0);
	if (flags >= 0 && (flags & O_ACCMODE) == O_RDONLY) // O_PATH as well
		return 0;
	if (flags >= 0 && flags & O_NONBLOCK)
		return SIZE_MAX;
	bool is_regular = raw_syscall6(SYS_statx, fd, (long)"", AT_EMPTY_PATH, STATX_TYPE, (long)&s,
				  0) == 0 &&
			  S_ISREG(s.stx_mode);
	return is_regular ? SIZE_MAX : PIPE_BUF; // POSIX: so much fits a pipe that poll finds ready
}
