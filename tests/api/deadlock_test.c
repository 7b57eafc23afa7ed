// SPDX-License-Identifier: MIT
// mostly-sleeps: a cycle is told of when it has lasted for a second
/*
 * Goroutines that wait for each other while others run on: which cycles are reported on standard
 * error, and what is none.
 */
#include "alone.h"

#include <tuza/context.h>
#include <tuza/io.h>
#include <tuza/sync.h>

#include <poll.h>

static int report_fd;
static char text[64 << 10];

// From now on what is written to standard error is kept.
static void listen_in(void)
{
	report_fd = memfd_create("report", MFD_CLOEXEC);
	dup2(report_fd, STDERR_FILENO);
}

static const char *report(void)
{
	ssize_t n = pread(report_fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	return text;
}

static int occurrences(const char *part)
{
	int n = 0;

	for (const char *at = report(); (at = strstr(at, part)); at++)
		n++;
	return n;
}

static int count_reports(void) { return occurrences("found deadlock:\n"); }

// A report is written in pieces, and ends with whoever started the last of so many.
static void wait_for_report(int goroutines)
{
	WAIT_UNTIL(occurrences("\ncreated by ") == goroutines);
	CHECK_EQ(count_reports(), 1);
}

// Twice as long as a cycle has to last, and a look more.
static void wait_long_enough(void) { tuza_sleep(2500 * TUZA_MILLISECOND); }

struct link_of {
	tuza_mutex *has, *wants;
	tuza_waitgroup *all_have;
};

static void has_and_wants(void *arg)
{
	struct link_of *l = arg;

	tuza_mutex_lock(l->has);
	tuza_waitgroup_done(l->all_have);
	tuza_waitgroup_wait(l->all_have);
	tuza_mutex_lock(l->wants);
	tuza_mutex_unlock(l->wants);
	tuza_mutex_unlock(l->has);
}

static tuza_mutex ring[5];
static struct link_of links[5];

// So many goroutines, each of which wants what the next one has.
static void make_ring(int n)
{
	static tuza_waitgroup all_have;

	tuza_waitgroup_add(&all_have, n);
	for (int i = 0; i < n; i++) {
		links[i] = (struct link_of){&ring[i], &ring[(i + 1) % n], &all_have};
		tuza_go(has_and_wants, &links[i]);
	}
}

TEST_ABANDONS(a_ring_of_three_is_reported_once)
{
	listen_in();
	make_ring(3);
	wait_for_report(3);
	for (int i = 0; i < 3; i++)
		CHECK_CONTAINS(text, "waits for mutex 0x");
	CHECK_CONTAINS(text, "[sync.Mutex.Lock]:\n");
	CHECK_CONTAINS(text, "created by make_ring in goroutine 1\n");
	wait_long_enough();
	CHECK_EQ(count_reports(), 1);
}

static void locks_twice(void *m)
{
	tuza_mutex_lock(m);
	tuza_mutex_lock(m);
	tuza_mutex_unlock(m);
}

TEST_ALONE(who_waits_for_itself_is_reported)
{
	static tuza_mutex m;

	listen_in();
	tuza_go(locks_twice, &m);
	WAIT_UNTIL(count_reports() == 1);
	tuza_mutex_unlock(&m);
}

static tuza_rwmutex rw;
static tuza_mutex beside;
static tuza_waitgroup both_have;

static void writes_then_locks(void *unused)
{
	(void)unused;
	tuza_rwmutex_lock(&rw);
	tuza_waitgroup_done(&both_have);
	tuza_waitgroup_wait(&both_have);
	tuza_mutex_lock(&beside);
	tuza_mutex_unlock(&beside);
	tuza_rwmutex_unlock(&rw);
}

static void locks_then_reads(void *unused)
{
	(void)unused;
	tuza_mutex_lock(&beside);
	tuza_waitgroup_done(&both_have);
	tuza_waitgroup_wait(&both_have);
	tuza_rwmutex_rlock(&rw);
	tuza_rwmutex_runlock(&rw);
	tuza_mutex_unlock(&beside);
}

TEST_ABANDONS(a_write_lock_is_a_link_as_a_mutex_is)
{
	listen_in();
	tuza_waitgroup_add(&both_have, 2);
	tuza_go(writes_then_locks, NULL);
	tuza_go(locks_then_reads, NULL);
	wait_for_report(2);
	CHECK_CONTAINS(text, "waits for rwmutex 0x");
	CHECK_CONTAINS(text, "[sync.RWMutex.RLock]:\n");
}

static tuza_goroutine *_Atomic handles[2];

static void joins_other(void *index)
{
	intptr_t i = (intptr_t)index;

	while (!handles[1 - i])
		tuza_yield();
	tuza_join(handles[1 - i]);
}

TEST_ABANDONS(two_that_join_each_other_are_reported)
{
	listen_in();
	for (intptr_t i = 0; i < 2; i++)
		handles[i] = tuza_spawn(joins_other, (void *)i);
	wait_for_report(2);
	CHECK_CONTAINS(text, " waits for the end of goroutine ");
}

static tuza_mutex slow;
static atomic_int is_over;

static void keeps_slow(void *unused)
{
	(void)unused;
	tuza_mutex_lock(&slow);
	while (!atomic_load(&is_over))
		tuza_sleep(TUZA_MILLISECOND);
	tuza_mutex_unlock(&slow);
}

static void wants_slow(void *unused)
{
	(void)unused;
	tuza_mutex_lock(&slow);
	tuza_mutex_unlock(&slow);
}

static void gives_up(void *ctx)
{
	static tuza_mutex own;

	tuza_mutex_lock(&own);
	CHECK_EQ(tuza_mutex_lock_ctx(&own, ctx), -ECANCELED);
	tuza_mutex_unlock(&own);
	tuza_context_release(ctx);
}

static tuza_mutex handed;
static atomic_bool is_locked;

static void locks_and_waits_for_unlock(void *unused)
{
	(void)unused;
	tuza_mutex_lock(&handed);
	atomic_store(&is_locked, true);
	tuza_mutex_lock(&handed); // another will unlock it
	tuza_mutex_unlock(&handed);
}

TEST_ALONE(who_waits_for_one_that_goes_on_is_not_reported)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());

	listen_in();
	tuza_go(keeps_slow, NULL);
	for (int i = 0; i < 3; i++)
		tuza_go(wants_slow, NULL);
	tuza_go(gives_up, tuza_context_retain(ctx));
	int64_t begun = tuza_now();
	tuza_go(locks_and_waits_for_unlock, NULL);
	WAIT_UNTIL(is_locked);
	tuza_sleep(300 * TUZA_MILLISECOND);
	tuza_mutex_unlock(&handed);
	bool is_late = tuza_now() - begun > 900 * TUZA_MILLISECOND;
	wait_long_enough();
	if (is_late)
		SKIP("the machine let it wait for as long as a cycle does");
	else
		CHECK_STR(report(), "");
	atomic_store(&is_over, 1);
	tuza_context_free(ctx);
}

