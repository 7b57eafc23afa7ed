// SPDX-License-Identifier: MIT
/*
 * Waiting for descriptors: tuza_wait_fd and what ends it.
 */
#include "io_wait_support.h"

#include <limits.h>
#include <tuza/errno.h>

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum { EPOLL_PWAIT2 = 441 }; // where the C library's headers are older

TEST(what_is_ready_is_told_at_once)
{
	int ends[2], file = memfd_create("file", MFD_CLOEXEC);

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(tuza_wait_fd(ends[1], POLLOUT, 0), POLLOUT);
	put(ends[1]);
	CHECK_EQ(tuza_wait_fd(ends[0], POLLIN, 0), POLLIN);
	CHECK_EQ(tuza_wait_fd(file, POLLIN | POLLOUT, 0), POLLIN | POLLOUT);
	CHECK_EQ(tuza_close(file), 0);
	CHECK_EQ(tuza_close(ends[0]), 0);
	CHECK_EQ(tuza_close(ends[1]), 0);
}

TEST(wrong_arguments_are_refused)
{
	CHECK_EQ(tuza_wait_fd(-1, POLLIN, 0), -EBADF);
	CHECK_EQ(tuza_wait_fd(9999, POLLIN, 0), -EBADF);
	CHECK_EQ(tuza_wait_fd(INT_MAX, POLLIN, 0), -EBADF);
	CHECK_EQ(tuza_wait_fd(0, 0, 0), -EINVAL);
	CHECK_EQ(tuza_wait_fd(0, POLLPRI, 0), -EINVAL);
	CHECK_EQ(tuza_close(-1), -EBADF);
	CHECK_EQ(tuza_close(9999), -EBADF);
}

TEST(waiting_goroutine_is_woken_by_data)
{
	int ends[2];
	CHECK_EQ(pipe(ends), 0);
	for (int i = 0; i < 200; i++) {
		struct wait w = {.fd = ends[0], .events = POLLIN};

		TUZA_GO(wait_for, &w);
		if (i % 2)
			wait_parked("IO wait", 1);
		CHECK_EQ(atomic_load(&w.done), 0);
		put(ends[1]);
		WAIT_UNTIL(w.done);
		CHECK_EQ(w.result, POLLIN);
		get(ends[0]);
	}
	tuza_close(ends[0]);
	tuza_close(ends[1]);
}

// The end of a pipe, and a reset, are something to read.
TEST(waiting_goroutine_is_woken_by_the_other_end_closing)
{
	int ends[2];
	struct wait w = {.events = POLLIN};

	CHECK_EQ(pipe(ends), 0);
	w.fd = ends[0];
	TUZA_GO(wait_for, &w);
	wait_parked("IO wait", 1);
	tuza_close(ends[1]);
	WAIT_UNTIL(w.done);
	CHECK_EQ(w.result, POLLIN);
	tuza_close(ends[0]);
}

TEST(two_goroutines_wait_for_two_directions)
{
	int ends[2];
	static char zeros[1 << 16];
	struct wait in = {.events = POLLIN}, out = {.events = POLLOUT};

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	while (write(ends[0], zeros, sizeof(zeros)) > 0)
		;
	in.fd = out.fd = ends[0];
	TUZA_GO(wait_for, &in);
	TUZA_GO(wait_for, &out);
	wait_parked("IO wait", 2);
	put(ends[1]);
	WAIT_UNTIL(in.done);
	CHECK_EQ(out.done, 0);
	while (read(ends[1], zeros, sizeof(zeros)) > 0)
		;
	WAIT_UNTIL(out.done);
	CHECK_EQ(in.result, POLLIN);
	CHECK_EQ(out.result, POLLOUT);
	tuza_close(ends[0]);
	tuza_close(ends[1]);
}

TEST(one_goroutine_waits_for_both_directions)
{
	int ends[2];
	static char zeros[1 << 16];
	struct wait w = {.events = POLLIN | POLLOUT};

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	while (write(ends[0], zeros, sizeof(zeros)) > 0)
		;
	w.fd = ends[0];
	TUZA_GO(wait_for, &w);
	wait_parked("IO wait", 1);
	put(ends[1]);
	WAIT_UNTIL(w.done);
	CHECK_EQ(w.result, POLLIN);
	tuza_close(ends[0]);
	tuza_close(ends[1]);
}

TEST(many_wait_for_one_descriptor_and_all_are_woken)
{
	enum { N = 20 };
	struct wait waits[N];
	int fd = eventfd(0, 0);
	uint64_t one = 1;

	for (int i = 0; i < N; i++) {
		waits[i] = (struct wait){.fd = fd, .events = POLLIN};
		TUZA_GO(wait_for, &waits[i]);
	}
	wait_parked("IO wait", N);
	CHECK_EQ(write(fd, &one, sizeof(one)), sizeof(one));
	for (int i = 0; i < N; i++) {
		WAIT_UNTIL(waits[i].done);
		CHECK_EQ(waits[i].result, POLLIN);
	}
	tuza_close(fd);
}

