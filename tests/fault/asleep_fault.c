// SPDX-License-Identifier: MIT
/*
 * Threads that stand still where it is hardest to tell whether all goroutines are asleep, as they
 * do for as long as others have their CPU, or their whole machine: that is no deadlock.
 *
 * The program's own getrlimit and clock_gettime stand before the C library's: that is where they
 * stand still.
 */
#include "../test.h"

#include "base/atomic.h"
#include "sched/poller.h"

#include <tuza/io.h>

#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum { ROUNDS = 12 };

static void stand_still(void)
{
	struct timespec t = {.tv_nsec = 100000000};

	nanosleep(&t, NULL);
}

static atomic_bool start_stands_still;

int getrlimit(__rlimit_resource_t resource, struct rlimit *limit)
{
	if (resource == RLIMIT_STACK && start_stands_still)
		stand_still();
	return (int)syscall(SYS_prlimit64, 0, resource, NULL, limit);
}

// What is waited for: that somebody waits for a descriptor, and then that nobody does any more.
enum { NOTHING, A_WAITER, ITS_END };
static atomic_int awaited;

int clock_gettime(clockid_t clock, struct timespec *t)
{
	int at_end = ITS_END, any = A_WAITER;

	if (awaited != NOTHING && poller_is_awaited(0))
		atomic_compare_exchange_strong(&awaited, &any, ITS_END);
	else if (awaited == ITS_END && atomic_compare_exchange_strong(&awaited, &at_end, NOTHING))
		stand_still();
	return (int)syscall(SYS_clock_gettime, clock, t);
}

// The status of a child that calls fn.
static int status_of_child(int (*fn)(void))
{
	int status = -1;

	fflush(stdout);
	pid_t child = fork();
	if (child == 0)
		_exit(fn());
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static int seven(void *unused)
{
	(void)unused;
	return 7;
}

static int run_slowly(void)
{
	tuza_gomaxprocs(2); // the monitor looks from here on
	start_stands_still = true;
	return tuza_run(seven, NULL);
}

TEST_PLAIN(beginning_that_takes_long_is_no_deadlock)
{
	int status = status_of_child(run_slowly);

	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 7);
}

static int to_child[2], to_parent[2];

static int wait_often(void *unused)
{
	char byte = 0;

	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		awaited = A_WAITER;
		if (write(to_parent[1], &byte, 1) != 1 ||
			tuza_wait_fd(to_child[0], POLLIN, 0) != POLLIN ||
			read(to_child[0], &byte, 1) != 1)
			return 1;
	}
	return 7;
}

static int wait_in_child(void)
{
	close(to_parent[0]);
	return tuza_run(wait_often, NULL);
}

static int answer_child(void)
{
	char byte;
	int i = 0;

	close(to_parent[1]);
	for (; read(to_parent[0], &byte, 1) == 1; i++) {
		// So that it has begun to wait, and the monitor still looks whether all is well.
		struct timespec t = {.tv_nsec = 500000 * (1 + i % 6)};
		nanosleep(&t, NULL);
		if (write(to_child[1], &byte, 1) != 1)
			break;
	}
	return i == ROUNDS ? 0 : 1;
}

TEST_PLAIN(thread_that_stands_still_with_an_event_in_hand_is_no_deadlock)
{
	int status, answered = -1;

	CHECK_EQ(pipe2(to_child, O_CLOEXEC), 0);
	CHECK_EQ(pipe2(to_parent, O_CLOEXEC), 0);
	fflush(stdout);
	pid_t answers = fork();
	if (answers == 0)
		_exit(answer_child());
	status = status_of_child(wait_in_child);
	for (int i = 0; i < 2; i++) {
		close(to_child[i]);
		close(to_parent[i]);
	}
	while (waitpid(answers, &answered, 0) < 0 && errno == EINTR)
		;
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 7);
	CHECK_EQ(answered, 0);
}
