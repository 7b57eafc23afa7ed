// SPDX-License-Identifier: MIT
// not-under: thread valgrind they deliver signals late, when the stack is another one
// takes-long: a profile needs seconds of CPU time to be one
// The CPU profile. (O30, O36)
#include "pprof_support.h"

#include <pthread.h>
#include <time.h>
#include <tuza/go.h>
#include <tuza/sync.h>

#define NOINLINE __attribute__((noinline))
#define KEEP_FRAME() __asm__ volatile("" ::: "memory") // no tail call

// ---- burning CPU time --------------------------------------------------------------------------

static volatile uint64_t sink;

// Each multiplication waits for the one before: that takes the same time wherever the loop lies,
// while loads that follow stores to the same place are now forwarded and now not.
static inline __attribute__((always_inline)) void burn(unsigned n)
{
	uint64_t x = sink;

	for (unsigned i = 0; i < n; i++)
		x = x * UINT64_C(6364136223846793005) + i;
	sink = x;
}

static NOINLINE void burns_three(void) { burn(60000); }

static NOINLINE void burns_one(void) { burn(20000); }

static int64_t cpu_time(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec * TUZA_SECOND + used.tv_nsec;
}

static int64_t own_cpu_time(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return used.tv_sec * TUZA_SECOND + used.tv_nsec;
}

// CPU time and not wall time: other programs may run, too, and other threads of this one.
static NOINLINE void burns_both(int64_t ns)
{
	for (int64_t end = own_cpu_time() + ns; own_cpu_time() < end;) {
		burns_three();
		burns_one();
	}
	KEEP_FRAME();
}

static struct decoded *stop_and_decode(int fd)
{
	CHECK_EQ(tuza_pprof_cpu_stop(), 0);
	return decode(fd);
}

static void check_shares(const struct decoded *d, const char *caller)
{
	uint64_t three = value_of(d, 0, FUNCTIONS("burns_three", caller), NULL, NULL);
	uint64_t one = value_of(d, 0, FUNCTIONS("burns_one", caller), NULL, NULL);

	printf("  %ju to %ju samples\n", (uintmax_t)three, (uintmax_t)one);
	CHECK(one >= 10);
	// 3 to 1: of 170 samples or so, the least that there are, 4.5 standard deviations.
	CHECK(5 * three > 6 * one && three < 10 * one);
}

TEST(hot_functions_are_seen_in_proportion)
{
	int fd = scratch();

	CHECK_EQ(tuza_pprof_cpu_start(fd), 0);
	int64_t before = cpu_time();

	burns_both(2 * TUZA_SECOND);
	int64_t burnt = cpu_time() - before;
	struct decoded *d = stop_and_decode(fd);
	uint64_t total = value_of(d, 1, ALL_FUNCTIONS, NULL, NULL);

	check_shares(d, "burns_both");
	// Signals come with the kernel's clock ticks: a thread that burns little may get none.
	CHECK(total > (uint64_t)burnt / 2 && total < (uint64_t)burnt * 2);
	CHECK_EQ(d->period, 10 * TUZA_MILLISECOND);
	CHECK(d->duration >= (uint64_t)TUZA_SECOND / 2);
	CHECK(d->mapping_count > 1);
	CHECK_EQ(value_of(d, 1, ALL_FUNCTIONS, NULL, NULL),
		value_of(d, 0, ALL_FUNCTIONS, NULL, NULL) * 10 * TUZA_MILLISECOND);
	decoded_free(d);
}

// That they are seen at all, in half a second: the test above is about how often.
static void check_seen(const struct decoded *d, const char *caller)
{
	CHECK(value_of(d, 0, FUNCTIONS("burns_three", caller), NULL, NULL) >= 5);
	CHECK(value_of(d, 0, FUNCTIONS("burns_one", caller), NULL, NULL) >= 1);
}

static void burns_with_label(const char *label, tuza_waitgroup *wg)
{
	CHECK_EQ(tuza_set_label("who", label), 0);
	burns_both(TUZA_SECOND / 2);
	tuza_waitgroup_done(wg);
}

