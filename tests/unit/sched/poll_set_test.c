// SPDX-License-Identifier: MIT
/*
 * Descriptors that move from one of the poller's sets to another: no event is lost on the way, and
 * none waits for the owner of a set, be it idle, busy with something else, or not there at all.
 */
#include "test.h"

#include "base/random.h"
#include "sched/machine.h"
#include "sched/netpoll_waiter.h"
#include "sched/poll_set.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <tuza/goroutine.h>
#include <tuza/time.h>
#include <unistd.h>

enum { PAIRS = 8, TURNS = 1500, SETS = 12 };

struct end {
	int fd;
	struct netpoll *n;
	uint32_t generation;
};

static struct end ends[PAIRS][2];
static atomic_int left;

static void make_pair(struct end pair[2])
{
	int fds[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	for (int i = 0; i < 2; i++) {
		pair[i].fd = fds[i];
		CHECK_EQ(netpoll_open(fds[i], &pair[i].n, &pair[i].generation), 0);
	}
}

static void close_end(struct end *e)
{
	netpoll_close(e->n, e->fd);
	CHECK_EQ(close(e->fd), 0);
	netpoll_closed(e->n);
}

static void move(struct end *e, uint32_t to)
{
	lock_acquire(&e->n->lock);
	uint64_t tag = (uint64_t)netpoll_generation(e->n) << 32 | (uint32_t)e->fd;
	if (e->n->registered)
		e->n->home = (uint16_t)poll_set_move(e->n->home, to, e->fd, e->n->always, tag);
	lock_release(&e->n->lock);
}

static void put_byte(struct end *e) { CHECK_EQ(write(e->fd, "x", 1), 1); }

static void take_byte(struct end *e)
{
	for (;;) {
		char byte;
		uint64_t seen;

		CHECK_EQ(netpoll_begin(e->n, e->generation, NETPOLL_READ, &seen), 0);
		if (read(e->fd, &byte, 1) == 1)
			return;
		CHECK_EQ(errno, EAGAIN);
		CHECK_EQ(netpoll_wait(e->n, e->generation, NETPOLL_READ, seen), 0);
	}
}

static void answer(int i, int turns)
{
	for (int turn = 0; turn < turns; turn++) {
		take_byte(&ends[i][1]);
		put_byte(&ends[i][1]);
	}
	atomic_fetch_sub(&left, 1);
}

// Now and then all of them sleep: nobody looks, somebody waits in the kernel.
static void ask(int i, int turns)
{
	for (int turn = 0; turn < turns; turn++) {
		put_byte(&ends[i][0]);
		take_byte(&ends[i][0]);
		if (turn % 100 == 0)
			tuza_sleep(300 * TUZA_MICROSECOND);
	}
	atomic_fetch_sub(&left, 1);
}

static void talk(int turns)
{
	atomic_store(&left, 2 * PAIRS);
	for (int i = 0; i < PAIRS; i++) {
		TUZA_GO(answer, i, turns);
		TUZA_GO(ask, i, turns);
	}
}

TEST(no_event_is_lost_while_descriptors_move)
{
	uint64_t random = 1;

	tuza_gomaxprocs(4);
	for (int i = 0; i < PAIRS; i++)
		make_pair(ends[i]);
	talk(TURNS);
	while (atomic_load(&left) != 0) {
		uint32_t r = random_below(&random, PAIRS * 2 * SETS);

		move(&ends[r % PAIRS][r / PAIRS % 2], r / PAIRS / 2);
		if (r % 8 == 0)
			tuza_yield();
		if (r % 64 == 0)
			tuza_sleep(20 * TUZA_MICROSECOND);
	}
	for (int i = 0; i < PAIRS; i++)
		for (int k = 0; k < 2; k++)
			close_end(&ends[i][k]);
	for (uint32_t i = 1; i < SETS; i++)
		CHECK_EQ(load_relaxed(&poll_sets[i].count), 0);
}

static int talk_where_sets_have_no_owner(void *arg)
{
	(void)arg;
	tuza_gomaxprocs(1);
	for (int i = 0; i < PAIRS; i++)
		for (int k = 0; k < 2; k++)
			move(&ends[i][k], (uint32_t)(1 + (i + k) % (SETS - 1)));
	talk(TURNS / 10);
	WAIT_UNTIL(left == 0);
	return 0;
}

static bool all_are_here(void)
{
	for (int i = 0; i < PAIRS; i++)
		for (int k = 0; k < 2; k++)
			if (ends[i][k].n->home != poll_set_of(machine_current()->processor))
				return false;
	return true;
}

static int talk_from_one_set(void *arg)
{
	do // again if another processor has come into service in this one's place
		(void)talk_where_sets_have_no_owner(arg);
	while (!all_are_here());
	return 0;
}

// The only processor would look at other sets now and then.
TEST_PLAIN(descriptors_leave_the_sets_of_processors_out_of_service)
{
	for (int i = 0; i < PAIRS; i++)
		make_pair(ends[i]);
	CHECK_EQ(tuza_run(talk_from_one_set, NULL), 0);
	for (int i = 0; i < PAIRS; i++)
		for (int k = 0; k < 2; k++)
			close_end(&ends[i][k]);
}

static void *put_byte_soon(void *end)
{
	usleep(30000);
	put_byte(end);
	return NULL;
}

static atomic_bool over;

static void keep_yielding(void)
{
	while (!over)
		tuza_yield();
	atomic_fetch_sub(&left, 1);
}

// With so many that run, the owner of the set does not come to look, nor does anybody else.
TEST(an_event_is_found_although_all_processors_have_long_rings)
{
	enum { YIELDERS = 400 };

	tuza_gomaxprocs(2);
	make_pair(ends[0]);
	atomic_store(&left, YIELDERS);
	for (int i = 0; i < YIELDERS; i++)
		TUZA_GO(keep_yielding);
	for (int turn = 0; turn < 4; turn++) {
		pthread_t thread;

		move(&ends[0][1], (uint32_t)(1 + turn % 2));
		CHECK_EQ(pthread_create(&thread, NULL, put_byte_soon, &ends[0][0]), 0);
		take_byte(&ends[0][1]);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
	over = true;
	WAIT_UNTIL(left == 0);
	close_end(&ends[0][0]);
	close_end(&ends[0][1]);
}

// No timer is there to wake anybody.
static int read_without_the_call(void *arg)
{
	struct rlimit limit, none;
	pthread_t thread;

	(void)arg;
	move(&ends[0][1], 3);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){0, limit.rlim_max};
	CHECK_EQ(pthread_create(&thread, NULL, put_byte_soon, &ends[0][0]), 0);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0); // poll(2): EINVAL
	take_byte(&ends[0][1]);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	return 0;
}

// A program that needs no more descriptors may give up the right to open some.
TEST_PLAIN(events_of_all_sets_come_where_the_kernel_does_not_wait_for_several)
{
	make_pair(ends[0]);
	CHECK_EQ(tuza_run(read_without_the_call, NULL), 0);
	close_end(&ends[0][0]);
	close_end(&ends[0][1]);
}

// Descriptors outlive a run, and the next may have fewer processors.
TEST_PLAIN(sets_of_an_earlier_run_are_looked_at)
{
	for (int i = 0; i < PAIRS; i++)
		make_pair(ends[i]);
	for (int run = 0; run < 3; run++)
		CHECK_EQ(tuza_run(talk_where_sets_have_no_owner, NULL), 0);
	for (int i = 0; i < PAIRS; i++)
		for (int k = 0; k < 2; k++)
			close_end(&ends[i][k]);
}
