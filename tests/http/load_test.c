// SPDX-License-Identifier: MIT
/*
 * Many clients: thousands that send their heads slowly, and who else is there; servers that end
 * under load, gently, by a signal or by a kill. Programs of their own play the crowd and the server
 * that is killed: this one, started again.
 */
// run-alone: thousands of connections
#include "http_support.h"

#include <limits.h>
#include <sys/resource.h>
#include <tuza/errno.h>
#include <tuza/process.h>

static const char END_OF_HEAD[] = "\r\n\r\n";

static void hello(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)r;
	if (arg)
		atomic_fetch_add((atomic_long *)arg, 1);
	tuza_http_write(w, "hello", 5);
}

// ---- another program that is this one ----------------------------------------------------------

// Starts this program again for one of the parts below. `argument` is in its environment.
static tuza_process *play(const char *part, const char *argument, tuza_process_options *o)
{
	char variable[256];
	const char *more[] = {variable, NULL};
	tuza_process *p = NULL;

	snprintf(variable, sizeof variable, "TUZA_TEST_PART=%s", argument);
	o->env_more = more;
	CHECK_EQ(tuza_process_start(
			 tuza_context_background(), TUZA_ARGV("/proc/self/exe", part), o, &p),
		0);
	return p;
}

static const char *part(void)
{
	const char *argument = getenv("TUZA_TEST_PART");
	if (!argument)
		SKIP("a part that the other tests have played");
	return argument;
}

// As many as there may be. Returns how many.
static int allow_descriptors(void)
{
	struct rlimit limit;
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return limit.rlim_cur < INT_MAX ? (int)limit.rlim_cur : INT_MAX;
}

// ---- slow clients -------------------------------------------------------------------------------

enum { CROWD = TEST_SANITIZED ? 300 : 10000 };

// Theirs and the server's descriptors are in two processes.
static int crowd_size(void)
{
	int most = allow_descriptors() - 200;
	return most < CROWD ? most : CROWD;
}

static const int64_t HEAD_TIME = 2 * TUZA_SECOND; // that the server allows
static const int64_t MOST_TIME = 12 * TUZA_SECOND;

static atomic_int told, in_time, gone;
static atomic_llong longest;

static const char dawdled[] = "GET / HTTP/1.1\r\nHost: a\r\nX: ";

// A byte of a head that never ends, now and then, until the server has had enough.
static void dawdle(tuza_conn *conn, int64_t begin)
{
	char answer[1024] = "";
	size_t at = 1;
	ssize_t n, have = 0;

	for (;;) {
		tuza_conn_set_read_deadline(conn, tuza_now() + 250 * MS);
		n = tuza_conn_read(conn, answer + have, sizeof answer - 1 - (size_t)have);
		if (n > 0)
			have += n;
		if (n != TUZA_EIOTIMEOUT && n <= 0)
			break;
		if (n == TUZA_EIOTIMEOUT)
			(void)!tuza_conn_write(
				conn, at < sizeof dawdled - 1 ? &dawdled[at++] : "x", 1);
	}
	long long took = tuza_now() - begin;
	atomic_fetch_add(&told, strncmp(answer, "HTTP/1.1 408 ", 13) == 0);
	atomic_fetch_add(&in_time, took >= HEAD_TIME && took < MOST_TIME);
	for (long long old = longest; took > old;)
		if (atomic_compare_exchange_weak(&longest, &old, took))
			break;
	tuza_conn_close(conn);
	atomic_fetch_add(&gone, 1);
}

TEST(part_of_the_crowd)
{
	const char *address = part();
	int there = 0;

	if (!address)
		return;
	for (int size = crowd_size(); there < size; there++) {
		tuza_conn *conn;
		int64_t begin = tuza_now(); // the server may take it before we hear of it

		if (tuza_dial(tuza_context_background(), "tcp", address, &conn) != 0)
			break;
		// Who has sent nothing is told nothing; its goroutine may come to it too late.
		(void)!tuza_conn_write(conn, dawdled, 1);
		TUZA_GO(dawdle, conn, begin);
	}
	for (int64_t end = tuza_now() + 2 * MOST_TIME; gone < there && tuza_now() < end;)
		tuza_sleep(10 * MS);
	printf("%d of %d, %d told, %d in time, the last after %lld ms\n", gone, there, told,
		in_time, longest / MS);
}

struct good {
	const char *address;
	atomic_int *stop;
	atomic_long answers;
	atomic_llong slowest;
	tuza_waitgroup done;
};