TEST(labels_of_goroutines_are_labels_of_samples)
{
	tuza_waitgroup wg = {0};
	int fd = scratch();

	CHECK_EQ(tuza_pprof_cpu_start(fd), 0);
	tuza_waitgroup_add(&wg, 2);
	go(burns_with_label, "left", &wg);
	go(burns_with_label, "right", &wg);
	tuza_waitgroup_wait(&wg);
	struct decoded *d = stop_and_decode(fd);

	CHECK(value_of(d, 0, FUNCTIONS("burns_with_label"), "who", "left") > 0);
	CHECK(value_of(d, 0, FUNCTIONS("burns_with_label"), "who", "right") > 0);
	decoded_free(d);
}

static int burns_in_run(void *arg)
{
	(void)arg;
	burns_both(TUZA_SECOND / 2);
	return 0;
}

TEST_PLAIN(profile_may_be_around_a_run)
{
	int fd = scratch();

	CHECK_EQ(tuza_pprof_cpu_start(fd), 0);
	CHECK_EQ(tuza_run(burns_in_run, NULL), 0);
	struct decoded *d = stop_and_decode(fd);

	check_seen(d, "burns_in_run");
	decoded_free(d);
}

static void *burns_in_thread(void *arg)
{
	(void)arg;
	burns_both(TUZA_SECOND / 2);
	return NULL;
}

TEST_PLAIN(threads_of_the_program_count)
{
	pthread_t thread;
	int fd = scratch();

	CHECK_EQ(tuza_pprof_cpu_start(fd), 0);
	CHECK_EQ(pthread_create(&thread, NULL, burns_in_thread, NULL), 0); // later than the profile
	pthread_join(thread, NULL);
	struct decoded *d = stop_and_decode(fd);

	check_seen(d, "burns_in_thread");
	decoded_free(d);
}

TEST(one_profile_at_a_time)
{
	int fd = scratch();

	CHECK_EQ(tuza_pprof_cpu_stop(), 0); // there is none
	CHECK_EQ(tuza_pprof_cpu_start(fd), 0);
	CHECK_EQ(tuza_pprof_cpu_start(fd), -EBUSY);
	struct decoded *d = stop_and_decode(fd);

	decoded_free(d);
	CHECK_EQ(tuza_pprof_cpu_stop(), 0);
	CHECK_EQ(tuza_pprof_cpu_start(-1), -EBADF);
}

TEST(descriptor_that_refuses_is_reported)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	CHECK_EQ(tuza_pprof_cpu_start(full), 0);
	CHECK_EQ(tuza_pprof_cpu_stop(), -EIO);
	close(full);
}

static void programs_own(int number) { (void)number; }

TEST(signal_of_the_program_is_left_alone)
{
	struct sigaction own = {.sa_handler = programs_own}, ours, found;
	int fd = scratch();

	CHECK_EQ(sigaction(SIGPROF, &own, &ours), 0);
	CHECK_EQ(tuza_pprof_cpu_start(fd), -EBUSY);
	CHECK_EQ(sigaction(SIGPROF, NULL, &found), 0);
	CHECK(found.sa_handler == programs_own);
	CHECK_EQ(sigaction(SIGPROF, &ours, NULL), 0);
	close(fd);
}

// ---- under load --------------------------------------------------------------------------------

static atomic_bool ending;

static void sends(tuza_chan *c, tuza_waitgroup *wg)
{
	for (int i = 0; !atomic_load(&ending); i++)
		tuza_send(c, i);
	tuza_chan_close(c);
	tuza_waitgroup_done(wg);
}

static void receives(tuza_chan *c, tuza_waitgroup *wg)
{
	int v;

	while (tuza_recv(c, &v))
		if (v % 64 == 0)
			CHECK_EQ(tuza_set_label("v", v % 128 ? "odd" : NULL), 0);
	tuza_waitgroup_done(wg);
}

static void is_short(int depth, tuza_waitgroup *wg)
{
	if (depth > 0)
		go(is_short, depth - 1, wg);
	else
		tuza_waitgroup_done(wg);
}

