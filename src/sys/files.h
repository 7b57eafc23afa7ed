// SPDX-License-Identifier: MIT
/*
 * Descriptors of any kind: the system calls, with negative errno values as results and errno left
 * alone. Each is one call: -EINTR and -EAGAIN are the caller's to deal with.
 */
#ifndef TUZA_SYS_FILES_H
#define TUZA_SYS_FILES_H

#include "base/compiler.h"

#include <sys/types.h>

ssize_t sys_read(int fd, void *bytes, size_t count);
ssize_t sys_write(int fd, const void *bytes, size_t count);
ssize_t sys_pread(int fd, void *bytes, size_t count, int64_t offset);
ssize_t sys_pwrite(int fd, const void *bytes, size_t count, int64_t offset);
// What can be read without waiting for a disk or for anybody, at most `count` bytes, at `offset`
// (-1: where the file is). -EAGAIN: nothing; -EOPNOTSUPP, -ENOSYS …: that cannot be told here.
ssize_t sys_pread_now(int fd, void *bytes, size_t count, int64_t offset);
int sys_open(const char *path, int flags, unsigned mode); // and O_CLOEXEC
int sys_unlink(const char *path);                         // no directory
int sys_fsync(int fd);
int sys_close(int fd); // 0 also when interrupted: the descriptor is closed then

// Both ends are close-on-exec, and block.
MUST_USE int sys_pipe(int ends[2]);
// For a descriptor that nobody else has yet: the mode belongs to the open file.
int sys_set_nonblocking(int fd);
// Writing to a pipe that nobody reads is -EPIPE and raises no signal.
ssize_t sys_write_quietly(int fd, const void *bytes, size_t count);

// How many bytes one write may carry without blocking the thread, if the descriptor was just found
// ready for writing: SIZE_MAX for what never blocks for long (regular files) or not at all. 0: it
// is not open for writing.
size_t sys_write_limit(int fd);

#endif
