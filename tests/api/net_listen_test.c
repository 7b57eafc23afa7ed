// SPDX-License-Identifier: MIT
/*
 * Listening and dialling. After Go's net/dial_test.go, listen_test.go, net_test.go.
 */
#include "../port.h"
#include "net_support.h"

#include <tuza/io.h>

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

// N3, T9.2: Go: ListenerClose.
TEST(close_unblocks_accept_and_frees_the_address)
{
	char address[TUZA_ADDRESS_TEXT];
	tuza_listener *l, *second;
	tuza_conn *conn;
	int kept = keep_port(address, sizeof(address));

	CHECK_EQ(tuza_listen("tcp", address, &l), 0);
	struct accepting a = {.l = l}, b = {.l = l};
	TUZA_GO(accept_for, &a);
	TUZA_GO(accept_for, &b);
	wait_parked("IO wait", 1);
	CHECK_EQ(tuza_listen("tcp", address, &second), -EADDRINUSE);
	CHECK(second == NULL);
	CHECK_EQ(tuza_listener_close(l), 0);
	WAIT_UNTIL(a.done && b.done);
	CHECK_EQ(a.result, TUZA_ECONNCLOSED);
	CHECK_EQ(b.result, TUZA_ECONNCLOSED);
	CHECK_EQ(tuza_listener_close(l), TUZA_ECONNCLOSED);
	CHECK_EQ(tuza_accept(l, &conn), TUZA_ECONNCLOSED);
	CHECK_EQ(tuza_dial(tuza_context_background(), "tcp", address, &conn), -ECONNREFUSED);
	CHECK(conn == NULL);
	CHECK_EQ(tuza_listen("tcp", address, &second), 0);
	CHECK_EQ(tuza_listener_close(second), 0);
	close(kept);
}

TEST(connections_outlive_their_listener)
{
	struct pair p = connected("tcp", "127.0.0.1:0"); // closes it
	char byte;

	CHECK_EQ(tuza_conn_write(p.a, "x", 1), 1);
	CHECK_EQ(tuza_conn_read(p.b, &byte, 1), 1);
	close_pair(&p);
}

TEST(a_listener_shows_its_descriptor_until_it_is_closed)
{
	struct sockaddr_storage address;
	socklen_t bytes = sizeof(address);
	tuza_listener *l;

	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &l), 0);
	int fd = tuza_listener_fd(l);
	CHECK(fd >= 0);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
	CHECK_EQ(address.ss_family, AF_INET);
	CHECK_EQ(tuza_listener_close(l), 0);
	CHECK_EQ(tuza_listener_fd(l), TUZA_ECONNCLOSED);
}

TEST(unix_path_is_made_and_removed)
{
	char path[64];
	struct stat s;
	tuza_listener *l, *second;

	snprintf(path, sizeof(path), "/tmp/tuza-test-%d", (int)getpid());
	unlink(path);
	CHECK_EQ(tuza_listen("unix", path, &l), 0);
	CHECK_EQ(stat(path, &s), 0);
	CHECK_EQ(tuza_listen("unix", path, &second), -EADDRINUSE);
	CHECK_EQ(stat(path, &s), 0);
	struct dialled d = {.network = "unix", .address = path};
	struct accepting a = {.l = l};
	TUZA_GO(dial_now, &d);
	TUZA_GO(accept_for, &a);
	WAIT_UNTIL(d.done && a.done);
	char text[TUZA_ADDRESS_TEXT];
	CHECK_EQ(tuza_conn_remote_address(d.conn, text, sizeof(text)), 0);
	CHECK_STR(text, path);
	CHECK_EQ(tuza_conn_close(d.conn), 0);
	CHECK_EQ(tuza_conn_close(a.conn), 0);
	CHECK_EQ(tuza_listener_close(l), 0);
	CHECK_EQ(stat(path, &s), -1);
	CHECK_EQ(tuza_dial(tuza_context_background(), "unix", path, &d.conn), -ENOENT);
}

