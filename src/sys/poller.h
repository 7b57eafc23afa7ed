// SPDX-License-Identifier: MIT
/*
 * What an OS must provide for waiting on descriptors: a poller that reports changes (edges) of many
 * descriptors to whoever asks it. Errors are negative errno values; errno is left alone.
 */
#ifndef TUZA_SYS_POLLER_H
#define TUZA_SYS_POLLER_H

#include "base/compiler.h"

enum {
	SYS_POLL_READ = 1,  // it can be read from, or a read would tell of its end or failure
	SYS_POLL_WRITE = 2, // the same for writing
	// Beside SYS_POLL_READ in what is reported: there is an end, a failure, or urgent data, so
	// a read that returns less than was asked for need not have taken all there is.
	SYS_POLL_ENDED = 4,
};

struct sys_poller {
	int fd;       // the kernel's object
	int alarm_fd; // written to by sys_poller_interrupt
};

struct sys_poll_event {
	uint64_t tag;    // as given to sys_poller_add
	uint32_t events; // SYS_POLL_*; one at least of read and write
};

// Makes one: two descriptors that no child inherits. 0, -EMFILE, -ENFILE, -ENOMEM.
MUST_USE int sys_poller_open(struct sys_poller *p);

// Makes another one, of one descriptor: nothing interrupts it.
MUST_USE int sys_poller_open_more(struct sys_poller *p);

/*
 * Reports, from now on, when `fd` comes to be ready for one of `events`, and once now if it is.
 *
 * Returns  0; -EPERM: the kind of file is always ready (a regular file); -EEXIST: it is reported
 *          already; -EBADF, -ENOMEM, -ENOSPC.
 */
MUST_USE int sys_poller_add(const struct sys_poller *p, int fd, uint32_t events, uint64_t tag);

// Changes what is reported, and reports once more what is ready now. -ENOENT: `fd` is not reported.
MUST_USE int sys_poller_change(const struct sys_poller *p, int fd, uint32_t events, uint64_t tag);

// Reports it no more. What was found before may still be on its way.
void sys_poller_remove(const struct sys_poller *p, int fd);

enum { SYS_POLL_BATCH = 128, SYS_POLLERS_MOST = 65 }; // Go: netpoll takes 128 events at a time

/*
 * Takes up to SYS_POLL_BATCH events; if there are none waits until there are, until
 * sys_poller_interrupt, or until the absolute time `deadline` (ns, sys_clock_now; INT64_MAX: none;
 * 0: no wait). One thread at a time may wait, any number look without waiting.
 *
 * Returns  how many; 0 also for no reason at all; a negative code when the kernel refuses.
 */
int sys_poller_wait(
	const struct sys_poller *p, struct sys_poll_event events[SYS_POLL_BATCH], int64_t deadline);

/*
 * Waits until one of `count` pollers has events, or until the deadline, as above. Takes none. The
 * first one can be interrupted: whoever has waited asks that with a deadline other than 0.
 *
 *   ready  [count]: which of them have some. Where the kernel refuses to tell: all of them, after
 *          1 ms at most.
 */
void sys_poller_wait_for_any(
	const struct sys_poller *const *p, bool *ready, int count, int64_t deadline);

// Ends the wait of the thread that waits, or the next wait.
void sys_poller_interrupt(const struct sys_poller *p);

// Which of `events` `fd` is ready for right now, without the poller. -EBADF for no descriptor.
int sys_poll_now(int fd, uint32_t events);

#endif
