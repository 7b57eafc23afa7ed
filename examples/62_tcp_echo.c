// SPDX-License-Identifier: MIT
/*
 * A server: a goroutine accepts, and one for each connection sends back what it reads. Closing the
 * listener ends the first, the clients' closing ends the others.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void echo(tuza_conn *conn)
{
	TUZA_DEFER(tuza_conn_close, conn);
	char bytes[4096];
	ssize_t n;

	while ((n = tuza_conn_read(conn, bytes, sizeof bytes)) > 0)
		if (tuza_conn_write(conn, bytes, (size_t)n) != n)
			break;
}

static void serve(tuza_listener *l)
{
	tuza_conn *conn;

	while (tuza_accept(l, &conn) == 0)
		go(echo, conn);
}

static int program(void *arg)
{
	char address[TUZA_ADDRESS_TEXT], bytes[64];
	tuza_listener *l;

	(void)arg;
	if (tuza_listen("tcp", "127.0.0.1:0", &l) != 0)
		return 1;
	tuza_listener_address(l, address, sizeof address);
	go(serve, l);
	for (int i = 1; i <= 3; i++) {
		tuza_conn *conn;
		if (tuza_dial(tuza_context_background(), "tcp", address, &conn) != 0)
			return 1;
		int n = snprintf(bytes, sizeof bytes, "message %d", i);
		if (tuza_conn_write(conn, bytes, (size_t)n) == n &&
			tuza_conn_read(conn, bytes, sizeof bytes) == n)
			printf("%.*s\n", n, bytes);
		tuza_conn_close(conn);
	}
	tuza_listener_close(l);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
message 1
message 2
message 3
 */
