// SPDX-License-Identifier: MIT
/*
 * tuza/net.h: networks and addresses, as text and as they are seen from both ends.
 */
#include "../ip6.h"
#include "net_support.h"

#include <sys/socket.h>

TEST(wrong_addresses_are_told_apart)
{
	static const struct {
		const char *network, *address;
		int code;
	} cases[] = {
		{"tcq", "127.0.0.1:1", TUZA_ENETWORK},
		{NULL, "127.0.0.1:1", TUZA_ENETWORK},
		{"tcp", "127.0.0.1", TUZA_EADDRESS},
		{"tcp", "::1:80", TUZA_EADDRESS},
		{"tcp", "[::1]80", TUZA_EADDRESS},
		{"tcp", "[::1:80", TUZA_EADDRESS},
		{"tcp", "127.0.0.1:65536", TUZA_EADDRESS},
		{"tcp", "127.0.0.1:1x", TUZA_EADDRESS},
		{"tcp", "", TUZA_EADDRESS},
		{"tcp", NULL, TUZA_EADDRESS},
		{"tcp6", "127.0.0.1:80", TUZA_EADDRESS},
		{"tcp", "127.0.0.1:no-such-service", TUZA_ENOSERVICE},
		{"unix", "", TUZA_EADDRESS},
	};
	tuza_conn *conn;
	tuza_listener *l;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *network = cases[i].network, *address = cases[i].address;

		if (!CHECK_EQ(tuza_dial(tuza_context_background(), network, address, &conn),
			    cases[i].code))
			printf("  %zu\n", i);
		CHECK(conn == NULL);
		CHECK_EQ(tuza_listen(network, address, &l), cases[i].code);
		CHECK(l == NULL);
	}
	CHECK_EQ(tuza_listen("udp", "127.0.0.1:0", &l), TUZA_ENETWORK);
	CHECK_EQ(tuza_listen_packet("tcp", "127.0.0.1:0", &conn), TUZA_ENETWORK);
}

// Connects to a port of this machine; the other end must see who it was as what it is.
static void check_is_reached(tuza_listener *l, const char *network, const char *host)
{
	char at[TUZA_ADDRESS_TEXT], address[TUZA_ADDRESS_TEXT], seen[TUZA_ADDRESS_TEXT];
	char is[TUZA_ADDRESS_TEXT];

	CHECK_EQ(tuza_listener_address(l, at, sizeof(at)), 0);
	snprintf(address, sizeof(address), "%s%s", host, strrchr(at, ':'));
	struct dialled d = {.network = network, .address = address};
	struct accepting a = {.l = l};
	TUZA_GO(dial_now, &d);
	TUZA_GO(accept_for, &a);
	WAIT_UNTIL(d.done);
	if (CHECK_EQ(d.result, 0)) {
		WAIT_UNTIL(a.done);
		CHECK_EQ(tuza_conn_local_address(d.conn, is, sizeof(is)), 0);
		CHECK_EQ(tuza_conn_remote_address(a.conn, seen, sizeof(seen)), 0);
		CHECK_STR(seen, is);
		CHECK_EQ(tuza_conn_remote_address(d.conn, is, sizeof(is)), 0);
		CHECK_EQ(tuza_conn_local_address(a.conn, seen, sizeof(seen)), 0);
		CHECK_STR(seen, is);
		CHECK_EQ(tuza_conn_close(d.conn), 0);
		CHECK_EQ(tuza_conn_close(a.conn), 0);
	} else { // who accepts waits in vain
		CHECK_EQ(tuza_listener_set_deadline(l, 1), 0);
		WAIT_UNTIL(a.done);
	}
}

// As in Go: no host, and what stands for every address of either family.
TEST(every_interface_takes_both_families)
{
	static const char *const everywhere[] = {":0", "[::]:0", "0.0.0.0:0"};
	static const char *const hosts[] = {"127.0.0.1", "[::1]", "", "[::ffff:127.0.0.1]"};
	tuza_listener *l;

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(tuza_listen("tcp", everywhere[i], &l), 0);
		for (int j = 0; j < 4; j++)
			if (j != 1 || has_ip6())
				check_is_reached(l, "tcp", hosts[j]);
		CHECK_EQ(tuza_listener_close(l), 0);
	}
}

