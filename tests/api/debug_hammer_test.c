// SPDX-License-Identifier: MIT
// not-under: valgrind where one processor runs at a time, and here all are busy
/*
 * The debug server under fire: all pages at once, over many connections, while the program keeps
 * every processor busy with channels, locks, memory and new goroutines, and all profiles are on.
 * (O30, O31)
 */
#include "test.h"

#include <tuza/context.h>
#include <tuza/go.h>
#include <tuza/malloc.h>
#include <tuza/net.h>
#include <tuza/pprof.h>
#include <tuza/sync.h>

enum {
	CLIENTS_MAX = TEST_SANITIZED ? 8 : 50,
	CLIENTS_EMULATED = 4,
	CLIENTS_PATIENT = 3, // have all their answers, however long it takes
	WORKERS = 8,
	REQUEST_BYTES = 200
};

static const char *const paths[] = {
	"/debug/",
	"/debug/state.json?ms=50",
	"/debug/pprof/",
	"/debug/pprof/goroutine",
	"/debug/pprof/goroutine?debug=1",
	"/debug/pprof/goroutine?debug=2",
	"/debug/pprof/threadcreate?debug=1",
	"/debug/pprof/heap",
	"/debug/pprof/allocs?debug=1",
	"/debug/pprof/block",
	"/debug/pprof/block?debug=1",
	"/debug/pprof/mutex",
	"/debug/pprof/cmdline",
	"/debug/pprof/symbol?401000",
	"/debug/vars",
	"/metrics",
	"/debug/pprof/profile?seconds=1", // of which there is one at a time
	"/debug/pprof/mutex?seconds=1",
};
enum { PATHS = sizeof(paths) / sizeof(paths[0]) };

// ---- the program -------------------------------------------------------------------------------

struct program {
	tuza_mutex mutex;
	tuza_chan *ring[WORKERS];
	tuza_waitgroup wg;
	uint64_t in_turn; // guarded by mutex
	uint64_t done;    // any goroutine, atomic
	bool stops;       // any goroutine, atomic
};

static void is_born_and_dies(struct program *p)
{
	char *memory = tuza_malloc(1000);

	memory[0] = 1;
	tuza_free(memory);
	__atomic_add_fetch(&p->done, 1, __ATOMIC_RELAXED);
	tuza_waitgroup_done(&p->wg);
}

// Every second one sends round the ring; the others take what comes.
static void works(struct program *p, size_t self)
{
	tuza_chan *c = p->ring[self / 2];

	CHECK_EQ(tuza_set_label("worker", self % 2 ? "odd" : "even"), 0);
	while (!__atomic_load_n(&p->stops, __ATOMIC_RELAXED)) {
		if (self % 2 == 0)
			tuza_chan_send(c, NULL);
		else
			tuza_chan_recv(c, NULL);
		tuza_mutex_lock(&p->mutex);
		for (int i = 0; i < 200; i++)
			p->in_turn = p->in_turn * 31 + 1;
		tuza_mutex_unlock(&p->mutex);
		tuza_waitgroup_add(&p->wg, 1);
		go(is_born_and_dies, p);
	}
	if (self % 2 == 0)
		tuza_chan_close(c);
	else
		while (tuza_chan_recv(c, NULL))
			;
	tuza_waitgroup_done(&p->wg);
}

// ---- the clients -------------------------------------------------------------------------------

struct client {
	const char *address;
	size_t first; // of paths
	tuza_waitgroup *wg;
	uint32_t *answers; // atomic: by status
	int64_t until;     // when it asks no more; 0: never
};

enum { ANSWER_OK, ANSWER_REFUSED, ASKED, ANSWERS };

// The status of one answer, read to its end; 0 when it is none.
static int ask(const char *address, const char *path)
{
	char request[REQUEST_BYTES], bytes[8192];
	tuza_conn *conn;
	ssize_t n;
	int64_t body = 0, length = -1;
	int status = 0;

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
	if (!CHECK_EQ(tuza_dial(tuza_context_background(), "tcp", address, &conn), 0))
		return 0;
	CHECK_EQ(tuza_conn_write(conn, request, strlen(request)), strlen(request));
	n = tuza_conn_read(conn, bytes, sizeof(bytes) - 1); // the server writes its head at once
	if (CHECK(n > 0)) {
		bytes[n] = 0;
		const char *end = strstr(bytes, "\r\n\r\n");
		const char *field = strstr(bytes, "\r\nContent-Length: ");

		status = atoi(bytes + 9);
		length = field ? atoll(field + 18) : -1;
		body = end ? bytes + n - (end + 4) : -1;
	}
	while ((n = tuza_conn_read(conn, bytes, sizeof(bytes))) > 0)
		body += n;
	CHECK_EQ(n, 0);
	CHECK_EQ(body, length);
	tuza_conn_close(conn);
	return status;
}

