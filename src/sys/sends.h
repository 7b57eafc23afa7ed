// SPDX-License-Identifier: MIT
/*
 * Many sends on sockets by one system call. It is an offer of the OS that may be refused; each send
 * is then a call of its own (sockets.h).
 *
 *	if (sys_sends_open(&s) == 0) {
 *		sys_sends_add(&s, fd, bytes, count, &result);    // up to SYS_SENDS_MOST
 *		…
 *		sys_sends_submit(&s);                            // all results are there
 *	}
 */
#ifndef TUZA_SYS_SENDS_H
#define TUZA_SYS_SENDS_H

#include "base/compiler.h"

#include <sys/types.h>

enum { SYS_SENDS_MOST = 64 };

struct sys_sends {
	int fd;         // the kernel's object
	uint32_t count; // added
	// what is shared with the kernel: two rings of which it reads one and writes the other
	uint32_t *submitted_head, *submitted_tail, *done_head, *done_tail;
	struct io_uring_sqe *submitted;
	struct io_uring_cqe *done;
	uint32_t submitted_mask, done_mask;
};

/*
 * Makes one: a descriptor that no child inherits, and some pages, for good.
 *
 * Returns  0; -ENOSYS: the kernel has no such thing, or it is not wise to ask for it; -EPERM: it is
 *          forbidden; -EMFILE, -ENFILE, -ENOMEM.
 */
MUST_USE int sys_sends_open(struct sys_sends *s);

// Adds a send as sys_send would do it, to whom the socket is connected. What is pointed to must
// stay until sys_sends_submit has returned.
void sys_sends_add(struct sys_sends *s, int fd, const void *bytes, size_t count, ssize_t *result);

/*
 * Does all that were added, in order, and forgets them. Does not block: each result is what
 * sys_send would have returned; -EINTR for those that the kernel did not take.
 */
void sys_sends_submit(struct sys_sends *s);

#endif
