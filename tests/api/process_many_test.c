// SPDX-License-Identifier: MIT
// not-under: valgrind it has no descriptors of processes, and cannot wait for so many without
/*
 * Many children at once, and too many: nothing stays behind.
 */
#include "../test.h"

#include "process_support.h"

#include <poll.h>
#include <sys/resource.h>
#include <tuza/io.h>

enum { CHILDREN = TEST_SANITIZED ? 60 : 500 };

static atomic_int alive, done, wrong;

// Each says its number and then waits for the others: all are there at the same time.
static void run_one(int number, int gate)
{
	char script[64], want[16], *got;
	tuza_process_options o = {.files = &gate, .file_count = 1};

	snprintf(script, sizeof script, "echo %d; read x <&3; exit %d", number, number % 7);
	snprintf(want, sizeof want, "%d\n", number);
	atomic_fetch_add(&alive, 1);
	int result = tuza_process_output(
		tuza_context_background(), TUZA_ARGV("sh", "-c", script), &o, &got, NULL);
	if (result != (number % 7 ? TUZA_EEXIT(number % 7) : 0) || strcmp(got, want) != 0)
		atomic_fetch_add(&wrong, 1);
	free(got);
	atomic_fetch_add(&done, 1);
}

static int count_children(void)
{
	int n = 0;
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *e;

	while (tasks && (e = readdir(tasks))) {
		char path[300];
		int pid;
		snprintf(path, sizeof path, "/proc/self/task/%s/children", e->d_name);
		FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "re");
		while (f && fscanf(f, "%d", &pid) == 1)
			n++;
		if (f)
			fclose(f);
	}
	if (tasks)
		closedir(tasks);
	return n;
}

static void write_once_it_waits(void *fds)
{
	wait_parked("IO wait", 1);
	CHECK_EQ(write(((int *)fds)[1], "x", 1), 1);
}

// The runtime's own descriptors are there from now on. A child alone does not see to that: it may
// have ended before anybody came to wait for it.
static void start_poller(void)
{
	tuza_waitgroup writer = {0};
	int fds[2];

	CHECK_EQ(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	tuza_waitgroup_go(&writer, write_once_it_waits, fds);
	CHECK_EQ(tuza_wait_fd(fds[0], POLLIN, 0), POLLIN);
	tuza_waitgroup_wait(&writer);
	tuza_close(fds[0]);
	tuza_close(fds[1]);
}

TEST(hundreds_at_once_leave_no_zombie_and_no_descriptor)
{
	int gate[2];

	start_poller();
	CHECK_EQ(sh("exit 0", NULL, NULL), 0);
	int before = count_all_fds();
	CHECK_EQ(pipe2(gate, O_CLOEXEC), 0);
	for (int i = 0; i < CHILDREN; i++)
		TUZA_GO(run_one, i, gate[0]);
	// On a kernel without these lists nothing is counted; then they just run.
	bool counted = access("/proc/thread-self/children", R_OK) == 0;
	int there = CHILDREN;
	for (int64_t end = tuza_now() + 25 * TUZA_SECOND;
		counted && (there = count_children()) < CHILDREN && tuza_now() < end;)
		tuza_sleep(5 * TUZA_MILLISECOND);
	CHECK_EQ(there, CHILDREN);
	close(gate[0]);
	close(gate[1]); // they read an end
	for (int64_t end = tuza_now() + 25 * TUZA_SECOND; done < CHILDREN && tuza_now() < end;)
		tuza_sleep(5 * TUZA_MILLISECOND);
	CHECK_EQ(done, CHILDREN);
	CHECK_EQ(wrong, 0);
	CHECK_EQ(count_children(), 0);
	CHECK(no_zombies());
	WAIT_UNTIL(count_all_fds() == before);
}

// With any number of descriptors left a process runs or is not started, and nothing is left.
TEST(shortage_of_descriptors_is_an_error)
{
	struct rlimit limit, low;
	int started = 0, refused = 0;

	start_poller();
	CHECK_EQ(sh("exit 0", NULL, NULL), 0);
	int before = count_all_fds();
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	int top = dup(0); // the next free number
	close(top);
	for (int room = 0; room < 16; room++) {
		tuza_process_buffer out = {.bytes = NULL};
		tuza_process_options o = {.in = tuza_process_bytes("x", 1),
			.out = tuza_process_collect(&out),
			.err = tuza_process_pipe()};
		low = limit;
		low.rlim_cur = (rlim_t)(top + room);
		CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
		int error = sh("cat; exit 0", &o, NULL);
		CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
		if (error == 0) {
			started++;
			CHECK_STR(out.bytes ? out.bytes : "", "x");
		} else if (CHECK_EQ(error, -EMFILE)) {
			refused++;
		}
		free(out.bytes);
	}
	CHECK(started > 0 && refused > 5);
	CHECK_EQ(count_all_fds(), before);
	CHECK(no_zombies());
}

static void compute(atomic_int *stop, atomic_long *turns)
{
	while (!atomic_load(stop)) {
		void *memory = malloc(1000);
		atomic_fetch_add(turns, memory != NULL);
		free(memory);
		tuza_yield();
	}
}

// malloc's locks are held while children start, and signals arrive.
TEST(children_start_while_others_run)
{
	atomic_int stop = 0;
	atomic_long turns = 0;

	for (int i = 0; i < 8; i++)
		TUZA_GO(compute, &stop, &turns);
	for (int i = 0; i < 50; i++) {
		char *out;
		CHECK_EQ(output("echo $((1 + 2))", NULL, &out), 0);
		CHECK_STR(out, "3\n");
		free(out);
	}
	atomic_store(&stop, 1);
	CHECK(turns > 0);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}

static void cancel_soon(tuza_context *ctx, int us)
{
	tuza_sleep(us * TUZA_MICROSECOND);
	tuza_context_cancel(ctx);
	tuza_context_release(ctx);
}

// The context ends at any moment: before the child is there, while it starts, as it ends.
TEST(context_may_end_at_any_moment)
{
	for (int i = 0; i < 150; i++) {
		tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
		char *out;
		int us = i * 20;

		TUZA_GO(cancel_soon, tuza_context_retain(ctx), us);
		int result = tuza_process_output(ctx, TUZA_ARGV("echo", "x"), NULL, &out, NULL);
		CHECK(result == 0 || result == -ECANCELED);
		if (result == 0)
			CHECK_STR(out, "x\n");
		free(out);
		tuza_context_free(ctx);
	}
	CHECK(no_zombies());
}
