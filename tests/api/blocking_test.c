// SPDX-License-Identifier: MIT
/*
 * Blocking sections: the thread may wait for the kernel, the processor goes on with others.
 */
#include "../test.h"

#include <tuza/errno.h>

#include <time.h>

static void sleep_thread(int64_t ns)
{
	struct timespec t = {ns / TUZA_SECOND, ns % TUZA_SECOND};

	while (nanosleep(&t, &t) != 0)
		;
}

static atomic_int counter;

static void read_in_a_section(int fd, atomic_int *got)
{
	char c = 0;

	tuza_blocking_begin();
	ssize_t n = read(fd, &c, 1);
	tuza_blocking_end();
	tuza_yield();
	atomic_store(got, n == 1 ? c : -1);
}

static void count_up(void *arg)
{
	(void)arg;
	atomic_fetch_add(&counter, 1);
}

// K9: with one processor too, others run while one waits in the kernel.
TEST(others_run_while_one_is_in_a_section)
{
	int fds[2];
	atomic_int got[20] = {0};

	CHECK_EQ(pipe(fds), 0);
	atomic_store(&counter, 0);
	for (int i = 0; i < 20; i++)
		TUZA_GO(read_in_a_section, fds[0], &got[i]);
	for (int i = 0; i < 1000; i++)
		tuza_go(count_up, NULL);
	WAIT_UNTIL(counter == 1000);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(got[i], 0);
	CHECK_EQ(write(fds[1], "aaaaaaaaaaaaaaaaaaaa", 20), 20);
	for (int i = 0; i < 20; i++)
		WAIT_UNTIL(got[i] == 'a');
	close(fds[0]);
	close(fds[1]);
}

static void sleep_in_a_section(void *arg)
{
	sleep_thread(*(int64_t *)arg);
	atomic_fetch_add(&counter, 1);
}

enum { SECTIONS = 40 };

// Until all of them are inside.
static void meet_in_a_section(void *inside)
{
	atomic_fetch_add((atomic_int *)inside, 1);
	for (int ms = 0; atomic_load((atomic_int *)inside) < SECTIONS && ms < 10000; ms++)
		sleep_thread(TUZA_MILLISECOND);
	atomic_fetch_add(&counter, 1);
}

static void block_and_tell(atomic_int *inside) { tuza_blocking(meet_in_a_section, inside); }

TEST(sections_wait_side_by_side)
{
	atomic_int inside = 0;

	atomic_store(&counter, 0);
	for (int i = 0; i < SECTIONS; i++)
		TUZA_GO(block_and_tell, &inside);
	WAIT_UNTIL(inside == SECTIONS);
	WAIT_UNTIL(counter == SECTIONS);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}

static void nested(void *arg)
{
	tuza_blocking_begin();
	tuza_blocking_begin();
	sleep_thread(TUZA_MICROSECOND);
	tuza_blocking_end();
	tuza_blocking(sleep_in_a_section, arg);
	tuza_blocking_end();
}

TEST(sections_nest)
{
	int64_t ns = TUZA_MICROSECOND;

	atomic_store(&counter, 0);
	for (int i = 0; i < 100; i++)
		nested(&ns);
	CHECK_EQ(counter, 100);
	tuza_yield();
}

static void end_without_begin(void *arg)
{
	(void)arg;
	tuza_blocking_end();
}

static void end_once_too_often(void *arg)
{
	(void)arg;
	tuza_blocking_begin();
	tuza_blocking_end();
	tuza_blocking_end();
}

TEST(end_without_begin_panics)
{
	CHECK_PANICS("tuza_blocking_end without tuza_blocking_begin", end_without_begin, NULL);
	CHECK_PANICS("tuza_blocking_end without tuza_blocking_begin", end_once_too_often, NULL);
}

static void recv_in_a_section(void *c)
{
	tuza_blocking_begin();
	tuza_recv((tuza_chan *)c, (int *)NULL);
	tuza_blocking_end();
}

