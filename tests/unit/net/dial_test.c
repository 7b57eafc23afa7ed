// SPDX-License-Identifier: MIT
/*
 * Which of a name's addresses is dialled when, with answers of the test's own. After Go's
 * net/dial_test.go: TestDialParallel, TestDialSerialAsyncSpuriousConnection,
 * TestDialerFallbackDelay.
 */
#include "ip6.h"
#include "port.h"
#include "test.h"

#include "net/address.h"
#include "sched/upcalls.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#define MS TUZA_MILLISECOND

// In place of resolve.c.
static struct addresses answer;

int resolve_host(tuza_context *ctx, const char *host, int family, struct addresses *result)
{
	(void)ctx;
	(void)host;
	(void)family;
	*result = answer;
	return 0;
}

void net_forget_lookups(bool is_last) { (void)is_last; }

static void answer_with(int count, const char *const hosts[])
{
	answer.count = 0;
	for (int i = 0; i < count; i++)
		CHECK(address_of_number(hosts[i], &answer.at[answer.count++]));
}

// A socket that listens at [::1] and whose queue is full: the system lets further clients wait.
struct full {
	int fd, clients[8];
	int count;
	int port;
};

// Where there is room left the next one would be let in.
static bool is_full(int fd)
{
	struct tcp_info info = {.tcpi_unacked = 0};
	socklen_t bytes = sizeof(info);

	CHECK_EQ(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes), 0);
	return info.tcpi_unacked > info.tcpi_sacked; // of a listener: its queue, and the limit
}

static void make_full(struct full *f)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	socklen_t bytes = sizeof(a);

	f->fd = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK_EQ(bind(f->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	CHECK_EQ(listen(f->fd, 0), 0);
	CHECK_EQ(getsockname(f->fd, (struct sockaddr *)&a, &bytes), 0);
	f->port = ntohs(a.sin6_port);
	for (f->count = 0; f->count < 8; f->count++) {
		f->clients[f->count] = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(f->clients[f->count], (struct sockaddr *)&a, sizeof(a));
	}
	WAIT_UNTIL(is_full(f->fd));
}

static void empty(struct full *f)
{
	for (int i = 0; i < f->count; i++)
		close(f->clients[i]);
	close(f->fd);
}

static tuza_listener *listen_at(const char *host, int port, char text[64])
{
	tuza_listener *l;

	snprintf(text, 64, "%s:%d", host, port);
	if (tuza_listen("tcp", text, &l) != 0)
		return NULL;
	CHECK_EQ(tuza_listener_address(l, text, 64), 0);
	return l;
}

// A name for the port that the listener has.
static int dial_name(tuza_context *ctx, const char *address, tuza_conn **conn)
{
	char text[64];

	snprintf(text, sizeof(text), "name%s", strrchr(address, ':'));
	return tuza_dial(ctx, "tcp", text, conn);
}

TEST(second_address_is_dialled_when_the_first_refuses)
{
	static const char *const hosts[] = {"127.0.0.2", "127.0.0.3", "127.0.0.1"};
	char at[64], remote[64];
	int kept = keep_port(at, sizeof(at));
	tuza_listener *l;
	tuza_conn *conn;

	CHECK_EQ(tuza_listen("tcp", at, &l), 0);
	answer_with(3, hosts);
	CHECK_EQ(dial_name(tuza_context_background(), at, &conn), 0);
	CHECK_EQ(tuza_conn_remote_address(conn, remote, sizeof(remote)), 0);
	CHECK_STR(remote, at);
	CHECK_EQ(tuza_conn_close(conn), 0);
	CHECK_EQ(tuza_listener_close(l), 0);
	CHECK_EQ(dial_name(tuza_context_background(), at, &conn), -ECONNREFUSED);
	CHECK(conn == NULL);
	close(kept);
}

TEST(other_family_is_dialled_at_once_when_the_first_refuses)
{
	static const char *const hosts[] = {"::1", "127.0.0.1"};
	char at[64];
	int kept = keep_port(at, sizeof(at));
	tuza_listener *l;
	tuza_conn *conn;

	CHECK_EQ(tuza_listen("tcp", at, &l), 0);
	answer_with(2, hosts);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(dial_name(tuza_context_background(), at, &conn), 0);
		CHECK_EQ(tuza_conn_close(conn), 0);
	}
	CHECK_EQ(tuza_listener_close(l), 0);
	CHECK_EQ(dial_name(tuza_context_background(), at, &conn), -ECONNREFUSED);
	close(kept);
}

// Happy Eyeballs: the first family does not answer, the second starts after 300 ms and wins; the
// first one's socket is gone when the dial returns.
TEST(other_family_wins_when_the_first_is_silent)
{
	static const char *const hosts[] = {"::1", "127.0.0.1"};
	struct full f;
	char at[64], remote[64];
	tuza_conn *conn;

	if (!has_ip6()) {
		SKIP("no IPv6 here");
		return;
	}
	make_full(&f);
	tuza_listener *l = listen_at("127.0.0.1", f.port, at);
	if (!l) {
		empty(&f);
		SKIP("the port is taken");
		return;
	}
	answer_with(2, hosts);
	int fds = test_count_fds();
	int64_t before = tuza_now();
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), TUZA_MINUTE);
	CHECK_EQ(dial_name(ctx, at, &conn), 0);
	CHECK(tuza_now() - before >= 300 * MS);
	CHECK(tuza_now() - before < 10 * TUZA_SECOND);
	CHECK_EQ(tuza_conn_remote_address(conn, remote, sizeof(remote)), 0);
	CHECK_STR(remote, at);
	CHECK_EQ(tuza_conn_close(conn), 0);
	CHECK_EQ(test_count_fds(), fds);

	// A silent address, and nothing else: the context ends it.
	answer_with(1, hosts);
	tuza_context *soon = tuza_context_with_timeout(tuza_context_background(), 20 * MS);
	CHECK_EQ(dial_name(soon, at, &conn), -ETIMEDOUT);
	CHECK_EQ(test_count_fds(), fds);
	tuza_context_free(soon);
	tuza_context_free(ctx);
	CHECK_EQ(tuza_listener_close(l), 0);
	empty(&f);
}
