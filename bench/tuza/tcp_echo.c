// SPDX-License-Identifier: MIT
/*
 * Round trips over TCP on this machine: a client writes 64 bytes, the server's goroutine for its
 * connection writes them back.
 */
#include "bench.h"

#include <string.h>
#include <tuza/tuza.h>

enum { connections = 64, message = 64 };

// What the clients of one pass share.
struct echoing {
	char address[TUZA_ADDRESS_TEXT];
	tuza_waitgroup wg; // clients and servers
};

static void read_full(tuza_conn *conn, char *bytes)
{
	for (size_t got = 0; got < message;) {
		ssize_t n = tuza_conn_read(conn, bytes + got, message - got);
		check(n > 0, "a read returned %zd", n);
		got += (size_t)n;
	}
}

static void echo_back(struct echoing *e, tuza_conn *conn)
{
	char bytes[message];
	ssize_t n;
	while ((n = tuza_conn_read(conn, bytes, message)) > 0)
		check(tuza_conn_write(conn, bytes, (size_t)n) == n, "a write failed");
	tuza_conn_close(conn);
	tuza_waitgroup_done(&e->wg);
}

static void echo_serve(struct echoing *e, tuza_listener *l, int clients)
{
	for (int i = 0; i < clients; i++) {
		tuza_conn *conn;
		check(tuza_accept(l, &conn) == 0, "accept failed");
		TUZA_GO(echo_back, e, conn);
	}
}

static void echo_client(struct echoing *e, int64_t turns)
{
	tuza_conn *conn;
	int error = tuza_dial(tuza_context_background(), "tcp", e->address, &conn);
	check(error == 0, "dial: %s", tuza_strerror(error));
	char sent[message], got[message];
	memset(sent, 'x', sizeof sent);
	for (int64_t i = 0; i < turns; i++) {
		memcpy(sent, &i, sizeof i);
		check(tuza_conn_write(conn, sent, message) == message, "a write failed");
		read_full(conn, got);
		check(memcmp(sent, got, message) == 0, "another message came back");
	}
	tuza_conn_close(conn);
	tuza_waitgroup_done(&e->wg);
}

// Shares n round trips among the clients. Returns how many there were.
static int64_t echoes(int clients, int64_t n)
{
	struct echoing e = {0};
	tuza_listener *l;
	int64_t turns = (n + clients - 1) / clients;
	check(tuza_listen("tcp", "127.0.0.1:0", &l) == 0, "listen failed");
	tuza_listener_address(l, e.address, sizeof e.address);
	tuza_waitgroup_add(&e.wg, 2 * clients);
	TUZA_GO(echo_serve, &e, l, clients);
	for (int i = 0; i < clients; i++)
		TUZA_GO(echo_client, &e, turns);
	tuza_waitgroup_wait(&e.wg);
	tuza_listener_close(l);
	return turns * clients;
}

static int64_t one(int64_t n) { return echoes(1, n); }
static int64_t many(int64_t n) { return echoes(connections, n); }

const struct workload tcp_workloads[] = {
	{.name = "tcp-echo-1",
		.operation = "a round trip of 64 bytes over TCP, one connection",
		.run = one},
	{.name = "tcp-echo-64",
		.operation = "a round trip of 64 bytes over TCP, 64 connections at a time",
		.run = many,
		.memory = true},
	{0},
};