// What has taken the path's place meanwhile: nothing, and a directory of somebody else's.
TEST(close_of_a_unix_listener_whose_path_has_gone_is_none_the_worse)
{
	char path[64];
	tuza_listener *l;

	snprintf(path, sizeof(path), "/tmp/tuza-test-gone-%d", (int)getpid());
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(tuza_listen("unix", path, &l), 0);
		CHECK_EQ(unlink(path), 0);
		CHECK(i == 0 || mkdir(path, 0700) == 0);
		errno = EDOM;
		CHECK_EQ(tuza_listener_close(l), 0);
		CHECK_EQ(errno, EDOM);
	}
	CHECK_EQ(rmdir(path), 0);
}

// Resolved by the system; /etc/hosts has it.
TEST(names_are_resolved)
{
	char address[TUZA_ADDRESS_TEXT], dialled[TUZA_ADDRESS_TEXT];
	tuza_listener *l;
	tuza_address a;
	tuza_conn *conn;

	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &l), 0);
	CHECK_EQ(tuza_listener_address(l, address, sizeof(address)), 0);
	snprintf(dialled, sizeof(dialled), "localhost%s", strrchr(address, ':'));
	struct dialled d[10];
	for (int i = 0; i < 10; i++) {
		d[i] = (struct dialled){.network = "tcp", .address = dialled};
		TUZA_GO(dial_now, &d[i]);
	}
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(tuza_accept(l, &conn), 0);
		CHECK_EQ(tuza_conn_close(conn), 0);
	}
	for (int i = 0; i < 10; i++) {
		WAIT_UNTIL(d[i].done);
		CHECK_EQ(d[i].result, 0);
		CHECK_EQ(tuza_conn_close(d[i].conn), 0);
	}
	CHECK_EQ(tuza_listener_close(l), 0);
	CHECK_EQ(tuza_address_resolve(tuza_context_background(), "udp4", "localhost:53", &a), 0);
	CHECK_EQ(tuza_address_text(&a, address, sizeof(address)), 0);
	CHECK_STR(address, "127.0.0.1:53");
	CHECK_EQ(tuza_address_resolve(tuza_context_background(), "udp", "[::1]:80", &a), 0);
	CHECK_EQ(tuza_address_text(&a, address, sizeof(address)), 0);
	CHECK_STR(address, "[::1]:80");
}

// ---- contexts ----------------------------------------------------------------------------------

struct ctx_dial {
	tuza_context *ctx;
	const char *address;
	tuza_conn *conn;
	int result;
	atomic_int done;
};

static void dial_with_ctx(struct ctx_dial *d)
{
	d->result = tuza_dial(d->ctx, "unix", d->address, &d->conn);
	atomic_store(&d->done, 1);
}

// A listener whose queue is full, so that dialling takes for ever: the same for every system, and
// no packet has to be lost.
static int full_listener(const char *name)
{
	struct sockaddr_un {
		sa_family_t family;
		char path[108];
	} a = {AF_UNIX, ""};
	socklen_t bytes = (socklen_t)(2 + strlen(name));
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), client, result = 0;

	strcpy(a.path + 1, name + 1);
	CHECK_EQ(bind(fd, (struct sockaddr *)&a, bytes), 0);
	CHECK_EQ(listen(fd, 0), 0);
	for (int i = 0; i < 16 && result == 0; i++) { // they stay in the queue
		client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		result = connect(client, (struct sockaddr *)&a, bytes);
		CHECK(result == 0 || errno == EAGAIN);
		close(client);
	}
	CHECK_EQ(result, -1);
	return fd;
}