static void panic_in_a_section(void *arg)
{
	tuza_blocking_begin();
	tuza_panic("%s", (char *)arg);
}

// A section that a panic leaves is ended; the goroutine goes on as one.
TEST(panic_ends_the_section_that_it_leaves)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 1);

	for (int i = 0; i < 10; i++) {
		CHECK_PANICS("inside", panic_in_a_section, "inside");
		CHECK_PANICS(
			"tuza_blocking_end without tuza_blocking_begin", end_without_begin, NULL);
		CHECK_EQ(TUZA_SELECT(TUZA_RECV(c, NULL), TUZA_AFTER(TUZA_MICROSECOND)), 1);
	}
	tuza_chan_release(c);
}

static int try_it(void (*fn)(void *), void *arg) { return tuza_try(fn, arg, NULL); }

// Inside, the caller is a plain thread: what need not wait is allowed, what would have to wait
// panics.
TEST(calls_that_need_not_wait_are_allowed_inside)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 2), *idle = tuza_chan_new(0, 0);
	int v = 0;

	atomic_store(&counter, 0);
	tuza_blocking_begin();
	tuza_send(c, 1);
	CHECK_EQ(tuza_chan_try_send(c, &(int){2}), 0);
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(idle, NULL), TUZA_RECV(c, &v)), 1);
	CHECK_EQ(v, 1);
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(idle, NULL), TUZA_DEFAULT), 1);
	CHECK(tuza_recv(c, &v));
	CHECK_EQ(v, 2);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(tuza_go(count_up, NULL), 0);
	CHECK_EQ(tuza_id(), 1);
	while (counter != 10) // others run, though nobody ends the section
		sleep_thread(100 * TUZA_MICROSECOND);
	tuza_blocking_end();
	CHECK_EQ(try_it(recv_in_a_section, c), TUZA_EPANIC);
	CHECK_EQ(tuza_chan_try_send(c, &v), 0); // nobody is left in the queue
	CHECK_EQ(tuza_chan_len(c), 1);
	tuza_chan_release(c);
	tuza_chan_release(idle);
}

static void send_from_a_section(tuza_chan *c, int n)
{
	for (int i = 0; i < n; i++) {
		tuza_blocking_begin();
		while (tuza_chan_try_send(c, &i) != 0)
			sleep_thread(10 * TUZA_MICROSECOND);
		tuza_blocking_end();
	}
}

// Waking a goroutine from inside a section, where the caller has no processor.
TEST(goroutines_are_woken_from_inside_a_section)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
	int v;

	TUZA_GO(send_from_a_section, c, 200);
	for (int i = 0; i < 200; i++) {
		CHECK(tuza_recv(c, &v));
		CHECK_EQ(v, i);
	}
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(c);
}

static void keep_errno(int mine)
{
	for (int i = 0; i < 50; i++) {
		errno = mine;
		tuza_blocking_begin();
		CHECK_EQ(errno, mine);
		errno = mine + 100;
		tuza_blocking_end();
		CHECK_EQ(errno, mine + 100);
	}
	atomic_fetch_add(&counter, 1);
}

// What a system call in a section says in errno is still there after it.
TEST(errno_leaves_the_section_unchanged)
{
	atomic_store(&counter, 0);
	for (int i = 1; i <= 10; i++)
		TUZA_GO(keep_errno, i);
	WAIT_UNTIL(counter == 10);
}

// On a plain thread there is nothing to hand on.
TEST_PLAIN(sections_on_a_plain_thread_do_nothing)
{
	int64_t ns = TUZA_MICROSECOND;

	atomic_store(&counter, 0);
	tuza_blocking_begin();
	tuza_blocking_begin();
	tuza_blocking_end();
	tuza_blocking_end();
	nested(&ns);
	CHECK_EQ(counter, 1);
	CHECK_PANICS("tuza_blocking_end without tuza_blocking_begin", end_without_begin, NULL);
}
