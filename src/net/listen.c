// SPDX-License-Identifier: MIT
/*
 * Listening: streams and datagrams.
 */
#include "net/socket.h"

#include "sys/sockets.h"
#include <tuza/error.h>
#include <tuza/panic.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

// Go prefers an IPv4 address of a name to listen at; a number is what it is.
static const tuza_address *choose(const struct addresses *all)
{
	if (address_family(&all->at[0]) != AF_INET6 || all->count < 2)
		return &all->at[0];
	for (int i = 0; i < all->count; i++)
		if (address_is_ip4(&all->at[i]))
			return &all->at[i];
	return &all->at[0];
}

static int bind_at(const struct network *network, const tuza_address *a, bool both_families,
	struct conn **result)
{
	int family = address_family(a);
	int error = socket_make(family, network->type, result);
	if (error)
		return error;
	int fd = (*result)->fd;
	if (family == AF_INET6)
		(void)sys_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !both_families);
	// So that a server may start again while connections of its last run are dying.
	if (network->type == SOCK_STREAM && family != AF_UNIX)
		(void)sys_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	error = sys_bind(fd, address_look(a), a->bytes_);
	// Linux: accepted connections inherit them, which saves five system calls for each.
	if (network->type == SOCK_STREAM)
		socket_set_defaults(*result);
	if (!error && network->type == SOCK_STREAM) {
		netpoll_share((*result)->poll);
		error = sys_listen(fd);
	}
	if (error)
		socket_discard(*result);
	return error;
}

static int open_at(const char *network_text, const char *address, int type, struct conn **result)
{
	struct network network;
	struct addresses all;
	int error = network_parse(network_text, &network);
	if (!error && network.type != type)
		error = TUZA_ENETWORK;
	if (!error)
		error = address_resolve(tuza_context_background(), &network, address, true, &all);
	if (error)
		return error;
	if (!address_is_unspecified(&all.at[0]))
		return bind_at(&network, choose(&all), false, result);
	// Every interface: an IPv6 socket takes IPv4 as well, where there is IPv6.
	error = -EADDRNOTAVAIL;
	for (int i = 0; i < all.count; i++) {
		error = bind_at(&network, &all.at[i], network.family == AF_UNSPEC, result);
		if (error != -EAFNOSUPPORT && error != -EADDRNOTAVAIL)
			break;
	}
	return error;
}

EXPORT int tuza_listen(const char *network, const char *address, tuza_listener **l)
{
	struct conn *c = NULL;
	*l = NULL;
	int error = open_at(network, address, SOCK_STREAM, &c);
	if (error)
		return (int)conn_result(error);
	if (c->family == AF_UNIX && address[0] != '@') {
		c->path = strdup(address);
		if (!c->path) {
			socket_discard(c);
			return -ENOMEM;
		}
	}
	*l = conn_open(c);
	return 0;
}

// What is left to be done if `open` of the listener panics.
struct dressing {
	struct conn *listener;
	tuza_conn *plain;
	bool returned;
};

static void dressing_over(struct dressing *d)
{
	if (likely(d->returned))
		return;
	(void)tuza_conn_close(d->plain);
	conn_end(d->listener);
}

// The connection that its users get: what was accepted, or a layer over it. NULL: it could not be
// made.
static tuza_conn *dress(struct conn *listener, struct conn *accepted)
{
	tuza_conn *plain = conn_open(accepted), *conn;
	if (!listener->accepts.open)
		return plain;
	struct dressing d = {.listener = listener, .plain = plain};
	TUZA_DEFER(dressing_over, &d);
	int error = listener->accepts.open(listener->accepts.arg, plain, &conn);
	d.returned = true;
	if (error == 0)
		return conn;
	(void)tuza_conn_close(plain);
	return NULL;
}

EXPORT int tuza_accept(tuza_listener *l, tuza_conn **conn)
{
	struct conn *accepted, *c = conn_begin(l);
	*conn = NULL;
	if (!c)
		return TUZA_ECONNCLOSED;
	int error;
	do {
		conn_take_turn(c, TURN_READ);
		error = socket_accept(c, &accepted);
		conn_pass_turn(c, TURN_READ);
		if (error)
			break;
		// It has the listener's, unless the program may have changed those.
		if (!load_relaxed(&accepted->is_plain_tcp)) // nobody else knows it
			socket_set_defaults(accepted);
		*conn = dress(c, accepted);
	} while (!*conn);
	conn_end(c);
	preempt_check(); // where one after the other comes it never parks
	return (int)conn_result(error);
}

EXPORT int tuza_listener_close(tuza_listener *l) { return conn_close(l); }

EXPORT int tuza_listen_packet(const char *network, const char *address, tuza_conn **conn)
{
	struct conn *c = NULL;
	*conn = NULL;
	int error = open_at(network, address, SOCK_DGRAM, &c);
	if (error)
		return (int)conn_result(error);
	*conn = conn_open(c);
	return 0;
}
