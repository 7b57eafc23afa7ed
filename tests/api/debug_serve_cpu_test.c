// SPDX-License-Identifier: MIT
// not-under: thread valgrind they deliver signals late, when the stack is another one
// The debug server's CPU profile. (O31)
#include "pprof_support.h"

#include <tuza/context.h>
#include <tuza/go.h>
#include <tuza/net.h>
#include <tuza/sync.h>

static tuza_conn *dial(const char *address, const char *path)
{
	char request[300];
	tuza_conn *conn = NULL;

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, address);
	if (CHECK_EQ(tuza_dial(tuza_context_background(), "tcp", address, &conn), 0))
		CHECK_EQ(tuza_conn_write(conn, request, strlen(request)), strlen(request));
	return conn;
}

static size_t read_page(tuza_conn *conn, char *text, size_t room)
{
	size_t n = 0;
	ssize_t got;

	while ((got = tuza_conn_read(conn, text + n, room - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = 0;
	tuza_conn_close(conn);
	return n;
}

static char text[1 << 22];

static bool second_is_refused(const char *address)
{
	read_page(dial(address, "/debug/pprof/profile?seconds=1"), text, sizeof(text));
	return strstr(text, "cpu profiling already in use") != NULL;
}

// The thread that counts samples is there.
static bool profile_is_under_way(void)
{
	int fd = scratch();
	size_t n;

	CHECK_EQ(tuza_pprof_write(fd, "threadcreate", 1), 0);
	char *threads = read_back(fd, &n);
	bool found = strstr(threads, "[thread tuza pprof]") != NULL;

	free(threads);
	close(fd);
	return found;
}

TEST(profile_is_served)
{
	char address[TUZA_ADDRESS_TEXT];
	tuza_listener *l;
	tuza_conn *first;
	int fd = scratch();
	size_t n;

	CHECK_EQ(tuza_debug_serve_with("127.0.0.1:0", NULL, &l), 0);
	CHECK_EQ(tuza_listener_address(l, address, sizeof(address)), 0);
	first = dial(address, "/debug/pprof/profile?seconds=1");
	n = read_page(first, text, sizeof(text));
	if (CHECK(strncmp(text, "HTTP/1.0 200 OK\r\n", 17) == 0)) {
		char *body = strstr(text, "\r\n\r\n") + 4;

		n -= (size_t)(body - text);
		CHECK_EQ(write(fd, body, n), n);
		struct decoded *d = decode(fd);

		CHECK(d->duration >= (uint64_t)TUZA_SECOND);
		decoded_free(d);
	} else {
		close(fd);
	}
	tuza_listener_close(l);
}

TEST(profile_is_for_one_and_ends_when_nobody_waits_for_it)
{
	char address[TUZA_ADDRESS_TEXT];
	tuza_listener *l;
	int error, fd = scratch();

	CHECK_EQ(tuza_debug_serve_with("127.0.0.1:0", NULL, &l), 0);
	CHECK_EQ(tuza_listener_address(l, address, sizeof(address)), 0);
	tuza_conn *conn = dial(address, "/debug/pprof/profile?seconds=3600");

	WAIT_UNTIL(profile_is_under_way());
	CHECK_EQ(tuza_pprof_cpu_start(fd), -EBUSY);
	CHECK(second_is_refused(address));
	tuza_conn_close(conn);
	WAIT_UNTIL((error = tuza_pprof_cpu_start(fd)) == 0);
	CHECK_EQ(tuza_pprof_cpu_stop(), 0);
	close(fd);
	tuza_listener_close(l);
}
