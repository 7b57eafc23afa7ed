// SPDX-License-Identifier: MIT
/*
 * Deadlines of a connection: absolute, for every call until they are changed, also by others while
 * a call is under way. The connection is one in memory, but they are all alike.
 */
#include <stdio.h>
#include <tuza/tuza.h>

static void answer_slowly(void *arg)
{
	tuza_conn *conn = arg;
	char byte;

	while (tuza_conn_read(conn, &byte, 1) == 1) {
		tuza_sleep(TUZA_SECOND);
		if (tuza_conn_write(conn, &byte, 1) != 1)
			break;
	}
	tuza_conn_close(conn);
}

static void ask(tuza_conn *conn, tuza_duration patience)
{
	char byte = '?';

	tuza_conn_set_deadline(conn, tuza_now() + patience);
	ssize_t n = tuza_conn_write(conn, &byte, 1);
	if (n == 1)
		n = tuza_conn_read(conn, &byte, 1);
	printf("%s\n", n == 1 ? "an answer" : tuza_strerror((int)n));
}

static int program(void *arg)
{
	tuza_conn *client, *server;

	(void)arg;
	if (tuza_pipe(&client, &server) != 0)
		return 1;
	tuza_goroutine *answerer = tuza_spawn(answer_slowly, server);
	ask(client, TUZA_SECOND * 10);
	ask(client, TUZA_MILLISECOND);
	ask(client, -1);         // past: at once
	tuza_conn_close(client); // which the other end reads as the end
	tuza_join(answerer);
	ask(client, TUZA_SECOND); // a handle may be used after its close: it says so
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
an answer
i/o timeout
i/o timeout
use of closed network connection
 */
