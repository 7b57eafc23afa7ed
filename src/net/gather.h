// SPDX-License-Identifier: MIT
/*
 * Sends of several goroutines in one system call.
 */
#ifndef TUZA_NET_GATHER_H
#define TUZA_NET_GATHER_H

#include "base/compiler.h"

#include <sys/types.h>

/*
 * Sends on a connected socket, at once, or a little later with what others send meanwhile: the
 * caller may park.
 *
 * Returns  as sys_send.
 */
ssize_t gather_send(int fd, const void *bytes, size_t count);

#endif
