// SPDX-License-Identifier: MIT
/*
 * Sockets: making them, and the kinds of connections that they are.
 */
#ifndef TUZA_NET_SOCKET_H
#define TUZA_NET_SOCKET_H

#include "net/address.h"
#include "net/conn.h"

// A socket that is watched and not yet a connection; lies in a struct conn that is not open.
// 0, -EMFILE, -ENOMEM …
MUST_USE int socket_make(int family, int type, struct conn **result);

// Closes the socket and gives the slot back.
void socket_discard(struct conn *c);

// Go's options of a new connection: small writes at once, watching for the other side.
void socket_set_defaults(struct conn *c);

// Connects, waiting as long as it takes; the deadline for writing ends it.
MUST_USE int socket_connect(struct conn *c, const tuza_address *to);

// Takes a connection. Needs: the turn to read.
MUST_USE int socket_accept(struct conn *listener, struct conn **result);

#endif
