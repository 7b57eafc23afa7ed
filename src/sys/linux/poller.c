// SPDX-License-Identifier: MIT
/*
 * The poller of Linux: edge-triggered epoll, and an eventfd that interrupts it.
 *
 * The eventfd is level-triggered and read only by the thread that waits: a look without waiting may
 * be given its event, but cannot take it away from whom it is meant for (as in Go,
 * src/runtime/netpoll_epoll.go).
 */
#define _GNU_SOURCE
#include "sys/poller.h"
#include "base/atomic.h"
#include "sys/clock.h"
#include "sys/linux/syscall.h"
#include "sys/valgrind.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441 // Linux 5.11
#endif

static const uint64_t ALARM_TAG = UINT64_MAX;
enum { ASKS_AGAIN_NS = 1000000 }; // who cannot wait for several pollers: a guess

int sys_poller_open(struct sys_poller *p)
{
	long fd = raw_syscall6(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0, 0);
	if (fd < 0)
		return (int)fd;
	long alarm_fd = raw_syscall6(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK, 0, 0, 0, 0);
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = ALARM_TAG};
	long error = alarm_fd;
	if (alarm_fd >= 0)
		error = raw_syscall6(SYS_epoll_ctl, fd, EPOLL_CTL_ADD, alarm_fd, (long)&e, 0, 0);
	if (error < 0) {
		if (alarm_fd >= 0)
			raw_syscall6(SYS_close, alarm_fd, 0, 0, 0, 0, 0);
		raw_syscall6(SYS_close, fd, 0, 0, 0, 0, 0);
		return (int)error;
	}
	*p = (struct sys_poller){(int)fd, (int)alarm_fd};
	return 0;
}

int sys_poller_open_more(struct sys_poller *p)
{
	long fd = raw_syscall6(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0, 0);
	if (fd < 0)
		return (int)fd;
	*p = (struct sys_poller){(int)fd, -1};
	return 0;
}

static int control(const struct sys_poller *p, int operation, int fd, uint32_t events, uint64_t tag)
{
	struct epoll_event e = {.events = EPOLLET, .data.u64 = tag};
	if (events & SYS_POLL_READ)
		e.events |= EPOLLIN | EPOLLRDHUP | EPOLLPRI;
	if (events & SYS_POLL_WRITE)
		e.events |= EPOLLOUT;
	return (int)raw_syscall6(SYS_epoll_ctl, p->fd, operation, fd, (long)&e, 0, 0);
}

int sys_poller_add(const struct sys_poller *p, int fd, uint32_t events, uint64_t tag)
{
	return control(p, EPOLL_CTL_ADD, fd, events, tag);
}

int sys_poller_change(const struct sys_poller *p, int fd, uint32_t events, uint64_t tag)
{
	return control(p, EPOLL_CTL_MOD, fd, events, tag);
}

void sys_poller_remove(const struct sys_poller *p, int fd)
{
	(void)control(p, EPOLL_CTL_DEL, fd, 0, 0); // it may be closed already
}

// To the nanosecond where the kernel can, else to the millisecond, never too early.
static long epoll_wait_until(int fd, struct epoll_event *events, int64_t deadline)
{
	static bool no_pwait2; // hint: an older kernel, or one that forbids it
	int64_t left = deadline;
	if (deadline != 0 && deadline != INT64_MAX) {
		left = deadline - sys_clock_now();
		if (left < 0)
			left = 0;
	}
	if (RUNNING_ON_VALGRIND) // 3.19 complains that it does not know the call
		store_relaxed(&no_pwait2, true);
	if (left != 0 && left != INT64_MAX && !load_relaxed(&no_pwait2)) {
		struct timespec t = {left / 1000000000, left % 1000000000};
		long n = raw_syscall6(
			SYS_epoll_pwait2, fd, (long)events, SYS_POLL_BATCH, (long)&t, 0, 8);
		if (n != -ENOSYS && n != -EPERM)
			return n;
		store_relaxed(&no_pwait2, true);
	}
	int ms = -1;
	if (left != INT64_MAX)
		ms = left > 1000000000000000 ? 1000000000 : (int)((left + 999999) / 1000000);
	return raw_syscall6(SYS_epoll_pwait, fd, (long)events, SYS_POLL_BATCH, ms, 0, 8);
}

