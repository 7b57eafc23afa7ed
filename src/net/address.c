// SPDX-License-Identifier: MIT
/*
 * Networks and addresses: from text and to text, after Go's src/net/{ipsock,hosts,unixsock}.go.
 */
#include "net/address.h"

#include <tuza/error.h>
#include <tuza/goroutine.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

_Static_assert(sizeof(struct sockaddr_un) <= ADDRESS_ROOM, "every address fits");

int network_parse(const char *text, struct network *network)
{
	static const struct {
		const char *name;
		struct network network;
	} known[] = {
		{"tcp", {AF_UNSPEC, SOCK_STREAM}},
		{"tcp4", {AF_INET, SOCK_STREAM}},
		{"tcp6", {AF_INET6, SOCK_STREAM}},
		{"udp", {AF_UNSPEC, SOCK_DGRAM}},
		{"udp4", {AF_INET, SOCK_DGRAM}},
		{"udp6", {AF_INET6, SOCK_DGRAM}},
		{"unix", {AF_UNIX, SOCK_STREAM}},
	};
	for (size_t i = 0; text && i < COUNT_OF(known); i++)
		if (strcmp(text, known[i].name) == 0) {
			*network = known[i].network;
			return 0;
		}
	return TUZA_ENETWORK;
}

// ---- parts ------------------------------------------------------------------------------------

_Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port) &&
		       offsetof(struct sockaddr, sa_family) == 0,
	"families and ports are at the same places");

bool address_is_ip4(const tuza_address *a) { return address_family(a) == AF_INET; }

bool address_is_unspecified(const tuza_address *a)
{
	struct sockaddr_in four;
	struct sockaddr_in6 six;
	switch (address_family(a)) {
	case AF_INET:
		memcpy(&four, a->data_, sizeof four);
		return four.sin_addr.s_addr == INADDR_ANY;
	case AF_INET6:
		memcpy(&six, a->data_, sizeof six);
		return IN6_IS_ADDR_UNSPECIFIED(&six.sin6_addr);
	default:
		return false;
	}
}

// The port of an IP address, network byte order.
static void set_port(tuza_address *a, uint16_t port)
{
	memcpy((char *)a->data_ + offsetof(struct sockaddr_in, sin_port), &port, sizeof port);
}

static void set(tuza_address *a, const void *from, size_t bytes)
{
	memset(a, 0, sizeof *a);
	memcpy(a->data_, from, bytes);
	a->bytes_ = (uint32_t)bytes;
}

// A path or "@name". 0 or TUZA_EADDRESS.
static MUST_USE int of_path(const char *path, tuza_address *a)
{
	struct sockaddr_un u = {.sun_family = AF_UNIX};
	size_t length = path ? strlen(path) : 0;
	// Linux's names outside the file system have no final NUL.
	size_t bytes = length > 0 && path[0] == '@' ? length : length + 1;
	memset(a, 0, sizeof *a);
	if (length == 0 || bytes > sizeof u.sun_path)
		return TUZA_EADDRESS;
	memcpy(u.sun_path, path, length);
	if (bytes == length)
		u.sun_path[0] = 0;
	set(a, &u, offsetof(struct sockaddr_un, sun_path) + bytes);
	return 0;
}

bool address_of_number(const char *host, tuza_address *a)
{
	char number[HOST_MOST];
	struct sockaddr_in four = {.sin_family = AF_INET};
	if (inet_pton(AF_INET, host, &four.sin_addr) == 1) {
		set(a, &four, sizeof four);
		return true;
	}
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	const char *zone = strchr(host, '%');
	size_t length = zone ? (size_t)(zone - host) : strlen(host);
	if (length >= sizeof number)
		return false;
	memcpy(number, host, length);
	number[length] = 0;
	if (inet_pton(AF_INET6, number, &six.sin6_addr) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
		memcpy(&four.sin_addr, &six.sin6_addr.s6_addr[12], sizeof four.sin_addr);
		set(a, &four, sizeof four);
		return true;
	}
	if (zone) {
		int saved = errno;
		six.sin6_scope_id = if_nametoindex(zone + 1);
		errno = saved;
		if (six.sin6_scope_id == 0)
			six.sin6_scope_id = (uint32_t)strtoul(zone + 1, NULL, 10);
	}
	set(a, &six, sizeof six);
	return true;
}

// "host:port" into its parts; brackets around a host with colons are taken off.
static int split(const char *text, char host[HOST_MOST], const char **port)
{
	const char *end, *colon = text ? strrchr(text, ':') : NULL;
	if (!colon)
		return TUZA_EADDRESS;
	*port = colon + 1;
	if (*text == '[') {
		text++;
		end = strchr(text, ']');
		if (!end || end + 1 != colon)
			return TUZA_EADDRESS;
	} else {
		end = colon;
		if (memchr(text, ':', (size_t)(end - text)) ||
			memchr(text, ']', (size_t)(end - text)))
			return TUZA_EADDRESS;
	}
	if (end - text >= HOST_MOST)
		return TUZA_EADDRESS;
	memcpy(host, text, (size_t)(end - text));
	host[end - text] = 0;
	return 0;
}

