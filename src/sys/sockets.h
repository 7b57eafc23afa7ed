// SPDX-License-Identifier: MIT
/*
 * Sockets: the system calls, with negative errno values as results and errno left alone. None of
 * those that transfer ever blocks (-EAGAIN) or raises SIGPIPE; each is one call, -EINTR is the
 * caller's to deal with.
 */
#ifndef TUZA_SYS_SOCKETS_H
#define TUZA_SYS_SOCKETS_H

#include "base/compiler.h"

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

// Descriptors made here are non-blocking and close-on-exec.
MUST_USE int sys_socket(int family, int type, int protocol);
MUST_USE int sys_accept(int fd, struct sockaddr *address, socklen_t *bytes);

int sys_bind(int fd, const struct sockaddr *address, socklen_t bytes);
int sys_listen(int fd); // with the longest queue that the system allows
int sys_connect(int fd, const struct sockaddr *address, socklen_t bytes);
int sys_shutdown(int fd, int how);
int sys_get_local(int fd, struct sockaddr *address, socklen_t *bytes);
int sys_get_remote(int fd, struct sockaddr *address, socklen_t *bytes);
int sys_set_option(int fd, int level, int option, int value);

// The CPU on which the last packet for a socket came in; negative: it is not known.
int sys_receiving_cpu(int fd);

// The caller's CPU, a hint.
int sys_cpu(void);

// From NULL: the sender is not asked for.
ssize_t sys_receive(
	int fd, void *bytes, size_t count, struct sockaddr *from, socklen_t *from_bytes);
// Leaves what it reads where it is.
ssize_t sys_peek(int fd, void *bytes, size_t count);
// To NULL: to whom it is connected.
ssize_t sys_send(
	int fd, const void *bytes, size_t count, const struct sockaddr *to, socklen_t to_bytes);
ssize_t sys_send_parts(int fd, const struct iovec *parts, size_t count);

#endif
