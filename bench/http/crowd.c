// SPDX-License-Identifier: MIT
/*
 * crowd PORT CLIENTS: so many clients that send the head of a request byte by byte, a byte every
 * quarter of a second, and come again when they are turned away; until it is killed. Says when all
 * are there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <tuza/tuza.h>

static char address[64];

static void dawdle(tuza_conn *conn)
{
	static const char head[] = "GET /hello HTTP/1.1\r\nHost: a\r\nX: ";
	char answer[512];

	for (;;) {
		for (size_t at = 0;; at++) {
			tuza_conn_set_read_deadline(conn, tuza_now() + 250 * TUZA_MILLISECOND);
			ssize_t n = tuza_conn_read(conn, answer, sizeof answer);
			if (n <= 0 && n != TUZA_EIOTIMEOUT)
				break;
			if (tuza_conn_write(conn, at < sizeof head - 1 ? &head[at] : "x", 1) != 1)
				break;
		}
		tuza_conn_close(conn);
		while (tuza_dial(tuza_context_background(), "tcp", address, &conn) != 0)
			tuza_sleep(TUZA_SECOND);
	}
}

static int come(void *clients)
{
	struct rlimit limit;
	tuza_conn *conn;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < atoi(clients); i++) {
		int error = tuza_dial(tuza_context_background(), "tcp", address, &conn);
		if (error) {
			printf("client %d: %s\n", i, tuza_strerror(error));
			return 1;
		}
		TUZA_GO(dawdle, conn);
	}
	printf("all are there\n");
	fflush(stdout);
	tuza_select(NULL, 0);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	snprintf(address, sizeof address, "127.0.0.1:%s", argv[1]);
	return tuza_run(come, argv[2]);
}
