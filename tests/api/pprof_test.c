// SPDX-License-Identifier: MIT
// Profiles of one moment: goroutines and threads. (O30, O32, O36)
#include "pprof_support.h"

#include <tuza/go.h>
#include <tuza/sync.h>

#define KEEP_FRAME() __asm__ volatile("" ::: "memory") // no tail call

// Once it is parked (wait_parked) it touches the channel no more when that is closed. A profile
// shows the same frames while it still runs there.
static void waits_for_work(tuza_chan *c)
{
	tuza_recv(c, NULL);
	KEEP_FRAME();
}

static void worker(tuza_chan *c)
{
	waits_for_work(c);
	KEEP_FRAME();
}

static int others; // makes it another function than worker, for the compiler, too

static void other_worker(tuza_chan *c)
{
	waits_for_work(c);
	__atomic_add_fetch(&others, 1, __ATOMIC_RELAXED);
}

static struct decoded *goroutine_profile(void)
{
	int fd = scratch();

	CHECK_EQ(tuza_pprof_write(fd, "goroutine", 0), 0);
	return decode(fd);
}

static char *text_profile(const char *name, int debug)
{
	int fd = scratch();
	size_t n;
	char *text;

	CHECK_EQ(tuza_pprof_write(fd, name, debug), 0);
	text = read_back(fd, &n);
	close(fd);
	return text;
}

static uint64_t count_of(const char *const *functions)
{
	struct decoded *d = goroutine_profile();
	uint64_t n = value_of(d, 0, functions, NULL, NULL);

	decoded_free(d);
	return n;
}

TEST(goroutines_are_counted_by_stack)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	for (int i = 0; i < 20; i++)
		go(worker, c);
	for (int i = 0; i < 7; i++)
		go(other_worker, c);
	wait_parked("chan receive", 27);
	CHECK_EQ(count_of(FUNCTIONS("waits_for_work", "worker")), 20);
	CHECK_EQ(count_of(FUNCTIONS("waits_for_work", "other_worker")), 7);
	CHECK_EQ(count_of(FUNCTIONS("waits_for_work")), 27);
	struct decoded *d = goroutine_profile();

	CHECK_EQ(value_of(d, 0, ALL_FUNCTIONS, NULL, NULL), tuza_num_goroutine());
	CHECK_EQ(value_of(d, 0, FUNCTIONS("goroutine_profile"), NULL, NULL), 1); // the caller
	CHECK(d->mapping_count > 1); // the program and the C library
	CHECK_EQ(d->period, 1);
	decoded_free(d);
	tuza_chan_close(c);
	tuza_chan_release(c);
}

TEST(scheduler_is_left_out)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	go(worker, c);
	wait_parked("chan receive", 1);
	CHECK_EQ(count_of(FUNCTIONS("waits_for_work")), 1);
	CHECK_EQ(count_of(FUNCTIONS("waits_for_work", "park")), 0);
	CHECK_EQ(count_of(FUNCTIONS("waits_for_work", "schedule_leave")), 0);
	tuza_chan_close(c);
	tuza_chan_release(c);
}

TEST(labels_of_goroutines_are_labels_of_the_profile)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	CHECK_EQ(tuza_set_label("job", "a \"quoted\\one\" \n"), 0);
	CHECK_EQ(tuza_set_label("shard", "7"), 0);
	for (int i = 0; i < 3; i++)
		go(worker, c);
	CHECK_EQ(tuza_set_label("job", NULL), 0);
	for (int i = 0; i < 5; i++)
		go(worker, c);
	wait_parked("chan receive", 8);
	struct decoded *d = goroutine_profile();

	CHECK_EQ(value_of(d, 0, FUNCTIONS("worker"), "job", "a \"quoted\\one\" \n"), 3);
	CHECK_EQ(value_of(d, 0, FUNCTIONS("worker"), "shard", "7"), 8);
	CHECK_EQ(value_of(d, 0, ALL_FUNCTIONS, "shard", "7"), 9); // and the caller
	decoded_free(d);
	tuza_chan_close(c);
	tuza_chan_release(c);
}

TEST(text_is_grouped_and_begins_with_the_most_frequent)
{
	tuza_chan *c = tuza_chan_new(0, 0);
	char total[64];

	for (int i = 0; i < 3; i++)
		go(other_worker, c);
	CHECK_EQ(tuza_set_label("job", "12"), 0);
	for (int i = 0; i < 20; i++)
		go(worker, c);
	wait_parked("chan receive", 23);
	char *text = text_profile("goroutine", 1);
	const char *many = strstr(text, "\n20 @ 0x"), *few = strstr(text, "\n3 @ 0x");

	snprintf(total, sizeof(total), "goroutine profile: total %zu\n", tuza_num_goroutine());
	CHECK(strncmp(text, total, strlen(total)) == 0);
	if (CHECK(many) && CHECK(few)) {
		CHECK(many < few);
		CHECK(strstr(many, "# labels: {\"job\":\"12\"}\n") < few);
		CHECK(strstr(many, "\twaits_for_work+0x") < few);
		CHECK(strstr(many, "\tworker+0x") < few);
		CHECK_CONTAINS(few, "\tother_worker+0x");
		CHECK_CONTAINS(few, "pprof_test.c:");
	}
	free(text);
	tuza_chan_close(c);
	tuza_chan_release(c);
}