static void ask_all_the_time(struct good *g)
{
	struct answer *a = malloc(sizeof *a);
	tuza_conn *conn;

	CHECK_EQ(tuza_dial(tuza_context_background(), "tcp", g->address, &conn), 0);
	while (!atomic_load(g->stop)) {
		int64_t begin = tuza_now();
		CHECK(send_text(conn, GET("/")));
		if (!CHECK_STR(read_answer(conn, a, false),
			    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))
			break;
		long long took = tuza_now() - begin;
		for (long long old = g->slowest; took > old;)
			if (atomic_compare_exchange_weak(&g->slowest, &old, took))
				break;
		atomic_fetch_add(&g->answers, 1);
		tuza_sleep(5 * MS);
	}
	tuza_conn_close(conn);
	free(a);
	tuza_waitgroup_done(&g->done);
}

static long resident_kb(void)
{
	char line[256];
	long kb = 0;
	FILE *f = fopen("/proc/self/status", "re");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

TEST(thousands_of_slow_clients_are_turned_away_and_nobody_else_notices)
{
	enum { GOOD = 10 };
	struct site s;
	atomic_int stop = 0;
	tuza_process_buffer out = {.bytes = NULL};
	tuza_process_options o = {.out = tuza_process_collect(&out), .err = tuza_process_inherit()};
	int ended = 0, there = 0, n408 = 0, punctual = 0;
	long before, most = 0;

	int size = crowd_size();
	site_open(&s,
		&(tuza_http_server_options){.handler = hello, .read_header_timeout = HEAD_TIME});
	struct good g = {.address = s.address, .stop = &stop};
	for (int i = 0; i < GOOD; i++) {
		tuza_waitgroup_add(&g.done, 1);
		TUZA_GO(ask_all_the_time, &g);
	}
	before = resident_kb();
	tuza_process *crowd = play("part_of_the_crowd", s.address, &o);
	// They are all there at the same time: nobody is turned away before the time for a head.
	for (size_t now = 0, peak = 0; now >= peak / 2 || peak <= GOOD;) {
		now = tuza_http_server_connections(s.server);
		peak = now > peak ? now : peak;
		long kb = resident_kb();
		most = kb > most ? kb : most;
		if (tuza_process_signal(crowd, 0) != 0)
			break;
		tuza_sleep(10 * MS);
	}
	CHECK_EQ(tuza_process_wait(crowd, NULL), 0);
	tuza_process_free(crowd);
	atomic_store(&stop, 1);
	tuza_waitgroup_wait(&g.done);
	site_close(&s);

	const char *said = out.bytes ? strstr(out.bytes, " of ") : NULL;
	while (said && said > out.bytes && said[-1] != '\n')
		said--;
	CHECK(said && sscanf(said, "%d of %d, %d told, %d in time", &ended, &there, &n408,
			      &punctual) == 4);
	CHECK_EQ(there, size);
	CHECK_EQ(ended, size);
	CHECK_EQ(n408, size);
	CHECK_EQ(punctual, size);
	CHECK(g.answers > GOOD * 10);
	CHECK(g.slowest < 2 * TUZA_SECOND);
	if (!TEST_SANITIZED)
		CHECK(most - before < 160 * 1024); // 16 KiB each; runs need 7 to 13
	printf("  %.*s; good clients: %ld answers, the slowest %lld ms; %ld MB more\n",
		said ? (int)strcspn(said, "\n") : 0, said ? said : "", g.answers, g.slowest / MS,
		(most - before) / 1024);
	free(out.bytes);
}

// ---- drained under load -------------------------------------------------------------------------

struct load {
	const char *address;
	tuza_http_client *client;
	atomic_long *answered, *broken, *left;
};

// Until the server has no more for us. An answer is whole or there is none of it.
static void ask_on(struct load *l)
{
	struct answer *a = malloc(sizeof *a);
	tuza_conn *conn;

	while (tuza_dial(tuza_context_background(), "tcp", l->address, &conn) == 0) {
		while (send_text(conn, GET("/"))) {
			read_answer(conn, a, false);
			if (a->length == 0)
				break;
			const char *body = strstr(a->bytes, END_OF_HEAD);
			if (body && strcmp(body + 4, "hello") == 0)
				atomic_fetch_add(l->answered, 1);
			else
				atomic_fetch_add(l->broken, 1);
		}
		tuza_conn_close(conn);
	}
	free(a);
	atomic_fetch_sub(l->left, 1);
}

TEST(every_request_that_a_handler_took_is_answered_when_the_server_is_drained)
{
	enum { CLIENTS = 32, ROUNDS = 10 };

	for (int round = 0; round < ROUNDS; round++) {
		atomic_long handled = 0, answered = 0, broken = 0, left = CLIENTS;
		struct site s;
		site_open(&s, &(tuza_http_server_options){.handler = hello, .arg = &handled});
		struct load l = {s.address, NULL, &answered, &broken, &left};
		for (int i = 0; i < CLIENTS; i++)
			TUZA_GO(ask_on, &l);
		WAIT_UNTIL(handled > 20 * CLIENTS);
		CHECK_EQ(tuza_http_server_shutdown(s.server, tuza_context_background()), 0);
		WAIT_UNTIL(left == 0);
		CHECK_EQ(answered, handled);
		CHECK_EQ(broken, 0);
		site_close(&s);
	}
}

// ---- killed under load --------------------------------------------------------------------------

// Until it is killed; or until it is asked to end, and then it says what it has done.
TEST(part_of_the_server)
{
	atomic_long handled = 0;
	struct site s;

	if (!part())
		return;
	tuza_context *asked = tuza_context_notify_signal(tuza_context_background(), SIGTERM);
	site_open(&s, &(tuza_http_server_options){.handler = hello, .arg = &handled});
	printf("at %s\n", s.address);
	fflush(stdout);
	tuza_chan_recv(tuza_context_done(asked), NULL);
	CHECK_EQ(tuza_http_server_shutdown(s.server, tuza_context_background()), 0);
	printf("handled %ld\n", handled);
	site_close(&s);
	tuza_context_free(asked);
}

// By the client, which keeps connections.
static void fetch_on(struct load *l)
{
	char url[160];
	int error = 0;

	snprintf(url, sizeof url, "http://%s/", l->address);
	while (error == 0) {
		tuza_http_response *r;
		char body[16];
		error = tuza_http_do(
			l->client, tuza_context_background(), &(tuza_http_call){.url = url}, &r);
		if (error == 0) {
			ssize_t n = tuza_http_response_read(r, body, sizeof body);
			if (n == 5)
				atomic_fetch_add(l->answered, 1);
			else if (n >= 0)
				atomic_fetch_add(l->broken, 1);
		}
		tuza_http_response_free(r);
	}
	atomic_fetch_sub(l->left, 1);
}

enum { CLIENTS = 16 };

// A server of its own, and as many clients of both kinds.
struct loaded {
	tuza_process *server;
	char line[128];
	atomic_long answered, broken, left;
	struct load load;
};

static bool open_loaded(struct loaded *l)
{
	tuza_process_options o = {.out = tuza_process_pipe(), .err = tuza_process_inherit()};

	memset(l, 0, sizeof *l);
	l->server = play("part_of_the_server", "", &o);
	ssize_t n = tuza_conn_read(tuza_process_out(l->server), l->line, sizeof l->line - 1);
	if (!CHECK(n > 4 && strncmp(l->line, "at ", 3) == 0))
		return false;
	l->line[strcspn(l->line, "\n")] = '\0';
	l->left = 2 * CLIENTS;
	l->load = (struct load){l->line + 3,
		tuza_http_client_new(&(tuza_http_client_options){.proxy = ""}), &l->answered,
		&l->broken, &l->left};
	for (int i = 0; i < CLIENTS; i++) {
		TUZA_GO(ask_on, &l->load);
		TUZA_GO(fetch_on, &l->load);
	}
	WAIT_UNTIL(l->answered > 20 * CLIENTS);
	return true;
}

static void close_loaded(struct loaded *l)
{
	tuza_process_free(l->server);
	tuza_http_client_free(l->load.client);
}

TEST(nothing_hangs_when_the_server_is_killed_under_load)
{
	struct loaded l;

	for (int round = 0; round < 3 && open_loaded(&l); round++) {
		CHECK_EQ(tuza_process_signal(l.server, SIGKILL), 0);
		CHECK_EQ(tuza_process_wait(l.server, NULL), TUZA_ESIGNAL(SIGKILL));
		WAIT_UNTIL(l.left == 0);
		CHECK(l.broken <= 2 * CLIENTS); // those that it was in the middle of
		close_loaded(&l);
	}
}

// What the server has handled by its own count, its clients have the answers of.
TEST(nothing_is_lost_when_a_signal_ends_the_server_under_load)
{
	struct loaded l;

	for (int round = 0; round < 3 && open_loaded(&l); round++) {
		char said[256] = "";
		long handled = -1;
		size_t have = 0;
		ssize_t n;

		CHECK_EQ(tuza_process_signal(l.server, SIGTERM), 0);
		while ((n = tuza_conn_read(tuza_process_out(l.server), said + have,
				sizeof said - 1 - have)) > 0)
			have += (size_t)n;
		CHECK_EQ(tuza_process_wait(l.server, NULL), 0);
		const char *count = strstr(said, "handled ");
		CHECK(count && sscanf(count, "handled %ld", &handled) == 1);
		WAIT_UNTIL(l.left == 0);
		CHECK_EQ(l.answered, handled);
		CHECK_EQ(l.broken, 0);
		close_loaded(&l);
	}
}