// A port's number or name, into network byte order. "" is 0.
static int parse_port(const char *text, const struct network *network, uint16_t *port)
{
	unsigned n = 0;
	const char *at = text;
	for (; *at >= '0' && *at <= '9' && n <= 65535; at++)
		n = n * 10 + (unsigned)(*at - '0');
	if (*at == 0 && n <= 65535) {
		*port = htons((uint16_t)n);
		return 0;
	}
	if (at != text)
		return TUZA_EADDRESS;
	// A name: a file of the system has it.
	char buffer[1024];
	struct servent entry, *found = NULL;
	tuza_blocking_begin();
	int saved = errno;
	getservbyname_r(text, network->type == SOCK_STREAM ? "tcp" : "udp", &entry, buffer,
		sizeof buffer, &found);
	errno = saved;
	tuza_blocking_end();
	if (!found)
		return TUZA_ENOSERVICE;
	*port = (uint16_t)entry.s_port;
	return 0;
}

// ---- resolving --------------------------------------------------------------------------------

// No host: every interface, or this machine. IPv6 first, for an IPv6 socket takes IPv4 too.
static void any_host(const struct network *network, bool passive, struct addresses *result)
{
	static const char *const hosts[2][2] = {{"::1", "127.0.0.1"}, {"::", "0.0.0.0"}};
	for (int i = 0; i < 2; i++) {
		int family = i == 0 ? AF_INET6 : AF_INET;
		if (network->family != AF_UNSPEC && network->family != family)
			continue;
		if (address_of_number(hosts[passive][i], &result->at[result->count]))
			result->count++;
	}
	// Go dials IPv4 first when there is no host.
	if (!passive && result->count == 2) {
		tuza_address six = result->at[0];
		result->at[0] = result->at[1];
		result->at[1] = six;
	}
}

int address_resolve(tuza_context *ctx, const struct network *network, const char *text,
	bool passive, struct addresses *result)
{
	char host[HOST_MOST];
	const char *port_text;
	uint16_t port;
	result->count = 0;
	if (network->family == AF_UNIX) {
		result->count = 1;
		return of_path(text, &result->at[0]);
	}
	int error = split(text, host, &port_text);
	if (!error)
		error = parse_port(port_text, network, &port);
	if (error)
		return error;
	if (host[0] == 0) {
		any_host(network, passive, result);
	} else if (address_of_number(host, &result->at[0])) {
		int family = address_family(&result->at[0]);
		if (network->family != AF_UNSPEC && network->family != family)
			return TUZA_EADDRESS;
		if (passive && address_is_unspecified(&result->at[0]))
			any_host(network, passive, result); // as no host
		else
			result->count = 1;
	} else {
		error = resolve_host(ctx, host, network->family, result);
		if (error)
			return error;
	}
	for (int i = 0; i < result->count; i++)
		set_port(&result->at[i], port);
	return 0;
}

EXPORT int tuza_address_resolve(
	tuza_context *ctx, const char *network, const char *text, tuza_address *address)
{
	struct network net;
	struct addresses all;
	int error = network_parse(network, &net);
	memset(address, 0, sizeof *address);
	if (!error)
		error = tuza_context_err(ctx);
	if (!error)
		error = address_resolve(ctx, &net, text, false, &all);
	if (!error)
		*address = all.at[0];
	return error;
}

// ---- to text ----------------------------------------------------------------------------------

static int path_text(const struct sockaddr_un *u, size_t bytes_of_it, char *text, size_t bytes)
{
	size_t start = offsetof(struct sockaddr_un, sun_path);
	size_t length = bytes_of_it > start ? bytes_of_it - start : 0;
	size_t skip = length > 0 && u->sun_path[0] == 0; // a name outside the file system
	if (!skip)
		length = strnlen(u->sun_path, length);
	int n = snprintf(
		text, bytes, "%s%.*s", skip ? "@" : "", (int)(length - skip), u->sun_path + skip);
	return (size_t)n < bytes ? 0 : -ENOSPC;
}

static int ip4_text(const struct sockaddr_in *four, char *text, size_t bytes)
{
	char host[INET_ADDRSTRLEN];
	inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
	int n = snprintf(text, bytes, "%s:%u", host, ntohs(four->sin_port));
	return (size_t)n < bytes ? 0 : -ENOSPC;
}

static int ip6_text(const struct sockaddr_in6 *six, char *text, size_t bytes)
{
	char host[INET6_ADDRSTRLEN], zone[IF_NAMESIZE + 1] = "";
	// How an IPv6 socket shows an IPv4 address. As in Go it is told as what it is.
	if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
		struct sockaddr_in four = {.sin_port = six->sin6_port};
		memcpy(&four.sin_addr, &six->sin6_addr.s6_addr[12], sizeof four.sin_addr);
		return ip4_text(&four, text, bytes);
	}
	int saved = errno;
	inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
	if (six->sin6_scope_id != 0) {
		zone[0] = '%';
		if (!if_indextoname(six->sin6_scope_id, zone + 1))
			snprintf(zone + 1, sizeof zone - 1, "%u", six->sin6_scope_id);
	}
	errno = saved;
	int n = snprintf(text, bytes, "[%s%s]:%u", host, zone, ntohs(six->sin6_port));
	return (size_t)n < bytes ? 0 : -ENOSPC;
}

EXPORT int tuza_address_text(const tuza_address *a, char *text, size_t bytes)
{
	union {
		struct sockaddr_in four;
		struct sockaddr_in6 six;
		struct sockaddr_un path;
	} u;
	if (bytes == 0)
		return -ENOSPC;
	text[0] = 0;
	if (a->bytes_ == 0 || a->bytes_ > ADDRESS_ROOM)
		return 0;
	memcpy(&u, a->data_, sizeof u);
	switch (address_family(a)) {
	case AF_UNIX:
		return path_text(&u.path, a->bytes_, text, bytes);
	case AF_INET:
		return ip4_text(&u.four, text, bytes);
	case AF_INET6:
		return ip6_text(&u.six, text, bytes);
	default:
		return 0;
	}
}