static void asks_for_all(struct client *c)
{
	// On a machine with much else to do not all have their turn within the time for a test.
	for (size_t i = 0; i < PATHS && (c->until == 0 || tuza_now() < c->until); i++) {
		const char *path = paths[(c->first + i) % PATHS];
		__atomic_add_fetch(&c->answers[ASKED], 1, __ATOMIC_RELAXED);
		int status = ask(c->address, path);

		if (status == 200)
			__atomic_add_fetch(&c->answers[ANSWER_OK], 1, __ATOMIC_RELAXED);
		else if (CHECK(status == 500 && strstr(path, "/profile")))
			__atomic_add_fetch(&c->answers[ANSWER_REFUSED], 1, __ATOMIC_RELAXED);
	}
	tuza_waitgroup_done(c->wg);
}

// A trace is long, and a scan looks at all memory: so only one client asks for these.
static void asks_for_long_ones(struct client *c)
{
	CHECK_EQ(ask(c->address, "/debug/pprof/goroutineleak?debug=1"), 200);
	CHECK_EQ(ask(c->address, "/debug/pprof/trace?seconds=1"), 200);
	CHECK_EQ(ask(c->address, "/debug/leaks.json"), 200);
	tuza_waitgroup_done(c->wg);
}

TEST(server_answers_all_while_the_program_works_on)
{
	static struct client clients[CLIENTS_MAX];
	size_t count = getenv("TUZA_TEST_EMULATOR") ? CLIENTS_EMULATED : CLIENTS_MAX;
	static struct program program;
	char address[TUZA_ADDRESS_TEXT];
	uint32_t answers[ANSWERS] = {0};
	tuza_waitgroup wg = {0};
	tuza_listener *l;
	int64_t until = tuza_now() + test_seconds * TUZA_SECOND / 4;

	CHECK_EQ(tuza_debug_serve_with("127.0.0.1:0", NULL, &l), 0);
	CHECK_EQ(tuza_listener_address(l, address, sizeof(address)), 0);
	int64_t rate = tuza_set_heap_profile_rate(10000);
	tuza_set_block_profile_rate(10 * TUZA_MICROSECOND);
	tuza_set_mutex_profile_fraction(10);
	tuza_waitgroup_add(&program.wg, WORKERS);
	for (size_t i = 0; i < WORKERS / 2; i++)
		program.ring[i] = tuza_chan_new(0, 0);
	for (size_t i = 0; i < WORKERS; i++)
		go(works, &program, i);
	tuza_waitgroup_add(&wg, (int)count + 1);
	for (size_t i = 0; i < count; i++) {
		clients[i] =
			(struct client){address, i, &wg, answers, i < CLIENTS_PATIENT ? 0 : until};
		go(asks_for_all, &clients[i]);
	}
	go(asks_for_long_ones, &clients[0]);
	uint64_t before = __atomic_load_n(&program.done, __ATOMIC_RELAXED);

	tuza_waitgroup_wait(&wg);
	CHECK(__atomic_load_n(&program.done, __ATOMIC_RELAXED) > before + 1000);
	CHECK_EQ(answers[ANSWER_OK] + answers[ANSWER_REFUSED], answers[ASKED]);
	CHECK(answers[ASKED] >= CLIENTS_PATIENT * PATHS);
	CHECK(answers[ASKED] == count * PATHS || tuza_now() >= until);
	CHECK(answers[ANSWER_REFUSED] < count); // somebody had his CPU profile
	__atomic_store_n(&program.stops, true, __ATOMIC_RELAXED);
	tuza_waitgroup_wait(&program.wg);
	tuza_set_block_profile_rate(0);
	tuza_set_mutex_profile_fraction(0);
	tuza_set_heap_profile_rate(rate);
	tuza_listener_close(l);
	for (size_t i = 0; i < WORKERS / 2; i++)
		tuza_chan_release(program.ring[i]);
}

// ---- more than there may be --------------------------------------------------------------------

enum { HELD = 130 };

// A connection that has asked for nothing yet counts, too.
TEST(connections_are_limited)
{
	static tuza_conn *held[HELD];
	char address[TUZA_ADDRESS_TEXT];
	tuza_listener *l;
	int status = 200;

	CHECK_EQ(tuza_debug_serve_with("127.0.0.1:0", NULL, &l), 0);
	CHECK_EQ(tuza_listener_address(l, address, sizeof(address)), 0);
	for (int i = 0; i < HELD; i++)
		CHECK_EQ(tuza_dial(tuza_context_background(), "tcp", address, &held[i]), 0);
	WAIT_UNTIL((status = ask(address, "/debug/vars")) == 503);
	for (int i = 0; i < HELD; i++)
		tuza_conn_close(held[i]);
	WAIT_UNTIL((status = ask(address, "/debug/vars")) == 200);
	tuza_listener_close(l);
}
