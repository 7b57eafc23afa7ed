// SPDX-License-Identifier: MIT
/*
 * Methods of layers that panic: the connection goes on as if the call had returned.
 */
#include "net_support.h"

#include <tuza/layer.h>

static atomic_bool panics;

static void panic_if_asked(void)
{
	if (atomic_load(&panics))
		tuza_panic("the method");
}

static ssize_t panicking_read(tuza_layer *l, void *bytes, size_t count)
{
	panic_if_asked();
	return tuza_conn_read(tuza_layer_under(l), bytes, count);
}

static ssize_t panicking_peek(tuza_layer *l, void *bytes, size_t count)
{
	panic_if_asked();
	return tuza_conn_peek(tuza_layer_under(l), bytes, count);
}

static ssize_t panicking_write(tuza_layer *l, const struct iovec *pieces, int count)
{
	panic_if_asked();
	return tuza_conn_writev(tuza_layer_under(l), pieces, count);
}

static int panicking_close_write(tuza_layer *l)
{
	panic_if_asked();
	return tuza_conn_close_write(tuza_layer_under(l));
}

static int panicking_close_read(tuza_layer *l)
{
	panic_if_asked();
	return tuza_conn_close_read(tuza_layer_under(l));
}

static void panicking_close(tuza_layer *l, bool may_write)
{
	(void)l;
	(void)may_write;
	panic_if_asked();
}

static void count_freed(void *freed) { atomic_fetch_add((atomic_int *)freed, 1); }

static const tuza_layer_methods panicking_methods = {
	.read = panicking_read,
	.peek = panicking_peek,
	.write = panicking_write,
	.close_write = panicking_close_write,
	.close_read = panicking_close_read,
	.close = panicking_close,
	.free = count_freed,
};

static void read_a_byte(void *conn)
{
	char byte;
	(void)!tuza_conn_read(conn, &byte, 1);
}

static void peek_a_byte(void *conn)
{
	char byte;
	(void)!tuza_conn_peek(conn, &byte, 1);
}

static void write_a_byte(void *conn) { (void)!tuza_conn_write(conn, "x", 1); }
static void end_writes(void *conn) { (void)!tuza_conn_close_write(conn); }
static void end_reads(void *conn) { (void)!tuza_conn_close_read(conn); }
static void close_now(void *conn) { (void)!tuza_conn_close(conn); }

TEST(a_method_that_panics_keeps_neither_a_turn_nor_a_close)
{
	static void (*const calls[])(void *) = {
		read_a_byte, peek_a_byte, write_a_byte, end_writes, end_reads};

	for (int kind = 0; kind < PAIR_KINDS; kind++) {
		struct pair p = pair_of(kind);
		atomic_int freed = 0;
		tuza_conn *layer;
		char byte = 0;

		CHECK_EQ(tuza_layer_open(p.a, &panicking_methods, &freed, &layer), 0);
		p.a = layer;
		atomic_store(&panics, true);
		for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
			CHECK_PANICS("the method", calls[i], p.a);
		atomic_store(&panics, false);
		struct call w = {.conn = p.b, .bytes = "y", .count = 1};
		TUZA_GO(write_now, &w);
		CHECK_EQ(tuza_conn_read(p.a, &byte, 1), 1);
		WAIT_UNTIL(w.done);
		struct call back = {.conn = p.a, .bytes = "z", .count = 1};
		TUZA_GO(write_now, &back);
		CHECK_EQ(tuza_conn_read(p.b, &byte, 1), 1);
		WAIT_UNTIL(back.done);
		CHECK_EQ(freed, 0);
		atomic_store(&panics, true);
		CHECK_PANICS("the method", close_now, p.a);
		CHECK_EQ(freed, 1);
		CHECK_EQ(tuza_conn_read(p.b, &byte, 1), 0); // what is under it was closed
		CHECK_EQ(tuza_conn_close(p.b), 0);
	}
}

static int panic_instead(void *arg, tuza_conn *under, tuza_conn **conn)
{
	(void)arg;
	(void)under;
	*conn = NULL;
	tuza_panic("the method");
}

static void accept_one(void *l)
{
	tuza_conn *conn;
	(void)!tuza_accept(l, &conn);
}

TEST(a_listener_whose_layer_panics_can_be_closed)
{
	tuza_listener *l;
	char at[64], byte;

	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &l), 0);
	CHECK_EQ(tuza_listener_address(l, at, sizeof at), 0);
	CHECK_EQ(tuza_layer_listener(l, panic_instead, NULL, NULL), 0);
	struct dialled d = {.network = "tcp", .address = at};
	TUZA_GO(dial_now, &d);
	CHECK_PANICS("the method", accept_one, l);
	WAIT_UNTIL(d.done);
	CHECK_EQ(tuza_conn_read(d.conn, &byte, 1), 0); // it was closed
	CHECK_EQ(tuza_conn_close(d.conn), 0);
	CHECK_EQ(tuza_listener_close(l), 0);
}
