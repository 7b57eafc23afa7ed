// SPDX-License-Identifier: MIT
/*
 * tuza_sim_run and what is not simulated: blocking sections, descriptors, threads, other runs.
 */
#include "simulation_support.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <tuza/io.h>
#include <unistd.h>

// ---- blocking sections --------------------------------------------------------------------------

static void note_once(struct record *r, tuza_waitgroup *wg)
{
	note(r, 'o');
	tuza_waitgroup_done(wg);
}

static int block(void *record)
{
	struct record *r = record;
	tuza_waitgroup wg = {0};
	int64_t begun = tuza_now();

	tuza_waitgroup_add(&wg, 1);
	TUZA_GO(note_once, r, &wg);
	int before = r->n;
	tuza_blocking_begin();
	usleep(20000);
	CHECK_EQ(r->n, before);
	tuza_blocking_end();
	CHECK_EQ(tuza_now(), begun);
	tuza_waitgroup_wait(&wg);
	return r->n;
}

TEST_PLAIN(a_blocking_section_keeps_the_others_waiting)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct record r = {.n = 0};
		CHECK_EQ(tuza_sim_run(seed, block, &r), 1);
	}
}

// Each is short: it does not matter how long all of them take.
static int block_again_and_again(void *record)
{
	struct record *r = record;
	tuza_waitgroup wg = {0};

	tuza_waitgroup_add(&wg, 1);
	TUZA_GO(note_once, r, &wg);
	int before = r->n;
	for (int i = 0; i < 26; i++) {
		tuza_blocking_begin();
		usleep(50000);
		tuza_blocking_end();
	}
	CHECK_EQ(r->n, before);
	tuza_waitgroup_wait(&wg);
	return r->n;
}

TEST_PLAIN(short_blocking_sections_keep_the_others_waiting_however_many)
{
	struct record r = {.n = 0};

	CHECK_EQ(tuza_sim_run(1, block_again_and_again, &r), 1);
}

static void write_byte(int fd)
{
	tuza_sleep(TUZA_SECOND);
	CHECK_EQ(write(fd, "x", 1), 1);
}

static int wait_for_another(void *fds)
{
	const int *fd = fds;
	char byte = 0;

	TUZA_GO(write_byte, fd[1]);
	tuza_blocking_begin();
	CHECK_EQ(read(fd[0], &byte, 1), 1);
	tuza_blocking_end();
	return byte;
}

TEST_PLAIN(a_blocking_section_that_waits_for_another_goroutine_ends)
{
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(tuza_sim_run(1, wait_for_another, fds), 'x');
	close(fds[0]);
	close(fds[1]);
}

// ---- what is real ------------------------------------------------------------------------------

static int wait_in_vain(void *fds)
{
	const int *fd = fds;
	int64_t begun = tuza_now(), really = real_now(), limit = 30 * TUZA_MILLISECOND;

	CHECK_EQ(tuza_wait_fd(fd[0], POLLIN, begun + limit), TUZA_EIOTIMEOUT);
	CHECK(tuza_now() - begun >= limit);
	CHECK(real_now() - really >= limit);
	return 0;
}

static void *write_later(void *fd)
{
	usleep(10000);
	CHECK_EQ(write(*(int *)fd, "y", 1), 1);
	return NULL;
}

static int wait_for_thread(void *fds)
{
	const int *fd = fds;
	int64_t begun = tuza_now();

	CHECK_EQ(tuza_wait_fd(fd[0], POLLIN, begun + 3600 * TUZA_SECOND), POLLIN);
	CHECK(tuza_now() - begun < 3600 * TUZA_SECOND);
	return 0;
}

// O22
TEST_PLAIN(time_goes_on_really_while_somebody_waits_for_a_descriptor)
{
	pthread_t thread;
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(tuza_sim_run(1, wait_in_vain, fds), 0);
	CHECK_EQ(pthread_create(&thread, NULL, write_later, &fds[1]), 0);
	CHECK_EQ(tuza_sim_run(1, wait_for_thread, fds), 0);
	pthread_join(thread, NULL);
	tuza_close(fds[0]);
	close(fds[1]);
}

// An event that nobody waits for ends the wait in the kernel, and nothing else.
static void *write_to_both(void *fds)
{
	const int *fd = fds;

	usleep(10000);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	usleep(10000);
	CHECK_EQ(write(fd[3], "y", 1), 1);
	return NULL;
}

static int wait_for_second(void *fds)
{
	const int *fd = fds;
	int64_t begun = tuza_now();
	pthread_t thread;

	CHECK_EQ(tuza_wait_fd(fd[0], POLLIN, begun + TUZA_MILLISECOND), TUZA_EIOTIMEOUT);
	begun = tuza_now();
	CHECK_EQ(pthread_create(&thread, NULL, write_to_both, fds), 0);
	CHECK_EQ(tuza_wait_fd(fd[2], POLLIN, begun + 3600 * TUZA_SECOND), POLLIN);
	CHECK(tuza_now() - begun < 3600 * TUZA_SECOND);
	tuza_blocking_begin();
	pthread_join(thread, NULL);
	tuza_blocking_end();
	return 0;
}

