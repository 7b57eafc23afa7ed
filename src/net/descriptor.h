// SPDX-License-Identifier: MIT
/*
 * Connections that are no sockets: ends of pipes, for process/.
 */
#ifndef TUZA_NET_DESCRIPTOR_H
#define TUZA_NET_DESCRIPTOR_H

#include "net/conn.h"

/*
 * Makes a connection of an end of a pipe that the caller has just opened: it becomes non-blocking.
 * It can only be read, or only be written; there is nothing to peek at or to shut.
 *
 * Returns  0; -EMFILE, -ENOMEM …: the descriptor stays the caller's.
 */
MUST_USE int descriptor_conn(int fd, tuza_conn **conn);

#endif
