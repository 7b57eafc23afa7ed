// SPDX-License-Identifier: MIT
/*
 * Datagrams. After Go's net/udpsock_test.go.
 */
#include "net_support.h"

static tuza_conn *packet_socket(tuza_address *at)
{
	char text[TUZA_ADDRESS_TEXT];
	tuza_conn *conn;

	CHECK_EQ(tuza_listen_packet("udp", "127.0.0.1:0", &conn), 0);
	CHECK_EQ(tuza_conn_local_address(conn, text, sizeof(text)), 0);
	CHECK_EQ(tuza_address_resolve(tuza_context_background(), "udp", text, at), 0);
	return conn;
}

TEST(datagrams_keep_their_bounds_and_name_their_sender)
{
	tuza_address a_at, b_at, from;
	tuza_conn *a = packet_socket(&a_at), *b = packet_socket(&b_at);
	char bytes[16], want[TUZA_ADDRESS_TEXT], got[TUZA_ADDRESS_TEXT];

	CHECK_EQ(tuza_conn_write_to(a, "first", 5, &b_at), 5);
	CHECK_EQ(tuza_conn_write_to(a, "", 0, &b_at), 0);
	CHECK_EQ(tuza_conn_write_to(a, "the third", 9, &b_at), 9);
	CHECK_EQ(tuza_conn_read_from(b, bytes, sizeof(bytes), &from), 5);
	CHECK(memcmp(bytes, "first", 5) == 0);
	CHECK_EQ(tuza_address_text(&a_at, want, sizeof(want)), 0);
	CHECK_EQ(tuza_address_text(&from, got, sizeof(got)), 0);
	CHECK_STR(got, want);
	CHECK_EQ(tuza_conn_read_from(b, bytes, sizeof(bytes), NULL), 0);
	CHECK_EQ(tuza_conn_read_from(b, bytes, 3, &from), 3); // cut
	CHECK(memcmp(bytes, "the", 3) == 0);
	CHECK_EQ(tuza_conn_write_to(b, "back", 4, &from), 4);
	CHECK_EQ(tuza_conn_read(a, bytes, sizeof(bytes)), 4);
	CHECK_EQ(tuza_conn_close(a), 0);
	CHECK_EQ(tuza_conn_close(b), 0);
}

TEST(dialled_socket_sends_to_one_address)
{
	tuza_address at;
	tuza_conn *server = packet_socket(&at), *client;
	char text[TUZA_ADDRESS_TEXT], bytes[8];
	tuza_address from;

	CHECK_EQ(tuza_address_text(&at, text, sizeof(text)), 0);
	CHECK_EQ(tuza_dial(tuza_context_background(), "udp", text, &client), 0);
	CHECK_EQ(tuza_conn_write(client, "ping", 4), 4);
	CHECK_EQ(tuza_conn_read_from(server, bytes, sizeof(bytes), &from), 4);
	CHECK_EQ(tuza_conn_write_to(server, "pong!", 5, &from), 5);
	CHECK_EQ(tuza_conn_read(client, bytes, sizeof(bytes)), 5);
	CHECK_EQ(tuza_conn_close(client), 0);
	CHECK_EQ(tuza_conn_close(server), 0);
}

static void receive(struct call *c)
{
	c->result = tuza_conn_read_from(c->conn, c->bytes, c->count, NULL);
	atomic_store(&c->done, 1);
}

// T9.2: Go: CloseUnblocksReadUDP, and deadlines.
TEST(receiver_is_ended_by_close_and_by_deadline)
{
	tuza_address at;
	tuza_conn *conn = packet_socket(&at);
	char byte;
	struct call r = {.conn = conn, .bytes = &byte, .count = 1};

	CHECK_EQ(tuza_conn_set_read_deadline(conn, tuza_now() + MS), 0);
	CHECK_EQ(tuza_conn_read_from(conn, &byte, 1, NULL), TUZA_EIOTIMEOUT);
	CHECK_EQ(tuza_conn_set_read_deadline(conn, 0), 0);
	TUZA_GO(receive, &r);
	wait_parked("IO wait", 1);
	CHECK_EQ(tuza_conn_close(conn), 0);
	WAIT_UNTIL(r.done);
	CHECK_EQ(r.result, TUZA_ECONNCLOSED);
	CHECK_EQ(tuza_conn_read_from(conn, &byte, 1, NULL), TUZA_ECONNCLOSED);
	CHECK_EQ(tuza_conn_write_to(conn, &byte, 1, &at), TUZA_ECONNCLOSED);
}

TEST(too_long_a_datagram_is_refused)
{
	tuza_address at;
	tuza_conn *conn = packet_socket(&at);
	char *bytes = calloc(1, 70000);

	CHECK_EQ(tuza_conn_write_to(conn, bytes, 70000, &at), -EMSGSIZE);
	CHECK_EQ(tuza_conn_close(conn), 0);
	free(bytes);
}