static void spawns(tuza_waitgroup *wg)
{
	tuza_waitgroup inner = {0};

	while (!atomic_load(&ending)) {
		tuza_waitgroup_add(&inner, 20);
		for (int i = 0; i < 20; i++)
			go(is_short, 3, &inner);
		tuza_waitgroup_wait(&inner);
	}
	tuza_waitgroup_done(wg);
}

static void leaves_processor(tuza_waitgroup *wg)
{
	while (!atomic_load(&ending)) {
		tuza_blocking_begin();
		free(malloc(1000));
		tuza_blocking_end();
		tuza_sleep(TUZA_MICROSECOND);
	}
	tuza_waitgroup_done(wg);
}

TEST(profiles_are_taken_under_full_load)
{
	tuza_waitgroup wg = {0};
	tuza_chan *channels[4];
	uint64_t samples = 0;
	int64_t until;

	atomic_store(&ending, false);
	tuza_waitgroup_add(&wg, 12);
	for (int i = 0; i < 4; i++) {
		channels[i] = tuza_chan_new(sizeof(int), i % 2);
		go(sends, channels[i], &wg);
		go(receives, channels[i], &wg);
	}
	go(spawns, &wg);
	go(spawns, &wg);
	go(leaves_processor, &wg);
	go(leaves_processor, &wg);
	until = cpu_time() + TUZA_SECOND;
	for (int round = 0; round < 3 || cpu_time() < until; round++) {
		int fd = scratch();

		CHECK_EQ(tuza_pprof_cpu_start(fd), 0);
		for (int i = 0; i < 5; i++) {
			int now = scratch();

			CHECK_EQ(tuza_pprof_write(now, "goroutine", 0), 0);
			struct decoded *d = decode(now);

			CHECK(value_of(d, 0, ALL_FUNCTIONS, NULL, NULL) >= 13);
			decoded_free(d);
			tuza_sleep(10 * TUZA_MILLISECOND);
		}
		struct decoded *d = stop_and_decode(fd);

		samples += value_of(d, 0, ALL_FUNCTIONS, NULL, NULL);
		decoded_free(d);
	}
	printf("  %ju samples\n", (uintmax_t)samples);
	CHECK(samples > 20);
	atomic_store(&ending, true);
	tuza_waitgroup_wait(&wg);
	for (int i = 0; i < 4; i++)
		tuza_chan_release(channels[i]);
}

// Which signals the thread of this process with that name blocks; 0: none, or there is no such.
static uint64_t blocked_signals_of(const char *name)
{
	uint64_t mask = 0;
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *task;

	while (tasks && mask == 0 && (task = readdir(tasks)) != NULL) {
		char path[300], text[4096] = "", line[64];
		snprintf(path, sizeof(path), "/proc/self/task/%s/status", task->d_name);
		FILE *f = fopen(path, "r");
		if (f) {
			text[fread(text, 1, sizeof(text) - 1, f)] = 0;
			fclose(f);
		}
		snprintf(line, sizeof(line), "Name:\t%s\n", name);
		const char *blocked = strstr(text, "\nSigBlk:\t");
		if (strncmp(text, line, strlen(line)) == 0 && blocked)
			mask = strtoull(blocked + 9, NULL, 16);
	}
	if (tasks)
		closedir(tasks);
	return mask;
}

// A scan for leaked goroutines stops all threads by that signal, and knows less if one is deaf.
TEST(thread_that_counts_lets_a_scan_stop_it)
{
	int fd = memfd_create("profile", MFD_CLOEXEC);

	CHECK_EQ(tuza_pprof_cpu_start(fd), 0);
	// It has its name when it has blocked the others.
	WAIT_UNTIL(blocked_signals_of("tuza pprof") != 0);
	CHECK(!(blocked_signals_of("tuza pprof") >> (SIGURG - 1) & 1));
	CHECK_EQ(tuza_pprof_cpu_stop(), 0);
	close(fd);
}
