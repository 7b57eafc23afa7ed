// SPDX-License-Identifier: MIT
/*
 * Waiting for descriptors on plain threads, for another process, and over the ends of runs.
 */
#include "io_wait_support.h"

#include <pthread.h>

static int read_from_process(void *arg)
{
	FILE *process = popen("sleep 0.3; echo x", "r");

	(void)arg;
	if (!CHECK(process != NULL))
		return 0;
	CHECK_EQ(tuza_wait_fd(fileno(process), POLLIN, 0), POLLIN);
	CHECK_EQ(fgetc(process), 'x');
	CHECK_EQ(pclose(process), 0);
	return 0;
}

// Nothing but another process can end the wait: no thread, no timer.
TEST_PLAIN(wait_for_another_process_is_no_deadlock)
{
	CHECK_EQ(tuza_run(read_from_process, NULL), 0);
}

static void *wait_on_thread(void *arg)
{
	wait_for(arg);
	return NULL;
}

TEST(plain_thread_waits_beside_goroutines)
{
	int ends[2];
	struct wait w = {.events = POLLIN}, late = {.events = POLLIN};
	pthread_t threads[2];

	CHECK_EQ(pipe(ends), 0);
	w.fd = late.fd = ends[0];
	late.deadline = tuza_now() + 10 * MS;
	CHECK_EQ(pthread_create(&threads[0], NULL, wait_on_thread, &w), 0);
	CHECK_EQ(pthread_create(&threads[1], NULL, wait_on_thread, &late), 0);
	WAIT_UNTIL(late.done);
	CHECK_EQ(late.result, TUZA_EIOTIMEOUT);
	CHECK_EQ(w.done, 0);
	put(ends[1]);
	WAIT_UNTIL(w.done);
	CHECK_EQ(w.result, POLLIN);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	tuza_close(ends[0]);
	tuza_close(ends[1]);
}

// The runtime starts for it, and asks the kernel.
TEST_PLAIN(plain_thread_waits_without_a_run)
{
	int ends[2];
	struct wait w = {.events = POLLIN};
	pthread_t thread;

	CHECK_EQ(pipe(ends), 0);
	w.fd = ends[0];
	CHECK_EQ(tuza_wait_fd(ends[0], POLLIN, tuza_now() + MS), TUZA_EIOTIMEOUT);
	CHECK_EQ(pthread_create(&thread, NULL, wait_on_thread, &w), 0);
	usleep(2000);
	put(ends[1]);
	pthread_join(thread, NULL);
	CHECK_EQ(w.result, POLLIN);
	tuza_close(ends[0]);
	tuza_close(ends[1]);
}

static int start_thread_and_return(void *arg)
{
	pthread_t *thread = ((void **)arg)[0];

	CHECK_EQ(pthread_create(thread, NULL, wait_on_thread, ((void **)arg)[1]), 0);
	wait_parked("IO wait", 1);
	return 0;
}

// The end of a run takes the poller away from under it; it starts another.
TEST_PLAIN(plain_thread_waits_over_the_end_of_a_run)
{
	int ends[2];
	struct wait w = {.events = POLLIN};
	pthread_t thread;
	void *arg[] = {&thread, &w};

	CHECK_EQ(pipe(ends), 0);
	w.fd = ends[0];
	CHECK_EQ(tuza_run(start_thread_and_return, arg), 0);
	CHECK_EQ(w.done, 0);
	put(ends[1]);
	pthread_join(thread, NULL);
	CHECK_EQ(w.result, POLLIN);
	tuza_close(ends[0]);
	tuza_close(ends[1]);
}

static int leave_waiting(void *fd)
{
	struct wait w = {.fd = *(int *)fd, .events = POLLIN};

	TUZA_GO(wait_for, &w);
	wait_parked("IO wait", 1);
	return 0;
}

static int wait_again(void *fd)
{
	struct wait w = {.fd = *(int *)fd, .events = POLLIN};

	TUZA_GO(wait_for, &w);
	wait_parked("IO wait", 1);
	put(*((int *)fd + 1));
	WAIT_UNTIL(w.done);
	CHECK_EQ(w.result, POLLIN);
	return 0;
}

// L5: dropped with its run; the descriptor may be waited for in the next.
TEST_PLAIN(descriptor_is_waited_for_in_one_run_after_another)
{
	int ends[2];

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(tuza_run(leave_waiting, ends), 0);
	CHECK_EQ(tuza_run(leave_waiting, ends), 0);
	CHECK_EQ(tuza_run(wait_again, ends), 0);
	tuza_close(ends[0]);
	tuza_close(ends[1]);
}