// N2: absolute, and a past one is a look.
TEST(deadline_ends_the_wait_and_never_too_early)
{
	int ends[2];
	static const int64_t times[] = {1, 50 * TUZA_MICROSECOND, MS, 20 * MS};

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(tuza_wait_fd(ends[0], POLLIN, 1), TUZA_EIOTIMEOUT);
	CHECK_EQ(tuza_wait_fd(ends[0], POLLIN, -1), TUZA_EIOTIMEOUT);
	for (int i = 0; i < 40; i++) {
		int64_t deadline = tuza_now() + times[i % 4];
		CHECK_EQ(tuza_wait_fd(ends[0], POLLIN, deadline), TUZA_EIOTIMEOUT);
		CHECK(tuza_now() >= deadline);
	}
	put(ends[1]);
	CHECK_EQ(tuza_wait_fd(ends[0], POLLIN, 1), POLLIN);
	tuza_close(ends[0]);
	tuza_close(ends[1]);
}

// golang/go#44343: a poller that counts milliseconds is late each time. The kernel may be so now
// and then: beside 28 busy loops on 4 CPUs one time of four. Who looks for work at that moment may
// save the poller a few times.
TEST(deadline_is_not_rounded_to_milliseconds)
{
	int ends[2], on_time = 0;

	if (test_is_on_valgrind() || (syscall(EPOLL_PWAIT2, -1, NULL, 0, NULL, NULL, 0) < 0 &&
					     (errno == ENOSYS || errno == EPERM))) {
		SKIP("no epoll_pwait2 here");
		return;
	}
	int before = tuza_gomaxprocs(1);
	CHECK_EQ(pipe(ends), 0);
	for (int i = 0; i < 100; i++) {
		int64_t deadline = tuza_now() + 200 * TUZA_MICROSECOND;
		CHECK_EQ(tuza_wait_fd(ends[0], POLLIN, deadline), TUZA_EIOTIMEOUT);
		// After 500 the monitor helps.
		on_time += tuza_now() - deadline < 400 * TUZA_MICROSECOND;
	}
	if (!CHECK(on_time >= 20))
		printf("  %d of 100 on time\n", on_time);
	tuza_gomaxprocs(before);
	tuza_close(ends[0]);
	tuza_close(ends[1]);
}

// N3.
TEST(close_wakes_everybody_who_waits)
{
	for (int round = 0; round < 50; round++) {
		struct wait a = {.events = POLLIN}, b = {.events = POLLIN};
		int ends[2];

		CHECK_EQ(pipe(ends), 0);
		a.fd = b.fd = ends[0];
		b.deadline = tuza_now() + TUZA_HOUR;
		TUZA_GO(wait_for, &a);
		TUZA_GO(wait_for, &b);
		wait_parked("IO wait", 2);
		CHECK_EQ(tuza_close(ends[0]), 0);
		WAIT_UNTIL(a.done && b.done);
		CHECK_EQ(a.result, TUZA_EFDCLOSED);
		CHECK_EQ(b.result, TUZA_EFDCLOSED);
		tuza_close(ends[1]);
	}
	CHECK_STR(tuza_strerror(TUZA_EFDCLOSED), "use of closed file");
}

// A library that closed its descriptor itself: the number's next user is waited for all the same.
// Nobody is given this one by chance: the runtime opens files of its own now and then.
TEST(number_closed_behind_our_back_is_watched_anew)
{
	enum { NUMBER = 700 };

	for (int i = 0; i < 100; i++) {
		struct wait w = {.fd = NUMBER, .events = POLLIN};
		int ends[2];

		CHECK_EQ(pipe(ends), 0);
		CHECK_EQ(dup2(ends[0], NUMBER), NUMBER);
		close(ends[0]);
		TUZA_GO(wait_for, &w);
		wait_parked("IO wait", 1);
		put(ends[1]);
		WAIT_UNTIL(w.done);
		CHECK_EQ(w.result, POLLIN);
		close(NUMBER);
		close(ends[1]);
	}
}

// golang/go#59545: the event of a number's last user wakes nobody.
static void churn(atomic_int *rounds)
{
	for (int i = 0; i < 300; i++) {
		int ends[2];
		struct wait w = {.events = POLLIN};

		CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
		w.fd = ends[0];
		TUZA_GO(wait_for, &w);
		if (i % 3)
			tuza_yield();
		if (i % 2)
			put(ends[1]); // perhaps its event is on its way when the number is closed
		tuza_close(ends[0]);
		tuza_close(ends[1]);
		while (!atomic_load(&w.done))
			tuza_yield();
		CHECK(w.result == TUZA_EFDCLOSED || w.result == -EBADF || w.result == POLLIN ||
			w.result == -EPERM);
		atomic_fetch_add(rounds, 1);
	}
}

TEST(numbers_are_reused_under_load)
{
	atomic_int rounds = 0;

	for (int i = 0; i < 8; i++)
		TUZA_GO(churn, &rounds);
	while (rounds < 8 * 300)
		tuza_sleep(MS);
}

