// SPDX-License-Identifier: MIT
/*
 * A rush: hundreds of connections end, run out of time or come at once, and a request that comes
 * last is not behind all of them. Told by counts, not by times: how many of the rush had their turn
 * between the request and its answer.
 *
 * One processor: it is kept by the test until all of the rush is there. One round with few before
 * the answer is enough: if they did not give way it would be all of them, each time. A round may
 * have more, since the kernel stops any thread at any time, even the monitor's in the middle of a
 * look, with the request's event in its hands.
 */
#include "net_support.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <unistd.h>

enum {
	RUSH = 200,
	FEW = 40, // of them may go first: 8 do, or 4 where they come
	ROUNDS = 20,
};

struct rush {
	tuza_listener *l;
	struct sockaddr_in address;
	int fd[RUSH], good;  // the clients' ends, which the runtime knows nothing of
	int64_t time_limit;  // of the connections, or 0
	atomic_int ready;    // connections that are about to wait
	atomic_int had_turn; // of the rush
	atomic_int left;     // goroutines
	atomic_int before;   // had_turn when the good one was asked
	atomic_int between;  // and how many more when it answered; -1: not yet
};

static int connect_raw(struct rush *r)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(fd >= 0);
	CHECK_EQ(connect(fd, (struct sockaddr *)&r->address, sizeof r->address), 0);
	return fd;
}

static void answer_once(struct rush *r, tuza_conn *conn)
{
	char byte;

	atomic_fetch_add(&r->ready, 1);
	CHECK_EQ(tuza_conn_read(conn, &byte, 1), 1);
	atomic_store(&r->between, r->had_turn - r->before);
	CHECK_EQ(tuza_conn_close(conn), 0);
	atomic_fetch_sub(&r->left, 1);
}

static void wait_for_end(struct rush *r, tuza_conn *conn)
{
	char byte;

	if (r->time_limit)
		CHECK_EQ(tuza_conn_set_read_deadline(conn, r->time_limit), 0);
	atomic_fetch_add(&r->ready, 1);
	CHECK_EQ(tuza_conn_read(conn, &byte, 1), r->time_limit ? TUZA_EIOTIMEOUT : 0);
	atomic_fetch_add(&r->had_turn, 1);
	CHECK_EQ(tuza_conn_close(conn), 0);
	atomic_fetch_sub(&r->left, 1);
}

// Its client has nothing more to say but listens, and reads nothing until it is asked to.
static void write_on(struct rush *r, tuza_conn *conn)
{
	static char bytes[8 << 20];
	int most = 64 << 10;

	CHECK_EQ(setsockopt(tuza_conn_fd(conn), SOL_SOCKET, SO_SNDBUF, &most, sizeof most), 0);
	CHECK_EQ(tuza_conn_set_write_deadline(conn, tuza_now() + 50 * MS), 0);
	CHECK(tuza_conn_write(conn, bytes, sizeof bytes) < (ssize_t)sizeof bytes);
	CHECK_EQ(tuza_conn_set_write_deadline(conn, 0), 0);
	atomic_fetch_add(&r->ready, 1);
	CHECK_EQ(tuza_conn_write(conn, bytes, 1), 1);
	atomic_store(&r->between, r->had_turn - r->before);
	CHECK_EQ(tuza_conn_close(conn), 0);
	atomic_fetch_sub(&r->left, 1);
}

// A listener and the good connection; its goroutine waits for the request.
static void open_rush(struct rush *r, void (*serve)(struct rush *, tuza_conn *))
{
	char at[TUZA_ADDRESS_TEXT];
	tuza_conn *conn;

	memset(r, 0, sizeof *r);
	r->between = -1;
	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &r->l), 0);
	CHECK_EQ(tuza_listener_address(r->l, at, sizeof at), 0);
	r->address.sin_family = AF_INET;
	r->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r->address.sin_port = htons((uint16_t)atoi(strrchr(at, ':') + 1));
	r->good = connect_raw(r);
	CHECK_EQ(tuza_accept(r->l, &conn), 0);
	r->left = 1;
	TUZA_GO(serve, r, conn);
}

static void open_connections(struct rush *r)
{
	for (int i = 0; i < RUSH; i++) {
		tuza_conn *conn;
		r->fd[i] = connect_raw(r);
		CHECK_EQ(tuza_accept(r->l, &conn), 0);
		atomic_fetch_add(&r->left, 1);
		TUZA_GO(wait_for_end, r, conn);
	}
}

// The request: whatever had its turn until now was not before it.
static void ask(struct rush *r)
{
	r->before = r->had_turn;
	CHECK_EQ(write(r->good, "x", 1), 1);
}

// Returns whether few were before the answer.
static bool close_rush(struct rush *r)
{
	WAIT_UNTIL(r->left == 0);
	CHECK_EQ(close(r->good), 0);
	return CHECK(r->between >= 0) && r->before <= FEW && r->between <= FEW;
}

