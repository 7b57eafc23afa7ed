// SPDX-License-Identifier: MIT
/*
 * crowd PORT CLIENTS SECONDS: so many clients that send the head of a request byte by byte, a byte
 * every quarter of a second, and come again when they are turned away. Says when all are there, and
 * in the end how many were turned away, how many of them with a 408, and when: from the first byte
 * of a head to the end of the connection.
 *
 * They dial 127.0.0.1 to 127.0.0.8, so that there are ports enough.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <tuza/tuza.h>

enum { ADDRESSES = 8, TIMES_MOST = 1 << 20 };

static const char *port;
static tuza_mutex lock;
static long told, away;            // guarded by lock
static uint32_t times[TIMES_MOST]; // ms; guarded by lock

// A head that never ends, until the server has had enough.
static void dawdle(tuza_conn *conn)
{
	static const char head[] = "GET /hello HTTP/1.1\r\nHost: a\r\nX: ";
	char answer[512] = "";
	int64_t begin = tuza_now();
	size_t have = 0;

	for (size_t at = 0;; at++) {
		if (tuza_conn_write(conn, at < sizeof head - 1 ? &head[at] : "x", 1) != 1)
			break;
		tuza_conn_set_read_deadline(conn, tuza_now() + 250 * TUZA_MILLISECOND);
		ssize_t n = tuza_conn_read(conn, answer + have, sizeof answer - 1 - have);
		if (n <= 0 && n != TUZA_EIOTIMEOUT)
			break;
		have += n > 0 ? (size_t)n : 0;
	}
	uint32_t took = (uint32_t)((tuza_now() - begin) / TUZA_MILLISECOND);
	tuza_mutex_lock(&lock);
	if (away < TIMES_MOST) {
		told += strncmp(answer, "HTTP/1.1 408 ", 13) == 0;
		times[away++] = took;
	}
	tuza_mutex_unlock(&lock);
}

static int dial(int number, tuza_conn **conn)
{
	char address[64];

	snprintf(address, sizeof address, "127.0.0.%d:%s", 1 + number % ADDRESSES, port);
	return tuza_dial(tuza_context_background(), "tcp", address, conn);
}

static void come_and_go(long number, tuza_conn *conn)
{
	for (;;) {
		dawdle(conn);
		tuza_conn_close(conn);
		while (dial((int)number, &conn) != 0)
			tuza_sleep(TUZA_SECOND);
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static int come(void *arguments)
{
	char **argv = arguments;
	struct rlimit limit;
	tuza_conn *conn;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	port = argv[1];
	for (int i = 0; i < atoi(argv[2]); i++) {
		int error = dial(i, &conn);
		if (error) {
			printf("client %d: %s\n", i, tuza_strerror(error));
			return 1;
		}
		TUZA_GO(come_and_go, (long)i, conn);
	}
	printf("all are there\n");
	fflush(stdout);
	tuza_sleep(atoi(argv[3]) * TUZA_SECOND);
	tuza_mutex_lock(&lock);
	qsort(times, (size_t)away, sizeof *times, by_size);
	if (away > 0)
		printf("%ld times turned away, %ld of them told why; the first after %u ms, 50 %% "
		       "%u, "
		       "99 %% %u, the last %u\n",
			away, told, times[0], times[away / 2], times[away * 99 / 100],
			times[away - 1]);
	return away == 0;
}

int main(int argc, char **argv) { return argc == 4 ? tuza_run(come, argv) : 2; }