TEST_PLAIN(an_event_that_nobody_waits_for_moves_no_clock)
{
	int fds[4];

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(pipe(fds + 2), 0);
	CHECK_EQ(tuza_sim_run(1, wait_for_second, fds), 0);
	tuza_close(fds[0]);
	tuza_close(fds[2]);
	close(fds[1]);
	close(fds[3]);
}

static void *send_from_thread(void *chan)
{
	int value = 5;

	usleep(1000);
	tuza_chan_send(chan, &value);
	return NULL;
}

static int receive_from_thread(void *unused)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
	pthread_t thread;
	int value = 0;

	(void)unused;
	CHECK_EQ(pthread_create(&thread, NULL, send_from_thread, c), 0);
	CHECK(tuza_chan_recv(c, &value));
	tuza_blocking_begin();
	pthread_join(thread, NULL);
	tuza_blocking_end();
	tuza_chan_release(c);
	return value;
}

TEST_PLAIN(plain_threads_take_part) { CHECK_EQ(tuza_sim_run(1, receive_from_thread, NULL), 5); }

// ---- beginning and end -------------------------------------------------------------------------

static void *wait_for_timer(void *timer)
{
	int64_t when;

	CHECK(tuza_chan_recv(tuza_timer_chan(timer), &when));
	return NULL;
}

TEST_PLAIN(timers_of_real_time_wait_for_its_return)
{
	int64_t took, begun = tuza_now();
	tuza_timer *t = tuza_timer_new(300 * TUZA_MILLISECOND);

	CHECK_EQ(tuza_sim_run(1, sleep_a_day, &took), 17);
	CHECK(tuza_now() - begun < 3600 * TUZA_SECOND);
	wait_for_timer(t);
	CHECK(tuza_now() - begun >= 300 * TUZA_MILLISECOND);
	tuza_timer_free(t);
	while (tuza_shutdown() != 0)
		usleep(1000);
}

static int leave_timers(void *timer)
{
	*(tuza_timer **)timer = tuza_timer_new(TUZA_SECOND);
	return 0;
}

TEST_PLAIN(timers_of_simulated_time_end_with_it)
{
	tuza_timer *t;
	int64_t when;

	CHECK_EQ(tuza_sim_run(1, leave_timers, &t), 0);
	CHECK_EQ(tuza_sim_run(1, sleep_a_day, &when), 17);
	CHECK_EQ(tuza_chan_try_recv(tuza_timer_chan(t), &when), -EAGAIN);
	CHECK(!tuza_timer_stop(t));
	tuza_timer_free(t);
}

static void *wait_with_limit(void *unused)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
	int value;

	(void)unused;
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(c, &value), TUZA_AFTER(100 * TUZA_MILLISECOND)), 1);
	tuza_chan_release(c);
	return NULL;
}

static int run_beside(void *thread)
{
	CHECK_EQ(pthread_create(thread, NULL, wait_with_limit, NULL), 0);
	for (int64_t begun = real_now(); real_now() - begun < 20 * TUZA_MILLISECOND;)
		tuza_yield();
	return 0;
}

// Or else for ever: its time limit was of simulated time.
TEST_PLAIN(a_plain_thread_waits_for_the_rest_of_its_time_really)
{
	pthread_t thread;

	CHECK_EQ(tuza_sim_run(1, run_beside, &thread), 0);
	pthread_join(thread, NULL);
	while (tuza_shutdown() != 0)
		usleep(1000);
}

static int run_inside(void *seed)
{
	if (seed)
		return tuza_sim_run(2, sleep_a_day, NULL);
	return tuza_run(sleep_a_day, NULL);
}

static void sim_inside_sim(void *unused)
{
	(void)unused;
	run_inside("");
}

static void run_inside_sim(void *unused)
{
	(void)unused;
	run_inside(NULL);
}

static int try_to_nest(void *unused)
{
	(void)unused;
	CHECK_PANICS("tuza_sim_run: already running", sim_inside_sim, NULL);
	CHECK_PANICS("tuza_run: already running", run_inside_sim, NULL);
	return 0;
}

TEST_PLAIN(runs_do_not_nest)
{
	CHECK_EQ(tuza_sim_run(1, try_to_nest, NULL), 0);
	CHECK_EQ(tuza_run(try_to_nest, NULL), 0);
}

static void drop_me(void) { tuza_chan_recv(NULL, NULL); }

static int leave_goroutines(void *unused)
{
	(void)unused;
	for (int i = 0; i < 10; i++)
		TUZA_GO(drop_me);
	tuza_yield();
	return 0;
}

TEST_PLAIN(goroutines_that_are_left_are_dropped)
{
	for (uint64_t seed = 0; seed < 20; seed++)
		CHECK_EQ(tuza_sim_run(seed, leave_goroutines, NULL), 0);
}

static int now_is_real(void *unused)
{
	int64_t before = real_now(), now = tuza_now();

	(void)unused;
	CHECK(before <= now);
	CHECK(now <= real_now());
	return 0;
}

TEST_PLAIN(afterwards_time_is_real_again)
{
	int64_t took;

	CHECK_EQ(tuza_sim_run(1, sleep_a_day, &took), 17);
	CHECK_EQ(now_is_real(NULL), 0);
	CHECK_EQ(tuza_run(now_is_real, NULL), 0);
}
