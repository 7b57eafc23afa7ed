// SPDX-License-Identifier: MIT
// tuza_dump beside everything else: small stacks, full pipes, goroutines that come and go.
#include "dumps.h"

#include <pthread.h>
#include <tuza/sync.h>

static void dumps_and_is_done(void *waitgroup)
{
	dump();
	tuza_waitgroup_done(waitgroup);
}

TEST(dump_works_on_the_smallest_stack)
{
	tuza_go_options smallest = {.stack_bytes = 16 << 10};

	tuza_waitgroup done = {0};

	text[0] = 0;
	tuza_waitgroup_add(&done, 1);
	CHECK_EQ(tuza_go_with(&smallest, dumps_and_is_done, &done), 0);
	tuza_waitgroup_wait(&done);
	CHECK_CONTAINS(text, " [running]:\n");
	CHECK_CONTAINS(text, "\n\ngoroutine 1 [");
}

static int dump_pipe[2];
static size_t bytes_read;

static void reads_pipe(void *arg)
{
	char buffer[4096];

	(void)arg;
	bytes_read = 0;
	for (;;) {
		ssize_t n = read(dump_pipe[0], buffer, sizeof(buffer));

		if (n > 0)
			bytes_read += (size_t)n;
		else if (n == 0)
			break;
		tuza_yield();
	}
}

// 2000 goroutines are more than a pipe holds, so the dump waits for a goroutine that needs its
// processor.
TEST(dump_can_be_read_by_a_goroutine)
{
	enum { MANY = 2000 };
	static tuza_goroutine *g[MANY];
	int processors = tuza_gomaxprocs(1);

	empty = tuza_chan_new(1, 0);
	for (int i = 0; i < MANY; i++)
		g[i] = tuza_spawn(receives, NULL);
	CHECK_EQ(pipe2(dump_pipe, O_CLOEXEC), 0);
	fcntl(dump_pipe[0], F_SETFL, O_NONBLOCK);
	tuza_goroutine *reader = tuza_spawn(reads_pipe, NULL);
	tuza_dump(dump_pipe[1]);
	close(dump_pipe[1]);
	tuza_join(reader);
	close(dump_pipe[0]);
	CHECK(bytes_read > MANY * 60);
	tuza_chan_close(empty);
	for (int i = 0; i < MANY; i++)
		tuza_join(g[i]);
	tuza_chan_release(empty);
	tuza_gomaxprocs(processors);
}

static atomic_bool is_over;

static void plays_ping(void *arg)
{
	tuza_chan **c = arg;
	int v = 0;

	while (!atomic_load(&is_over)) {
		tuza_chan_send(c[0], &v);
		tuza_chan_recv(c[1], &v);
	}
	tuza_chan_close(c[0]);
}

static void plays_pong(void *arg)
{
	tuza_chan **c = arg;
	int v;

	while (tuza_chan_recv(c[0], &v))
		tuza_chan_send(c[1], &v);
}

static void is_born_and_dies(void *arg)
{
	if (atomic_load(&is_over))
		return;
	tuza_yield();
	tuza_go(is_born_and_dies, arg);
}

// Goroutines that run, park, begin and end while they are looked at.
TEST(dump_disturbs_nobody)
{
	enum { PAIRS = 4, DUMPS = 50 };
	tuza_chan *c[PAIRS][2];

	atomic_store(&is_over, false);
	for (int i = 0; i < PAIRS; i++) {
		c[i][0] = tuza_chan_new(sizeof(int), 0);
		c[i][1] = tuza_chan_new(sizeof(int), 0);
		tuza_go(plays_ping, c[i]);
		tuza_go(plays_pong, c[i]);
		tuza_go(is_born_and_dies, NULL);
	}
	tuza_sleep(TUZA_MILLISECOND);
	for (int i = 0; i < DUMPS; i++) {
		uint64_t numbers[64];

		read_numbers(dump(), numbers, COUNT_OF(numbers));
		tuza_yield();
	}
	atomic_store(&is_over, true);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	for (int i = 0; i < PAIRS; i++) {
		tuza_chan_release(c[i][0]);
		tuza_chan_release(c[i][1]);
	}
}

static int shared_file;

static void *dumps_into_file(void *arg)
{
	for (int i = 0; i < 20; i++)
		tuza_dump(shared_file);
	return arg;
}

// D7: a block is never torn by another dump's.
TEST(dumps_of_two_threads_do_not_mix)
{
	pthread_t threads[2];
	static char all[1 << 20];

	empty = tuza_chan_new(1, 0);
	for (int i = 0; i < 20; i++)
		tuza_go(receives, NULL);
	wait_parked("chan receive", 20);
	shared_file = memfd_create("dumps", MFD_CLOEXEC);
	fcntl(shared_file, F_SETFL, O_APPEND);
	tuza_blocking_begin();
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, dumps_into_file, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	tuza_blocking_end();
	ssize_t n = pread(shared_file, all, sizeof(all) - 1, 0);
	CHECK(n > 0);
	all[n] = 0;
	// Each dump begins with goroutine 1, and then the numbers grow.
	int dumps = 0;
	unsigned long long last = 0, number;
	for (char *at = all; at && sscanf(at, "goroutine %llu [", &number) == 1;) {
		if (number == 1) {
			dumps++;
			last = 1;
		} else if (!CHECK(number > last)) {
			break;
		}
		last = number;
		at = strstr(at + 1, "\ngoroutine ");
		at = at ? at + 1 : NULL;
	}
	CHECK_EQ(dumps, 40);
	close(shared_file);
	tuza_chan_close(empty);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(empty);
}
