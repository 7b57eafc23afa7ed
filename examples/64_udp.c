// SPDX-License-Identifier: MIT
/*
 * Datagrams: a time server in ten lines, and a client that does not wait for ever.
 */
#include <stdio.h>
#include <string.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void serve(tuza_conn *socket)
{
	char request[64];
	tuza_address client;
	ssize_t n;

	while ((n = tuza_conn_read_from(socket, request, sizeof request, &client)) >= 0)
		if (n == 5 && memcmp(request, "time?", 5) == 0)
			if (tuza_conn_write_to(socket, "late", 4, &client) != 4)
				puts("not sent");
}

static int program(void *arg)
{
	char address[TUZA_ADDRESS_TEXT], answer[64];
	tuza_conn *server, *conn;

	(void)arg;
	if (tuza_listen_packet("udp", "127.0.0.1:0", &server) != 0)
		return 1;
	tuza_conn_local_address(server, address, sizeof address);
	go(serve, server);
	if (tuza_dial(tuza_context_background(), "udp", address, &conn) != 0)
		return 1;
	tuza_conn_set_read_deadline(conn, tuza_now() + 10 * TUZA_SECOND);
	if (tuza_conn_write(conn, "time?", 5) == 5) {
		ssize_t n = tuza_conn_read(conn, answer, sizeof answer);
		printf("it is %.*s\n", n > 0 ? (int)n : 0, answer);
	}
	tuza_conn_set_read_deadline(conn, tuza_now() + TUZA_MILLISECOND);
	ssize_t n = tuza_conn_read(conn, answer, sizeof answer);
	printf("then: %s\n", tuza_strerror((int)n));
	tuza_conn_close(conn);
	tuza_conn_close(server);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
it is late
then: i/o timeout
 */