// T9.3, X16: cancel during dial; nothing stays open.
TEST(context_ends_a_dial)
{
	char name[64];

	snprintf(name, sizeof(name), "@tuza-full-%d", (int)getpid());
	int fd = full_listener(name), before = test_count_fds();
	for (int i = 0; i < 10; i++) {
		tuza_context *ctx =
			i % 2 ? tuza_context_with_cancel(tuza_context_background())
			      : tuza_context_with_timeout(tuza_context_background(), 5 * MS);
		struct ctx_dial d = {.ctx = ctx, .address = name};
		TUZA_GO(dial_with_ctx, &d);
		if (i % 2) {
			wait_parked("IO wait", 1);
			tuza_context_cancel(ctx);
		}
		WAIT_UNTIL(d.done);
		CHECK_EQ(d.result, i % 2 ? -ECANCELED : -ETIMEDOUT);
		CHECK(d.conn == NULL);
		CHECK_EQ(test_count_fds(), before);
		tuza_context_free(ctx);
	}
	close(fd);
}

static void dial_nil(void *conn) { (void)!tuza_dial(NULL, "tcp", "127.0.0.1:1", conn); }

TEST(ended_context_dials_nothing)
{
	tuza_conn *conn;
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());

	tuza_context_cancel(ctx);
	CHECK_EQ(tuza_dial(ctx, "tcp", "localhost:1", &conn), -ECANCELED);
	CHECK_EQ(tuza_dial(ctx, "nonsense", "", &conn), -ECANCELED);
	tuza_context_free(ctx);
	CHECK_PANICS("nil context", dial_nil, &conn);
}

// T9.3: cancel after dial.
TEST(context_means_nothing_to_a_connection_that_exists)
{
	char address[TUZA_ADDRESS_TEXT], byte;
	tuza_listener *l;
	tuza_conn *a, *b;
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), TUZA_HOUR);

	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &l), 0);
	CHECK_EQ(tuza_listener_address(l, address, sizeof(address)), 0);
	CHECK_EQ(tuza_dial(ctx, "tcp", address, &a), 0); // the system accepts by itself
	CHECK_EQ(tuza_accept(l, &b), 0);
	tuza_context_free(ctx);
	CHECK_EQ(tuza_conn_write(a, "x", 1), 1);
	CHECK_EQ(tuza_conn_read(b, &byte, 1), 1);
	CHECK_EQ(tuza_conn_close(a), 0);
	CHECK_EQ(tuza_conn_close(b), 0);
	CHECK_EQ(tuza_listener_close(l), 0);
}

// ---- shortage ----------------------------------------------------------------------------------

static void accept_all(tuza_listener *l, atomic_int *accepted, atomic_int *closed)
{
	tuza_conn *conn;
	char byte;

	while (tuza_accept(l, &conn) == 0) {
		atomic_fetch_add(accepted, 1);
		CHECK_EQ(tuza_conn_read(conn, &byte, 1), 0); // the client closes
		CHECK_EQ(tuza_conn_close(conn), 0);
		atomic_fetch_add(closed, 1);
	}
}