static int64_t cpu_time(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * TUZA_SECOND +
	       (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * TUZA_MICROSECOND;
}

// Whether the runtime's epoll has the number, as the kernel tells it.
static bool kernel_watches(int fd)
{
	char path[64], link[64], line[128];
	bool found = false;

	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", i);
		ssize_t n = readlink(path, link, sizeof link - 1);
		if (n < 0 || strncmp(link, "anon_inode:[eventpoll]", (size_t)n) != 0)
			continue;
		snprintf(path, sizeof path, "/proc/self/fdinfo/%d", i);
		FILE *info = fopen(path, "r");
		int watched;
		while (info && fgets(line, sizeof line, info))
			found |= sscanf(line, "tfd: %d", &watched) == 1 && watched == fd;
		if (info)
			fclose(info);
	}
	return found;
}

// libuv#4323: a copy keeps the file open and ready; nobody is interested any more.
TEST(copy_of_a_closed_descriptor_costs_nothing)
{
	int ends[2], copy;
	struct wait w = {.events = POLLIN};

	CHECK_EQ(pipe(ends), 0);
	copy = dup(ends[0]);
	w.fd = ends[0];
	TUZA_GO(wait_for, &w);
	wait_parked("IO wait", 1);
	CHECK(kernel_watches(ends[0]));
	tuza_close(ends[0]);
	WAIT_UNTIL(w.done);
	CHECK(!kernel_watches(ends[0]));
	put(ends[1]);
	tuza_sleep(100 * MS);
	int64_t before = cpu_time();
	tuza_sleep(500 * MS);
	CHECK(cpu_time() - before < 250 * MS);
	close(copy);
	tuza_close(ends[1]);
}

// Somebody waits, and the program does nothing: it uses no CPU, and it is no deadlock.
TEST(idle_wait_costs_nothing)
{
	int ends[2];
	struct wait w = {.events = POLLIN};

	CHECK_EQ(pipe(ends), 0);
	w.fd = ends[0];
	TUZA_GO(wait_for, &w);
	wait_parked("IO wait", 1);
	tuza_sleep(100 * MS);
	int64_t before = cpu_time();
	tuza_sleep(TUZA_SECOND);
	CHECK(cpu_time() - before < 500 * MS);
	put(ends[1]);
	WAIT_UNTIL(w.done);
	tuza_close(ends[0]);
	tuza_close(ends[1]);
}

static void spin_until(atomic_int *done)
{
	while (!atomic_load(done))
		tuza_yield();
}

// Busy processors look now and then.
TEST(event_arrives_although_all_processors_are_busy)
{
	static struct wait waits[5]; // the spinners look at them to their own end
	int ends[2];

	CHECK_EQ(pipe(ends), 0);
	for (int i = 0; i < 5; i++) {
		struct wait *w = &waits[i];

		*w = (struct wait){.fd = ends[0], .events = POLLIN};
		TUZA_GO(wait_for, w);
		wait_parked("IO wait", 1);
		for (int k = 0; k < 8; k++)
			TUZA_GO(spin_until, &w->done);
		put(ends[1]);
		while (!atomic_load(&w->done)) // seconds under valgrind, where one thread runs
			tuza_sleep(100 * TUZA_MICROSECOND);
		get(ends[0]);
		WAIT_UNTIL(tuza_num_goroutine() == 1);
	}
	tuza_close(ends[0]);
	tuza_close(ends[1]);
}

static void hog(atomic_int *done)
{
	while (!atomic_load(done))
		;
}

// A hog that never enters the runtime does not keep events from the others.
TEST(event_arrives_although_a_hog_runs)
{
	int ends[2];
	static struct wait w = {.events = POLLIN};

	CHECK_EQ(pipe(ends), 0);
	w.fd = ends[0];
	TUZA_GO(wait_for, &w);
	wait_parked("IO wait", 1);
	TUZA_GO(hog, &w.done);
	tuza_yield();
	put(ends[1]);
	WAIT_UNTIL(w.done);
	tuza_close(ends[0]);
	tuza_close(ends[1]);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}

static void wait_in_section(void *fd)
{
	tuza_blocking_begin();
	(void)tuza_wait_fd(*(int *)fd, POLLIN, 0);
	tuza_blocking_end();
}

// As every other wait.
TEST(wait_inside_a_blocking_section_panics)
{
	int ends[2];

	CHECK_EQ(pipe(ends), 0);
	CHECK_PANICS("tuza: IO wait inside a blocking section", wait_in_section, &ends[0]);
	tuza_close(ends[0]);
	tuza_close(ends[1]);
}

TEST(errno_is_left_alone)
{
	int ends[2];

	CHECK_EQ(pipe(ends), 0);
	errno = 4711;
	CHECK_EQ(tuza_wait_fd(ends[0], POLLIN, tuza_now() + MS), TUZA_EIOTIMEOUT);
	CHECK_EQ(errno, 4711);
	CHECK_EQ(tuza_wait_fd(-1, POLLIN, 0), -EBADF);
	CHECK_EQ(errno, 4711);
	CHECK_EQ(tuza_close(9999), -EBADF);
	CHECK_EQ(errno, 4711);
	tuza_close(ends[0]);
	tuza_close(ends[1]);
}
