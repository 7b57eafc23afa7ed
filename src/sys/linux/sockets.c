// SPDX-License-Identifier: MIT
/*
 * Raw system calls on sockets.
 */
#define _GNU_SOURCE
#include "sys/sockets.h"
#include "sys/linux/syscall.h"

#include <limits.h>
#include <sched.h>

int sys_socket(int family, int type, int protocol)
{
	return (int)raw_syscall6(
		SYS_socket, family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol, 0, 0, 0);
}

int sys_accept(int fd, struct sockaddr *address, socklen_t *bytes)
{
	return (int)raw_syscall6(
		SYS_accept4, fd, (long)address, (long)bytes, SOCK_NONBLOCK | SOCK_CLOEXEC, 0, 0);
}

int sys_bind(int fd, const struct sockaddr *address, socklen_t bytes)
{
	return (int)raw_syscall6(SYS_bind, fd, (long)address, bytes, 0, 0, 0);
}

// The kernel cuts it down to net.core.somaxconn, which Go reads to pass it.
int sys_listen(int fd) { return (int)raw_syscall6(SYS_listen, fd, INT_MAX, 0, 0, 0, 0); }

int sys_connect(int fd, const struct sockaddr *address, socklen_t bytes)
{
	return (int)raw_syscall6(SYS_connect, fd, (long)address, bytes, 0, 0, 0);
}

int sys_shutdown(int fd, int how) { return (int)raw_syscall6(SYS_shutdown, fd, how, 0, 0, 0, 0); }

int sys_get_local(int fd, struct sockaddr *address, socklen_t *bytes)
{
	return (int)raw_syscall6(SYS_getsockname, fd, (long)address, (long)bytes, 0, 0, 0);
}

int sys_get_remote(int fd, struct sockaddr *address, socklen_t *bytes)
{
	return (int)raw_syscall6(SYS_getpeername, fd, (long)address, (long)bytes, 0, 0, 0);
}

int sys_set_option(int fd, int level, int option, int value)
{
	return (int)raw_syscall6(SYS_setsockopt, fd, level, option, (long)&value, sizeof value, 0);
}

int sys_receiving_cpu(int fd)
{
	int cpu = -1;
	socklen_t bytes = sizeof cpu;
	long error = raw_syscall6(
		SYS_getsockopt, fd, SOL_SOCKET, SO_INCOMING_CPU, (long)&cpu, (long)&bytes, 0);
	return error ? -1 : cpu;
}

int sys_cpu(void) { return sched_getcpu(); }

ssize_t sys_receive(int fd, void *bytes, size_t count, struct sockaddr *from, socklen_t *from_bytes)
{
	return raw_syscall6(SYS_recvfrom, fd, (long)bytes, (long)count, MSG_DONTWAIT, (long)from,
		(long)from_bytes);
}

ssize_t sys_peek(int fd, void *bytes, size_t count)
{
	return raw_syscall6(
		SYS_recvfrom, fd, (long)bytes, (long)count, MSG_DONTWAIT | MSG_PEEK, 0, 0);
}

ssize_t sys_send(
	int fd, const void *bytes, size_t count, const struct sockaddr *to, socklen_t to_bytes)
{
	return raw_syscall6(SYS_sendto, fd, (long)bytes, (long)count, MSG_DONTWAIT | MSG_NOSIGNAL,
		(long)to, to_bytes);
}

ssize_t sys_send_parts(int fd, const struct iovec *parts, size_t count)
{
	struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count};
	return raw_syscall6(SYS_sendmsg, fd, (long)&message, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0, 0);
}