// joyent/libuv#690: no descriptor left: accept does not fail, does not spin, and goes on
// afterwards.
TEST(accept_waits_for_descriptors)
{
	char address[TUZA_ADDRESS_TEXT];
	tuza_listener *l;
	tuza_conn *conn;
	struct rlimit limit, low;
	atomic_int accepted = 0, closed = 0;
	static int fds[4096];
	int n = 0, own_errors = dup(STDERR_FILENO), errors[2];
	char told[512] = "", expected[TUZA_ADDRESS_TEXT + 64];

	tuza_gomaxprocs(tuza_gomaxprocs(0)); // nobody opens files to look for the CPU's limit
	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &l), 0);
	CHECK_EQ(tuza_listener_address(l, address, sizeof(address)), 0);
	CHECK_EQ(pipe(errors), 0);
	CHECK_EQ(dup2(errors[1], STDERR_FILENO), STDERR_FILENO);
	TUZA_GO(accept_all, l, &accepted, &closed);
	wait_parked("IO wait", 1);
	CHECK_EQ(tuza_dial(tuza_context_background(), "tcp", address, &conn), 0);
	CHECK_EQ(tuza_conn_close(conn), 0);
	WAIT_UNTIL(closed == 1);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = 200;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	while (n < 4096 && (fds[n] = dup(0)) >= 0)
		n++;
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	connect(client, (struct sockaddr *)&to, sizeof(to));
	CHECK(tuza_read(errors[0], told, sizeof told - 1) > 0);
	tuza_sleep(30 * MS);
	CHECK_EQ(accepted, 1);
	// Once, however often it was tried.
	snprintf(expected, sizeof expected, "tuza: accept at %s: Too many open files; ", address);
	CHECK_CONTAINS(told, expected);
	CHECK_EQ(tuza_wait_fd(errors[0], POLLIN, 1), TUZA_EIOTIMEOUT);
	while (n > 0)
		close(fds[--n]);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(dup2(own_errors, STDERR_FILENO), STDERR_FILENO);
	close(own_errors);
	close(errors[1]);
	tuza_close(errors[0]);
	CHECK_EQ(tuza_dial(tuza_context_background(), "tcp", address, &conn), 0);
	CHECK_EQ(tuza_conn_close(conn), 0);
	// valgrind takes the connection, and closes it to pretend that there was no descriptor.
	const char *tool = getenv("LD_PRELOAD");
	close(client);
	WAIT_UNTIL(accepted == (tool && strstr(tool, "vgpreload") ? 2 : 3));
	CHECK_EQ(tuza_listener_close(l), 0);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}

// ---- load --------------------------------------------------------------------------------------

static void echo(tuza_conn *conn)
{
	char bytes[256];
	ssize_t n;

	while ((n = tuza_conn_read(conn, bytes, sizeof(bytes))) > 0)
		if (tuza_conn_write(conn, bytes, (size_t)n) != n)
			break;
	CHECK_EQ(tuza_conn_close(conn), 0);
}

static void serve(tuza_listener *l)
{
	tuza_conn *conn;

	while (tuza_accept(l, &conn) == 0)
		TUZA_GO(echo, conn);
}

static void client(const char *address, int rounds, atomic_int *left)
{
	tuza_conn *conn;

	if (CHECK_EQ(tuza_dial(tuza_context_background(), "tcp", address, &conn), 0)) {
		for (int i = 0; i < rounds; i++) {
			int sent = i * 31, got = -1;

			CHECK_EQ(tuza_conn_write(conn, &sent, sizeof(sent)), sizeof(sent));
			CHECK_EQ(read_all(conn, (char *)&got, sizeof(got)), sizeof(got));
			if (!CHECK_EQ(got, sent))
				break;
		}
		CHECK_EQ(tuza_conn_close(conn), 0);
	}
	atomic_fetch_sub(left, 1);
}

TEST(many_clients_are_served)
{
	enum { CLIENTS = 100 };
	char address[TUZA_ADDRESS_TEXT];
	tuza_listener *l;
	atomic_int left = CLIENTS;

	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &l), 0);
	CHECK_EQ(tuza_listener_address(l, address, sizeof(address)), 0);
	TUZA_GO(serve, l);
	for (int i = 0; i < CLIENTS; i++)
		TUZA_GO(client, address, 50, &left);
	WAIT_UNTIL(left == 0);
	CHECK_EQ(tuza_listener_close(l), 0);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}

// A racer that has failed before its starter looked again.
TEST(a_dial_that_fails_at_once_has_failed)
{
	char address[TUZA_ADDRESS_TEXT];
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), TUZA_HOUR);
	int refused = 0, kept = keep_port(address, sizeof(address));
	tuza_conn *conn;

	for (int i = 0; i < 2000; i++)
		refused += tuza_dial(ctx, "tcp", address, &conn) == -ECONNREFUSED;
	CHECK_EQ(refused, 2000);
	tuza_context_free(ctx);
	close(kept);
}
