// SPDX-License-Identifier: MIT
/*
 * Goroutines tied to their thread. R6, T3.14.
 */
#include "../test.h"

#include <pthread.h>
#include <sys/syscall.h>

static pid_t thread_id(void) { return (pid_t)syscall(SYS_gettid); }

static atomic_int ended;

static void bounce(tuza_chan *in, tuza_chan *out)
{
	while (tuza_chan_recv(in, NULL))
		tuza_chan_send(out, NULL);
	tuza_chan_close(out);
}

// Every way of waiting, and after each the same thread.
static void stay_on_one_thread(void)
{
	tuza_chan *in = tuza_chan_new(0, 0), *out = tuza_chan_new(0, 0);

	tuza_lock_os_thread();
	pid_t mine = thread_id();
	TUZA_GO(bounce, in, out);
	for (int i = 0; i < 50; i++) {
		tuza_yield();
		CHECK_EQ(thread_id(), mine);
		tuza_chan_send(in, NULL);
		CHECK_EQ(thread_id(), mine);
		tuza_chan_recv(out, NULL);
		CHECK_EQ(thread_id(), mine);
		tuza_sleep(10 * TUZA_MICROSECOND);
		CHECK_EQ(thread_id(), mine);
		tuza_blocking_begin();
		tuza_blocking_end();
		CHECK_EQ(thread_id(), mine);
		(void)TUZA_SELECT(TUZA_RECV(out, NULL), TUZA_AFTER(TUZA_MICROSECOND));
		CHECK_EQ(thread_id(), mine);
	}
	tuza_chan_close(in);
	tuza_unlock_os_thread();
	tuza_chan_recv(out, NULL);
	atomic_fetch_add(&ended, 1);
	tuza_chan_release(in);
	tuza_chan_release(out);
}

TEST(locked_goroutine_stays_on_its_thread)
{
	atomic_store(&ended, 0);
	TUZA_GO(stay_on_one_thread);
	WAIT_UNTIL(ended == 1);
	stay_on_one_thread(); // goroutine 1, too
}

static void compare_thread(pid_t *locked, atomic_int *trespassers)
{
	for (int i = 0; i < 20; i++) {
		if (thread_id() == *locked)
			atomic_fetch_add(trespassers, 1);
		tuza_yield();
	}
	atomic_fetch_add(&ended, 1);
}

static void hold_thread(pid_t *locked, tuza_chan *held, tuza_chan *let_go)
{
	tuza_lock_os_thread();
	tuza_lock_os_thread();
	tuza_unlock_os_thread(); // once is not enough
	*locked = thread_id();
	tuza_chan_send(held, NULL);
	tuza_chan_recv(let_go, NULL);
	CHECK_EQ(thread_id(), *locked);
	tuza_unlock_os_thread();
	atomic_fetch_add(&ended, 1);
}

// While it is parked too, its thread runs nobody else.
TEST(thread_of_a_locked_goroutine_runs_nobody_else)
{
	tuza_chan *held = tuza_chan_new(0, 0), *let_go = tuza_chan_new(0, 0);
	pid_t locked = 0;
	atomic_int trespassers = 0;

	atomic_store(&ended, 0);
	TUZA_GO(hold_thread, &locked, held, let_go);
	tuza_chan_recv(held, NULL);
	for (int i = 0; i < 100; i++)
		TUZA_GO(compare_thread, &locked, &trespassers);
	WAIT_UNTIL(ended == 100);
	tuza_chan_send(let_go, NULL);
	WAIT_UNTIL(ended == 101);
	CHECK_EQ(trespassers, 0);
	tuza_chan_release(held);
	tuza_chan_release(let_go);
}

static void end_locked(atomic_int *tid)
{
	tuza_lock_os_thread();
	atomic_store(tid, thread_id());
}

static bool thread_lives(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d", (int)tid);
	return access(path, F_OK) == 0;
}

// A thread whose goroutine ended locked is not used again: it ends.
TEST(goroutine_that_ends_locked_takes_its_thread_along)
{
	for (int i = 0; i < 20; i++) {
		atomic_int tid = 0;

		TUZA_GO(end_locked, &tid);
		WAIT_UNTIL(tid != 0);
		WAIT_UNTIL(!thread_lives(tid));
	}
}

static void *plain_thread(void *arg)
{
	pid_t mine = thread_id();

	(void)arg;
	tuza_lock_os_thread();
	tuza_yield();
	CHECK_EQ(thread_id(), mine);
	tuza_unlock_os_thread();
	return NULL;
}

TEST_PLAIN(plain_thread_is_tied_to_itself_anyway)
{
	pthread_t thread;

	plain_thread(NULL);
	pthread_create(&thread, NULL, plain_thread, NULL);
	pthread_join(thread, NULL);
}
