// SPDX-License-Identifier: MIT
/*
 * Networks and addresses (address.c), and the resolving of names (resolve.c).
 */
#ifndef TUZA_NET_ADDRESS_H
#define TUZA_NET_ADDRESS_H

#include "base/compiler.h"
#include <tuza/context.h>
#include <tuza/net.h>

#include <string.h>
#include <sys/socket.h>

struct network {
	int family; // AF_INET, AF_INET6, AF_UNIX; AF_UNSPEC: either of the first two
	int type;   // SOCK_STREAM, SOCK_DGRAM
};

// What text says of the network. 0 or TUZA_ENETWORK.
MUST_USE int network_parse(const char *text, struct network *network);

static ALWAYS_INLINE struct sockaddr *address_of(tuza_address *a)
{
	return (struct sockaddr *)(void *)a->data_;
}
static ALWAYS_INLINE const struct sockaddr *address_look(const tuza_address *a)
{
	return (const struct sockaddr *)(const void *)a->data_;
}
enum { ADDRESS_ROOM = sizeof(((tuza_address *)0)->data_) };

static ALWAYS_INLINE int address_family(const tuza_address *a)
{
	sa_family_t family;
	memcpy(&family, a->data_, sizeof family); // the first thing in each kind on Linux
	return family;
}

bool address_is_ip4(const tuza_address *a);

// Whether it is "0.0.0.0" or "::", which stand for every address that there is.
bool address_is_unspecified(const tuza_address *a);

// "127.0.0.1", "::1", "fe80::1%eth0"; "::ffff:127.0.0.1" is the IPv4 address, as in Go. False for
// anything else.
bool address_of_number(const char *host, tuza_address *a);

enum { ADDRESSES_MOST = 16, HOST_MOST = 256 };

struct addresses {
	int count;
	tuza_address at[ADDRESSES_MOST];
};

/*
 * What "host:port" stands for, in the order of preference.
 *
 *   passive  to listen at: no host is every interface; else it is this machine.
 *
 * Returns  0 with one address or more, the context's code, or an error.
 */
MUST_USE int address_resolve(tuza_context *ctx, const struct network *network, const char *text,
	bool passive, struct addresses *result);

// resolve.c: a name, by the C library, without stopping a processor. As address_resolve; no ports.
MUST_USE int resolve_host(
	tuza_context *ctx, const char *host, int family, struct addresses *result);

#endif