TEST(a_request_is_not_behind_all_who_hang_up_at_once)
{
	bool few = false;

	tuza_gomaxprocs(1);
	for (int round = 0; round < ROUNDS && !few; round++) {
		struct rush r;
		open_rush(&r, answer_once);
		open_connections(&r);
		WAIT_UNTIL(r.ready == RUSH + 1);
		for (int i = 0; i < RUSH; i++)
			CHECK_EQ(close(r.fd[i]), 0);
		ask(&r);
		few = close_rush(&r);
		CHECK_EQ(r.had_turn, RUSH);
		CHECK_EQ(tuza_listener_close(r.l), 0);
	}
	CHECK(few);
}

TEST(who_still_writes_when_its_client_has_ended_is_none_of_those_who_end)
{
	bool few = false;

	tuza_gomaxprocs(1);
	for (int round = 0; round < ROUNDS && !few; round++) {
		static char bytes[1 << 16];
		struct rush r;
		open_rush(&r, write_on);
		CHECK_EQ(shutdown(r.good, SHUT_WR), 0);
		open_connections(&r);
		WAIT_UNTIL(r.ready == RUSH + 1);
		for (int i = 0; i < RUSH; i++)
			CHECK_EQ(close(r.fd[i]), 0);
		r.before = r.had_turn;
		while (recv(r.good, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
			;
		few = close_rush(&r);
		CHECK_EQ(r.had_turn, RUSH);
		CHECK_EQ(tuza_listener_close(r.l), 0);
	}
	CHECK(few);
}

TEST(a_request_is_not_behind_all_whose_time_is_up)
{
	bool few = false;

	tuza_gomaxprocs(1);
	for (int round = 0; round < ROUNDS && !few; round++) {
		struct rush r;
		open_rush(&r, answer_once);
		r.time_limit = tuza_now() + (200 + 100 * round) * MS;
		open_connections(&r);
		WAIT_UNTIL(r.ready == RUSH + 1);
		tuza_sleep(r.time_limit - 2 * MS - tuza_now());
		while (tuza_now() <= r.time_limit) // without giving the processor to anybody
			;
		ask(&r);
		few = close_rush(&r);
		CHECK_EQ(r.had_turn, RUSH);
		for (int i = 0; i < RUSH; i++)
			CHECK_EQ(close(r.fd[i]), 0);
		CHECK_EQ(tuza_listener_close(r.l), 0);
	}
	CHECK(few);
}

static void accept_all(struct rush *r)
{
	tuza_conn *conn;

	atomic_fetch_add(&r->ready, 1);
	while (tuza_accept(r->l, &conn) == 0) {
		atomic_fetch_add(&r->had_turn, 1);
		CHECK_EQ(tuza_conn_close(conn), 0);
	}
	atomic_fetch_sub(&r->left, 1);
}

TEST(a_request_is_not_behind_all_who_come_at_once)
{
	enum { COME = RUSH / 2 }; // fewer than any system's queue of a listener
	bool few = false;

	tuza_gomaxprocs(1);
	for (int round = 0; round < ROUNDS && !few; round++) {
		struct rush r;
		open_rush(&r, answer_once);
		atomic_fetch_add(&r.left, 1);
		TUZA_GO(accept_all, &r);
		WAIT_UNTIL(r.ready == 2);
		for (int i = 0; i < COME; i++)
			r.fd[i] = connect_raw(&r);
		ask(&r);
		WAIT_UNTIL(r.had_turn == COME);
		CHECK_EQ(tuza_listener_close(r.l), 0);
		few = close_rush(&r);
		for (int i = 0; i < COME; i++)
			CHECK_EQ(close(r.fd[i]), 0);
	}
	CHECK(few);
}

static void keep_busy(struct rush *r, atomic_int *stop)
{
	while (!atomic_load(stop))
		tuza_yield();
	atomic_fetch_sub(&r->left, 1);
}

TEST(those_who_end_have_their_turn_although_others_never_rest)
{
	enum { BUSY = 400 }; // more than there is room for in a processor's queue
	struct rush r;
	atomic_int stop = 0;

	tuza_gomaxprocs(1);
	open_rush(&r, answer_once);
	open_connections(&r);
	WAIT_UNTIL(r.ready == RUSH + 1);
	for (int i = 0; i < BUSY; i++) {
		atomic_fetch_add(&r.left, 1);
		TUZA_GO(keep_busy, &r, &stop);
	}
	for (int i = 0; i < RUSH; i++)
		CHECK_EQ(close(r.fd[i]), 0);
	WAIT_UNTIL(r.had_turn == RUSH);
	ask(&r);
	WAIT_UNTIL(r.between >= 0);
	atomic_store(&stop, 1);
	close_rush(&r);
	CHECK_EQ(tuza_listener_close(r.l), 0);
}

static void count_turns(struct rush *r, atomic_int *turns)
{
	while (atomic_load(&r->left) > 0) {
		atomic_fetch_add(turns, 1);
		tuza_yield();
	}
	atomic_fetch_sub(&r->ready, 1);
}

TEST(those_who_come_are_not_behind_all_who_are_busy)
{
	enum { BUSY = 400, COME = RUSH / 2 }; // a row is half of those that are busy
	bool few = false;

	if (test_is_chaotic()) {
		SKIP("rows mean nothing in chaos");
		return;
	}
	tuza_gomaxprocs(1);
	for (int round = 0; round < ROUNDS && !few; round++) {
		struct rush r;
		atomic_int turns = 0;
		tuza_conn *conn[COME];
		open_rush(&r, answer_once);
		WAIT_UNTIL(r.ready == 1);
		for (int i = 0; i < BUSY; i++)
			TUZA_GO(count_turns, &r, &turns);
		r.ready += BUSY;
		for (int i = 0; i < COME; i++)
			r.fd[i] = connect_raw(&r);
		WAIT_UNTIL(turns > BUSY); // whatever was left of an earlier row is used up
		CHECK_EQ(tuza_accept(r.l, &conn[0]), 0);
		int before = turns;
		for (int i = 1; i < COME; i++)
			CHECK_EQ(tuza_accept(r.l, &conn[i]), 0);
		few = turns - before < BUSY / 2; // a row that is too short lets 255 go first
		ask(&r);
		WAIT_UNTIL(r.ready == 1);
		for (int i = 0; i < COME; i++) {
			CHECK_EQ(tuza_conn_close(conn[i]), 0);
			CHECK_EQ(close(r.fd[i]), 0);
		}
		CHECK_EQ(tuza_listener_close(r.l), 0);
		close_rush(&r);
	}
	CHECK(few);
}

// ---- beside work from outside ------------------------------------------------------------------

enum { LATE = 80, SLICES_MOST = 6000 }; // eight of the late in some 122 slices: 1,220 for all

struct feed {
	tuza_chan *c;
	int64_t time_limit;
	atomic_int stop, slices, late;
};

// Plain threads: whom they wake waits in the global queue, which is never empty for long.
static void *feed_from_outside(void *arg)
{
	struct feed *f = arg;
	int value = 1;

	while (!atomic_load(&f->stop)) {
		(void)tuza_chan_try_send(f->c, &value);
		usleep(20);
	}
	return NULL;
}

static void take_feed(struct feed *f)
{
	int value;

	while (tuza_chan_recv(f->c, &value))
		;
}

static void compute(struct feed *f)
{
	while (!atomic_load(&f->stop)) {
		int64_t end = tuza_now() + 20 * TUZA_MICROSECOND;
		while (tuza_now() < end)
			;
		if (end > f->time_limit)
			atomic_fetch_add(&f->slices, 1);
		tuza_yield();
	}
}

static void run_out_of_time(struct feed *f, tuza_conn *conn)
{
	char byte;

	CHECK_EQ(tuza_conn_set_read_deadline(conn, f->time_limit), 0);
	CHECK_EQ(tuza_conn_read(conn, &byte, 1), TUZA_EIOTIMEOUT);
	atomic_fetch_add(&f->late, 1);
}

// Returns whether all had their turn soon.
static bool have_turns_beside_feed(void)
{
	enum { FEEDERS = 2, TAKERS = 8, COMPUTE = 3 };
	struct feed f = {.c = tuza_chan_new(sizeof(int), 0)};
	tuza_conn *a[LATE], *b[LATE];
	pthread_t feeders[FEEDERS];

	f.time_limit = tuza_now() + 50 * MS;
	for (int i = 0; i < LATE; i++) {
		CHECK_EQ(tuza_pipe(&a[i], &b[i]), 0);
		TUZA_GO(run_out_of_time, &f, a[i]);
	}
	for (int i = 0; i < TAKERS; i++)
		TUZA_GO(take_feed, &f);
	for (int i = 0; i < COMPUTE; i++)
		TUZA_GO(compute, &f);
	for (int i = 0; i < FEEDERS; i++)
		CHECK_EQ(pthread_create(&feeders[i], NULL, feed_from_outside, &f), 0);
	WAIT_UNTIL(f.late == LATE || f.slices > SLICES_MOST);
	bool soon = f.late == LATE;
	atomic_store(&f.stop, 1);
	tuza_blocking_begin();
	for (int i = 0; i < FEEDERS; i++)
		pthread_join(feeders[i], NULL);
	tuza_blocking_end();
	WAIT_UNTIL(f.late == LATE);
	tuza_chan_close(f.c);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(f.c);
	for (int i = 0; i < LATE; i++) {
		CHECK_EQ(tuza_conn_close(a[i]), 0);
		CHECK_EQ(tuza_conn_close(b[i]), 0);
	}
	return soon;
}

TEST(those_whose_time_is_up_have_their_turn_although_work_comes_from_outside)
{
	bool soon = false;

	if (test_is_chaotic()) {
		SKIP("turns mean nothing in chaos");
		return;
	}
	tuza_gomaxprocs(1);
	for (int round = 0; round < ROUNDS && !soon; round++)
		soon = have_turns_beside_feed();
	CHECK(soon);
}