int sys_poller_wait(
	const struct sys_poller *p, struct sys_poll_event events[SYS_POLL_BATCH], int64_t deadline)
{
	struct epoll_event found[SYS_POLL_BATCH];
	long n = epoll_wait_until(p->fd, found, deadline);
	int count = 0;
	if (n < 0)
		return n == -EINTR ? 0 : (int)n; // a signal is a wake-up for no reason
	for (long i = 0; i < n; i++) {
		// NOLINTNEXTLINE(clang-analyzer-*): it does not see what the kernel writes
		uint32_t is = found[i].events;
		uint32_t events_of_it = 0;
		if (found[i].data.u64 == ALARM_TAG) {
			uint64_t ignored;
			if (deadline != 0)
				raw_syscall6(SYS_read, p->alarm_fd, (long)&ignored, sizeof ignored,
					0, 0, 0);
			continue;
		}
		if (is & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			events_of_it |= SYS_POLL_READ;
		// A read stops before urgent data, although there may be more behind it.
		if (is & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
			events_of_it |= SYS_POLL_ENDED;
		if (is & (EPOLLOUT | EPOLLHUP | EPOLLERR))
			events_of_it |= SYS_POLL_WRITE;
		if (events_of_it & (SYS_POLL_READ | SYS_POLL_WRITE))
			events[count++] = (struct sys_poll_event){found[i].data.u64, events_of_it};
	}
	return count;
}

void sys_poller_wait_for_any(
	const struct sys_poller *const *p, bool *ready, int count, int64_t deadline)
{
	struct pollfd fds[SYS_POLLERS_MOST];
	int64_t left = deadline == INT64_MAX ? INT64_MAX : deadline - sys_clock_now();
	if (left < 0)
		left = 0;
	struct timespec t = {left / 1000000000, left % 1000000000};
	for (int i = 0; i < count; i++)
		fds[i] = (struct pollfd){.fd = p[i]->fd, .events = POLLIN};
	long n = raw_syscall6(
		SYS_ppoll, (long)fds, count, left == INT64_MAX ? 0 : (long)&t, 0, 8, 0);
	// A filter of system calls forbids it, or the limit of descriptors is less than `count` by
	// now.
	bool refused = n < 0 && n != -EINTR;
	if (refused) {
		t = (struct timespec){0, left < ASKS_AGAIN_NS ? left : ASKS_AGAIN_NS};
		raw_syscall6(SYS_nanosleep, (long)&t, 0, 0, 0, 0, 0);
	}
	for (int i = 0; i < count; i++)
		ready[i] = refused || (n > 0 && fds[i].revents != 0);
}

void sys_poller_interrupt(const struct sys_poller *p)
{
	uint64_t one = 1;
	raw_syscall6(SYS_write, p->alarm_fd, (long)&one, sizeof one, 0, 0, 0);
}

int sys_poll_now(int fd, uint32_t events)
{
	struct pollfd p = {.fd = fd};
	struct timespec at_once = {0, 0};
	if (events & SYS_POLL_READ)
		p.events |= POLLIN | POLLRDHUP;
	if (events & SYS_POLL_WRITE)
		p.events |= POLLOUT;
	long r;
	do
		r = raw_syscall6(SYS_ppoll, (long)&p, 1, (long)&at_once, 0, 8, 0);
	while (r == -EINTR);
	if (r < 0)
		return (int)r;
	if (p.revents & POLLNVAL)
		return -EBADF;
	uint32_t is = 0;
	if (p.revents & (POLLIN | POLLRDHUP | POLLHUP | POLLERR))
		is |= SYS_POLL_READ;
	if (p.revents & (POLLOUT | POLLHUP | POLLERR))
		is |= SYS_POLL_WRITE;
	return (int)(is & events);
}