TEST(one_family_alone_is_listened_at_if_the_network_says_so)
{
	static const struct {
		const char *network, *address, *host, *other;
	} cases[] = {
		{"tcp4", ":0", "127.0.0.1", "[::1]"},
		{"tcp4", "0.0.0.0:0", "127.0.0.1", "[::1]"},
		{"tcp4", "[::ffff:127.0.0.1]:0", "[::ffff:127.0.0.1]", "[::1]"},
		{"tcp6", ":0", "[::1]", "127.0.0.1"},
		{"tcp6", "[::]:0", "[::1]", "127.0.0.1"},
	};
	char at[TUZA_ADDRESS_TEXT], address[TUZA_ADDRESS_TEXT];
	tuza_listener *l;
	tuza_conn *conn;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].network[3] == '6' && !has_ip6())
			continue;
		CHECK_EQ(tuza_listen(cases[i].network, cases[i].address, &l), 0);
		check_is_reached(l, cases[i].network, cases[i].host);
		CHECK_EQ(tuza_listener_address(l, at, sizeof(at)), 0);
		snprintf(address, sizeof(address), "%s%s", cases[i].other, strrchr(at, ':'));
		CHECK(tuza_dial(tuza_context_background(), "tcp", address, &conn) < 0);
		CHECK_EQ(tuza_listener_close(l), 0);
	}
	CHECK_EQ(tuza_listen("tcp6", "[::ffff:127.0.0.1]:0", &l), TUZA_EADDRESS);
}

// Names of unix sockets: in the file system a NUL has to follow, outside of it none.
TEST(names_of_unix_sockets_may_be_as_long_as_the_system_takes_them)
{
	char name[110], text[TUZA_ADDRESS_TEXT];
	tuza_listener *l;
	tuza_conn *conn;

	for (int length = 107; length <= 109; length++) {
		memset(name, 'n', sizeof(name));
		name[0] = '@';
		name[length] = 0;
		CHECK_EQ(tuza_listen("unix", name, &l), length <= 108 ? 0 : TUZA_EADDRESS);
		if (l) {
			CHECK_EQ(tuza_listener_address(l, text, sizeof(text)), 0);
			CHECK_STR(text, name);
			CHECK_EQ(tuza_listener_close(l), 0);
		}
		name[0] = '/'; // a file's, that there is not
		CHECK_EQ(tuza_dial(tuza_context_background(), "unix", name, &conn),
			length <= 107 ? -ENOENT : TUZA_EADDRESS);
	}
}

// A datagram's sender is told as what it is, and answered, whatever the receiver's family.
TEST(sender_of_either_family_is_told_and_answered)
{
	static const char *const hosts[] = {"127.0.0.1", "[::1]"};
	char at[TUZA_ADDRESS_TEXT], address[TUZA_ADDRESS_TEXT], is[TUZA_ADDRESS_TEXT];
	char seen[TUZA_ADDRESS_TEXT], byte = 'x';
	tuza_address from;
	tuza_conn *receiver, *sender;

	CHECK_EQ(tuza_listen_packet("udp", "0.0.0.0:0", &receiver), 0);
	CHECK_EQ(tuza_conn_local_address(receiver, at, sizeof(at)), 0);
	for (int i = 0; i < (has_ip6() ? 2 : 1); i++) {
		snprintf(address, sizeof(address), "%s%s", hosts[i], strrchr(at, ':'));
		CHECK_EQ(tuza_dial(tuza_context_background(), "udp", address, &sender), 0);
		CHECK_EQ(tuza_conn_write(sender, &byte, 1), 1);
		CHECK_EQ(tuza_conn_read_from(receiver, &byte, 1, &from), 1);
		CHECK_EQ(tuza_conn_local_address(sender, is, sizeof(is)), 0);
		CHECK_EQ(tuza_address_text(&from, seen, sizeof(seen)), 0);
		CHECK_STR(seen, is);
		CHECK_EQ(tuza_conn_write_to(receiver, &byte, 1, &from), 1);
		CHECK_EQ(tuza_conn_read(sender, &byte, 1), 1);
		// As text it stands for the same.
		CHECK_EQ(tuza_address_resolve(tuza_context_background(), "udp", seen, &from), 0);
		CHECK_EQ(tuza_conn_write_to(receiver, &byte, 1, &from), 1);
		CHECK_EQ(tuza_conn_read(sender, &byte, 1), 1);
		CHECK_EQ(tuza_conn_close(sender), 0);
	}
	CHECK_EQ(tuza_conn_close(receiver), 0);
}
