// SPDX-License-Identifier: MIT
/*
 * What the tests of the network share: pairs of connected ends, and servers for a moment.
 */
#ifndef TUZA_NET_SUPPORT_H
#define TUZA_NET_SUPPORT_H

#include "../test.h"

#include <tuza/context.h>
#include <tuza/net.h>

#include <netinet/in.h>
#include <sys/socket.h>

#define MS TUZA_MILLISECOND

// Two connected ends of one kind.
struct pair {
	tuza_conn *a, *b;
};

struct dialled {
	const char *network, *address;
	tuza_conn *conn;
	int result;
	atomic_int done;
};

TEST_UNUSED_ static void dial_now(struct dialled *d)
{
	d->result = tuza_dial(tuza_context_background(), d->network, d->address, &d->conn);
	atomic_store(&d->done, 1);
}

struct accepting {
	tuza_listener *l;
	tuza_conn *conn;
	int result;
	atomic_int done;
};

TEST_UNUSED_ static void accept_for(struct accepting *a)
{
	a->result = tuza_accept(a->l, &a->conn);
	atomic_store(&a->done, 1);
}

// Connects through a listener of the network, which is closed again.
TEST_UNUSED_ static struct pair connected(const char *network, const char *address)
{
	struct pair p = {NULL, NULL};
	char at[TUZA_ADDRESS_TEXT];
	tuza_listener *l;

	if (!CHECK_EQ(tuza_listen(network, address, &l), 0))
		return p;
	CHECK_EQ(tuza_listener_address(l, at, sizeof(at)), 0);
	struct dialled d = {.network = network, .address = at};
	TUZA_GO(dial_now, &d);
	CHECK_EQ(tuza_accept(l, &p.b), 0);
	WAIT_UNTIL(d.done);
	CHECK_EQ(d.result, 0);
	p.a = d.conn;
	CHECK_EQ(tuza_listener_close(l), 0);
	return p;
}

// The kinds of pairs that every test of streams runs with.
enum { PAIR_KINDS = 3 };
TEST_UNUSED_ static struct pair pair_of(int kind)
{
	static atomic_int number;
	char name[64];
	struct pair p = {NULL, NULL};

	switch (kind) {
	case 0:
		return connected("tcp", "127.0.0.1:0");
	case 1:
		snprintf(name, sizeof(name), "@tuza-test-%d-%d", (int)getpid(),
			atomic_fetch_add(&number, 1));
		return connected("unix", name);
	default:
		CHECK_EQ(tuza_pipe(&p.a, &p.b), 0);
		return p;
	}
}

TEST_UNUSED_ static void close_pair(struct pair *p)
{
	CHECK_EQ(tuza_conn_close(p->a), 0);
	CHECK_EQ(tuza_conn_close(p->b), 0);
}

// Runs the block that follows for a pair of each kind; the block closes it.
#define FOR_EACH_PAIR(p)                                                                           \
	for (int kind = 0; kind < PAIR_KINDS; kind++)                                              \
		for (struct pair p = pair_of(kind), *once = &p; once; once = NULL)

// A call under way in a goroutine of its own.
struct call {
	tuza_conn *conn;
	char *bytes;
	size_t count;
	ssize_t result;
	atomic_int done;
};

TEST_UNUSED_ static void read_now(struct call *c)
{
	c->result = tuza_conn_read(c->conn, c->bytes, c->count);
	atomic_store(&c->done, 1);
}

TEST_UNUSED_ static void write_now(struct call *c)
{
	c->result = tuza_conn_write(c->conn, c->bytes, c->count);
	atomic_store(&c->done, 1);
}

// Reads exactly so many bytes, unless it ends before. Returns how many.
TEST_UNUSED_ static size_t read_all(tuza_conn *conn, char *bytes, size_t count)
{
	size_t done = 0;
	ssize_t n;

	while (done < count && (n = tuza_conn_read(conn, bytes + done, count - done)) > 0)
		done += (size_t)n;
	return done;
}

// Answers each number by the next one, until the other side ends.
TEST_UNUSED_ static void answer_numbers(tuza_conn *conn, atomic_int *done)
{
	uint64_t n;

	while (read_all(conn, (char *)&n, sizeof(n)) == sizeof(n)) {
		n++;
		CHECK_EQ(tuza_conn_write(conn, &n, sizeof(n)), sizeof(n));
	}
	atomic_store(done, 1);
}

#endif
