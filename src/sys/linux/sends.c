// SPDX-License-Identifier: MIT
/*
 * Many sends by one system call: io_uring, used as no more than that. All sends are told not to
 * block, so each is done, or has failed, when the call that submits them returns. Nothing is under
 * way in between, nothing need be cancelled, and no memory is lent to the kernel for longer.
 *
 * A seccomp filter may answer io_uring_setup by killing the process: under any filter it is not
 * asked for.
 */
#include "sys/sends.h"

#include "base/atomic.h"
#include "sys/linux/syscall.h"
#include "sys/valgrind.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

// The same on every CPU but alpha.
#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#define SYS_io_uring_enter 426
#define SYS_io_uring_register 427
#endif

static bool is_error(long r) { return r < 0 && r >= -4095; }

static long map(int fd, size_t bytes, long offset)
{
	return raw_syscall6(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_POPULATE, fd, offset);
}

// Linux 5.6 sends, and says so.
static bool can_send(int fd)
{
	enum { OPS = IORING_OP_SEND + 1 };
	union {
		struct io_uring_probe probe;
		char room[sizeof(struct io_uring_probe) + OPS * sizeof(struct io_uring_probe_op)];
	} asked;
	memset(&asked, 0, sizeof asked);
	long error = raw_syscall6(
		SYS_io_uring_register, fd, IORING_REGISTER_PROBE, (long)&asked, OPS, 0, 0);
	const struct io_uring_probe *probe = &asked.probe;
	return error == 0 && probe->last_op >= IORING_OP_SEND &&
	       probe->ops[IORING_OP_SEND].flags & IO_URING_OP_SUPPORTED;
}

static int map_rings(struct sys_sends *s, const struct io_uring_params *p)
{
	size_t submitted = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
	size_t done = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	size_t bytes = submitted > done ? submitted : done;
	long rings = map(s->fd, bytes, IORING_OFF_SQ_RING);
	if (is_error(rings))
		return (int)rings;
	long entries = map(s->fd, p->sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	if (is_error(entries)) {
		raw_syscall6(SYS_munmap, rings, (long)bytes, 0, 0, 0, 0);
		return (int)entries;
	}
	char *at = (char *)rings;
	s->submitted = (struct io_uring_sqe *)entries;
	s->submitted_head = (uint32_t *)(at + p->sq_off.head);
	s->submitted_tail = (uint32_t *)(at + p->sq_off.tail);
	s->submitted_mask = *(uint32_t *)(at + p->sq_off.ring_mask);
	s->done = (struct io_uring_cqe *)(at + p->cq_off.cqes);
	s->done_head = (uint32_t *)(at + p->cq_off.head);
	s->done_tail = (uint32_t *)(at + p->cq_off.tail);
	s->done_mask = *(uint32_t *)(at + p->cq_off.ring_mask);
	uint32_t *order = (uint32_t *)(at + p->sq_off.array);
	for (uint32_t i = 0; i < p->sq_entries; i++)
		order[i] = i;
	return 0;
}

int sys_sends_open(struct sys_sends *s)
{
	struct io_uring_params p;
	memset(&p, 0, sizeof p);
	if (RUNNING_ON_VALGRIND || raw_syscall6(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0, 0) != 0)
		return -ENOSYS;
	long fd = raw_syscall6(SYS_io_uring_setup, SYS_SENDS_MOST, (long)&p, 0, 0, 0, 0);
	if (fd < 0)
		return (int)fd;
	s->fd = (int)fd;
	s->count = 0;
	int error = p.features & IORING_FEAT_SINGLE_MMAP && can_send(s->fd) ? map_rings(s, &p)
									    : -ENOSYS;
	if (error)
		raw_syscall6(SYS_close, fd, 0, 0, 0, 0, 0);
	return error;
}

void sys_sends_add(struct sys_sends *s, int fd, const void *bytes, size_t count, ssize_t *result)
{
	uint32_t at = *s->submitted_tail + s->count++; // ours alone
	struct io_uring_sqe *e = &s->submitted[at & s->submitted_mask];
	memset(e, 0, sizeof *e);
	e->opcode = IORING_OP_SEND;
	e->fd = fd;
	e->addr = (uintptr_t)bytes;
	e->len = (uint32_t)count;
	e->msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	e->user_data = (uintptr_t)result;
	*result = -EINTR;
}

// How many results have come, of those that were not taken before.
static uint32_t take_results(struct sys_sends *s)
{
	uint32_t head = *s->done_head; // ours alone
	// (sends-done) pairs with the kernel's store: what it wrote before is seen
	uint32_t tail = load_acquire(s->done_tail), count = tail - head;
	for (; head != tail; head++) {
		const struct io_uring_cqe *e = &s->done[head & s->done_mask];
		*(ssize_t *)(uintptr_t)e->user_data = e->res;
	}
	store_release(s->done_head, tail); // (sends-done) pairs with the kernel's load
	return count;
}

void sys_sends_submit(struct sys_sends *s)
{
	uint32_t count = s->count, begin = *s->submitted_tail; // ours alone
	s->count = 0;
	store_release(s->submitted_tail, begin + count); // (sends-submitted) the kernel's load
	(void)raw_syscall6(SYS_io_uring_enter, s->fd, count, count, IORING_ENTER_GETEVENTS, 0, 0);
	// (sends-submitted) pairs with the kernel's store: it has read the entries before
	uint32_t taken = load_acquire(s->submitted_head) - begin;
	// Those that it did not take are withdrawn.
	store_release(s->submitted_tail, begin + taken); // (sends-submitted)
	// They are done already; but the results point to stacks: none may come later.
	for (uint32_t done = take_results(s); done < taken; done += take_results(s))
		(void)raw_syscall6(
			SYS_io_uring_enter, s->fd, 0, taken - done, IORING_ENTER_GETEVENTS, 0, 0);
}