TEST(debug_2_is_a_dump)
{
	char *text = text_profile("goroutine", 2);

	CHECK_CONTAINS(text, "goroutine ");
	CHECK_CONTAINS(text, " [running]:\n");
	CHECK_CONTAINS(text, "debug_2_is_a_dump(...)\n");
	free(text);
}

TEST(goroutines_without_a_stack_are_counted)
{
	tuza_chan *done = tuza_chan_new(0, 100);
	struct decoded *d;

	// None of these has run when there is one processor, all may when there are more.
	for (int i = 0; i < 50; i++)
		go(worker, done);
	d = goroutine_profile();
	CHECK_EQ(value_of(d, 0, ALL_FUNCTIONS, NULL, NULL), 51);
	decoded_free(d);
	tuza_chan_close(done);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(done);
}

struct section {
	tuza_chan *entered;
	int gate[2];
};

static void sits_in_section(struct section *s)
{
	char c;

	tuza_blocking_begin();
	CHECK_EQ(read(s->gate[0], &c, 1), 1);
	tuza_blocking_end();
	tuza_chan_close(s->entered);
}

TEST(goroutine_in_a_blocking_section_is_counted)
{
	struct section s = {.entered = tuza_chan_new(0, 0)};

	CHECK_EQ(pipe2(s.gate, O_CLOEXEC), 0);
	go(sits_in_section, &s);
	// Its stack can be had as a rule: pprof_running_test.
	WAIT_UNTIL(count_of(FUNCTIONS("[in a blocking section]")) +
			   count_of(FUNCTIONS("sits_in_section")) ==
		   1);
	CHECK_EQ(write(s.gate[1], "x", 1), 1);
	tuza_recv(s.entered, NULL);
	close(s.gate[0]);
	close(s.gate[1]);
	tuza_chan_release(s.entered);
}

TEST(threads_are_counted_by_name)
{
	int fd = scratch(), comm = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	char name[16] = "", main_thread[40];
	struct decoded *d;

	CHECK(read(comm, name, sizeof(name) - 1) > 1);
	close(comm);
	snprintf(main_thread, sizeof(main_thread), "[thread %.*s]", (int)strcspn(name, "\n"), name);
	CHECK_EQ(tuza_pprof_write(fd, "threadcreate", 0), 0);
	d = decode(fd);
	CHECK(value_of(d, 0, FUNCTIONS("[thread tuza]"), NULL, NULL) >= 1);
	CHECK(value_of(d, 0, FUNCTIONS(main_thread), NULL, NULL) >= 1);
	decoded_free(d);
	char *text = text_profile("threadcreate", 1);

	CHECK(strncmp(text, "threadcreate profile: total ", 28) == 0);
	CHECK_CONTAINS(text, "#\t[thread tuza]\n");
	free(text);
}

TEST(unknown_profile_is_refused)
{
	CHECK_EQ(tuza_pprof_write(STDOUT_FILENO, "goroutines", 0), -ENOENT);
	CHECK_EQ(tuza_pprof_write(STDOUT_FILENO, "", 1), -ENOENT);
}

TEST(descriptor_that_refuses_is_reported)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	CHECK_EQ(tuza_pprof_write(full, "goroutine", 0), -EIO);
	CHECK_EQ(tuza_pprof_write(full, "goroutine", 1), -EIO);
	CHECK_EQ(tuza_pprof_write(-1, "threadcreate", 0), -EBADF);
	close(full);
}

TEST(errno_stays)
{
	int fd = scratch();

	errno = 4711;
	CHECK_EQ(tuza_pprof_write(fd, "goroutine", 0), 0);
	CHECK_EQ(errno, 4711);
	close(fd);
}

TEST_PLAIN(plain_thread_may_ask)
{
	int fd = scratch();
	struct decoded *d;

	CHECK_EQ(tuza_pprof_write(fd, "goroutine", 0), 0);
	d = decode(fd);
	CHECK_EQ(value_of(d, 0, ALL_FUNCTIONS, NULL, NULL), 0);
	decoded_free(d);
}

static void reads_all(int fd, tuza_chan *result)
{
	char buffer[512];
	int64_t total = 0;
	ssize_t n;

	tuza_blocking_begin();
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		total += n;
	tuza_blocking_end();
	tuza_send(result, total);
}

TEST(reader_may_be_a_goroutine)
{
	tuza_chan *result = tuza_chan_new(sizeof(int64_t), 0), *c = tuza_chan_new(0, 0);
	int ends[2];
	int64_t total;

	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	fcntl(ends[1], F_SETPIPE_SZ, 4096);
	// More than the pipe holds.
	for (int i = 0; i < 40; i++) {
		char label[300];

		snprintf(label, sizeof(label), "%0299d", i);
		CHECK_EQ(tuza_set_label("number", label), 0);
		go(worker, c);
	}
	go(reads_all, ends[0], result);
	CHECK_EQ(tuza_pprof_write(ends[1], "goroutine", 0), 0);
	close(ends[1]);
	tuza_recv(result, &total);
	CHECK(total > 8192);
	close(ends[0]);
	tuza_chan_close(c);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(c);
	tuza_chan_release(result);
}
