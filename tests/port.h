// SPDX-License-Identifier: MIT
/*
 * A port where nobody answers once we do not: other programs, such as the tests beside this one,
 * are not given it, and no socket of ours connects from it.
 */
#ifndef TUZA_TEST_PORT_H
#define TUZA_TEST_PORT_H

#include "test.h"

#include <arpa/inet.h>
#include <sys/socket.h>

// Keeps one of 127.0.0.1, "127.0.0.1:40123", where one may listen, until the descriptor is closed:
// a socket that does not listen, of an address that may be used again.
TEST_UNUSED_ static int keep_port(char *address, size_t bytes)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(a);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	CHECK_EQ(bind(fd, (struct sockaddr *)&a, length), 0);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)&a, &length), 0);
	snprintf(address, bytes, "127.0.0.1:%d", ntohs(a.sin_port));
	return fd;
}

#endif