static int pipe_ends[2];

// Nothing else happens in the program: it waits for input.
TEST_ABANDONS(a_ring_is_found_while_all_others_wait_for_input)
{
	char byte;

	listen_in();
	CHECK_EQ(pipe(pipe_ends), 0);
	make_ring(2);
	pid_t writer = fork();
	if (writer == 0) {
		for (int i = 0; i < 5 * test_seconds && count_reports() == 0; i++)
			usleep(100000); // half of the test's time, if need be
		_exit(write(pipe_ends[1], "x", 1) != 1);
	}
	CHECK_EQ(tuza_read(pipe_ends[0], &byte, 1), 1);
	CHECK_EQ(count_reports(), 1);
	waitpid(writer, NULL, 0);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

static tuza_mutex left_locked, held;
static tuza_chan *go_on;

static void waits_for_both(void *unused)
{
	(void)unused;
	tuza_mutex_lock(&held);
	tuza_recv(go_on, NULL);
	tuza_mutex_lock(&left_locked);
	tuza_mutex_unlock(&left_locked);
	tuza_mutex_unlock(&held);
}

static void locks_and_ends(void *unused)
{
	(void)unused;
	tuza_mutex_lock(&left_locked);
}

static void locks_held(void *unused)
{
	(void)unused;
	tuza_mutex_lock(&held);
	tuza_mutex_unlock(&held);
}

// The mutex is another's to unlock, and the stack that it was locked on goes to the next goroutine.
TEST_ALONE(who_has_the_stack_of_one_that_ended_has_not_its_locks)
{
	listen_in();
	tuza_gomaxprocs(1);
	go_on = tuza_chan_new(0, 0);
	tuza_go(waits_for_both, NULL);
	wait_parked("chan receive", 1); // on a stack of its own, before the other one has one
	tuza_go(locks_and_ends, NULL);
	WAIT_UNTIL(tuza_num_goroutine() == 2);
	tuza_chan_send(go_on, NULL);
	wait_parked("sync.Mutex.Lock", 1);
	for (int i = 0; i < 10; i++) // some ticks of the coarse clock
		tuza_sleep(10 * TUZA_MILLISECOND);
	tuza_go(locks_held, NULL);
	wait_long_enough();
	CHECK_STR(report(), "");
	tuza_mutex_unlock(&left_locked);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(go_on);
}

static int close_a_cycle(void *after)
{
	int ends[2];

	if (pipe(ends) != 0)
		return 1;
	tuza_sleep(*(int64_t *)after);
	make_ring(2);
	return tuza_wait_fd(ends[0], POLLIN, 0); // nobody else does anything
}

static pid_t start_quiet_child(int64_t after, int *report)
{
	int ends[2];

	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	pid_t child = fork();
	if (child == 0) {
		alarm(60);
		dup2(ends[1], STDERR_FILENO);
		_exit(tuza_run(close_a_cycle, &after));
	}
	close(ends[1]);
	*report = ends[0];
	return child;
}

// All that happens is over before the monitor looks again: it must not take that for nothing.
TEST_PLAIN(a_cycle_that_closes_between_two_looks_is_reported)
{
	enum { CHILDREN = 12 };
	pid_t children[CHILDREN];
	struct pollfd reports[CHILDREN];
	int count = test_is_on_valgrind() ? 1 : CHILDREN;

	fflush(stdout);
	for (int i = 0; i < count; i++) {
		children[i] = start_quiet_child((i * 977 + 400) * TUZA_MICROSECOND, &reports[i].fd);
		reports[i].events = POLLIN;
	}
	for (int i = 0; i < count; i++) {
		char line[64] = "";

		CHECK_EQ(poll(&reports[i], 1, 20000), 1);
		CHECK(read(reports[i].fd, line, sizeof(line) - 1) > 0);
		CHECK_CONTAINS(line, "found deadlock:");
	}
	for (int i = 0; i < count; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
		close(reports[i].fd);
	}
}
