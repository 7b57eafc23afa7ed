// SPDX-License-Identifier: MIT
/*
 * Descriptors and files: waiting for any descriptor, reading and writing without stopping a
 * processor.
 *
 *	// A library that has a descriptor of its own: let others run until it can go on.
 *	while ((r = lib_step(lib)) == LIB_WANTS_READ)
 *		if (tuza_wait_fd(lib_fd(lib), POLLIN, tuza_now() + 5 * TUZA_SECOND) < 0)
 *			return give_up(lib);
 *
 * These work on descriptors of any origin, in whatever mode they are: O_NONBLOCK is never set on
 * one that tuza did not open, since it would change for other processes, too. Where a call might
 * block the thread it is made in a blocking section, so other goroutines run on. Connections of
 * tuza/net.h have functions of their own, which cost less.
 *
 * Deadlines are absolute, in the time of tuza_now; 0 is none. No call is ever cut short by a
 * signal. Results are counts or negative codes.
 */
#ifndef TUZA_IO_H
#define TUZA_IO_H

#include <tuza/macros.h>

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Waits until `fd` is ready: the door for libraries that know nothing of goroutines.
 *
 *   fd        a socket, pipe, terminal, eventfd …; a regular file is always ready.
 *   events    POLLIN, POLLOUT or both, from <poll.h>.
 *   deadline  absolute (tuza_now() + …); 0: none. A past one makes it a look without waiting.
 *
 * Any number of goroutines and threads may wait for one descriptor; what makes it ready wakes all
 * of them. One that was waited for must be closed by tuza_close, or by a library that stops using
 * it first: nobody waiting.
 *
 * Returns  which of `events` it is ready for, also when only its end or failure can be read.
 * Errors   TUZA_EIOTIMEOUT; TUZA_EFDCLOSED when tuza_close closed it meanwhile; -EBADF; -EINVAL for
 *          other events; -EPERM: a kind of file that cannot be waited for; -ENOMEM, -EMFILE.
 * Panics   inside a blocking section: "tuza: IO wait inside a blocking section".
 * Blocks   parks the goroutine; a plain thread blocks.
 * Callable from  any goroutine or thread. Not from a signal handler.
 * Go       internal/poll's WaitRead, WaitWrite; RawConn.Read   (N7)
 */
int tuza_wait_fd(int fd, int events, int64_t deadline);

/*
 * Closes a descriptor. Whoever waits for it, or in tuza_read or tuza_write, gets TUZA_EFDCLOSED;
 * system calls under way are not awaited, as with close(2). A descriptor that has been waited for
 * must be closed by this function.
 *
 * Returns  0 or a code.
 * Errors   -EBADF; -EIO and its like from files whose last write failed: it is closed all the same.
 * Blocks   parks for no event; the thread as long as the file system takes.
 * Orders   everything before this is visible to whoever gets TUZA_EFDCLOSED.
 * Go       os.File.Close   (N3)
 */
int tuza_close(int fd);

/*
 * Reads up to `count` bytes, waiting until there are some.
 *
 * Returns  how many, at least 1; 0 at the end, or for a count of 0, which waits for nothing.
 * Errors   TUZA_EFDCLOSED; those of read(2), without EINTR and EAGAIN; as tuza_wait_fd.
 * Panics   inside a blocking section, if it would have to wait for a socket: as tuza_wait_fd.
 * Blocks   parks the goroutine; the read itself is a blocking section.
 * Go       os.File.Read   (N4, N5)
 */
TUZA_MUST_USE ssize_t tuza_read(int fd, void *bytes, size_t count);

/*
 * Writes all of `count` bytes, waiting whenever they do not fit.
 *
 * Returns  `count`; less if there was a failure after some were written: the next call returns its
 *          code.
 * Errors   TUZA_EFDCLOSED; those of write(2), without EINTR and EAGAIN; as tuza_wait_fd. A socket
 *          without a reader is -EPIPE and raises no signal; a pipe raises SIGPIPE, as with
 *          write(2).
 * Panics, Blocks   as tuza_read.
 * Go       os.File.Write   (N5)
 */
TUZA_MUST_USE ssize_t tuza_write(int fd, const void *bytes, size_t count);

/*
 * Opens a file, close-on-exec, in a blocking section: a slow file system or a FIFO stops no
 * processor.
 *
 *   flags, mode  as open(2)'s. Mode counts with O_CREAT and O_TMPFILE.
 *
 * Returns  the descriptor, for tuza_close.
 * Errors   those of open(2), without EINTR.
 * Blocks   the thread, in the section.
 * Go       os.OpenFile
 */
TUZA_MUST_USE int tuza_open(const char *path, int flags, unsigned mode);

/*
 * Reads or writes at an offset of a file, in a blocking section, until all is done or, for reading,
 * until the file's end.
 *
 * Returns  how many bytes; less than `count` at the end, or if there was a failure after some: the
 *          next call tells which. To a file opened with O_APPEND Linux writes at its end, whatever
 *          the offset.
 * Errors   those of pread(2) and pwrite(2), without EINTR.
 * Blocks   the thread, in the section.
 * Go       os.File.ReadAt, WriteAt
 */
TUZA_MUST_USE ssize_t tuza_pread(int fd, void *bytes, size_t count, int64_t offset);
TUZA_MUST_USE ssize_t tuza_pwrite(int fd, const void *bytes, size_t count, int64_t offset);

/*
 * Waits, in a blocking section, until what was written is on the disk.
 *
 * Returns  0 or a code.
 * Errors   those of fsync(2), without EINTR. After -EIO do not try again: what was to be written
 *          is lost.
 * Blocks   the thread, in the section.
 * Go       os.File.Sync
 */
int tuza_fsync(int fd);

#ifdef __cplusplus
}
#endif
#endif
