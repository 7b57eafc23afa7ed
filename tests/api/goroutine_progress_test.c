// SPDX-License-Identifier: MIT
// run-alone: it measures how long goroutines wait
/*
 * Nobody starves: not beside a loop that never calls the runtime, a thread stuck in the kernel, a
 * pair that wakes each other for ever. After Go's runtime/proc_test.go.
 */
#include "one_at_a_time.h"

#include <sched.h>
#include <time.h>

static atomic_int stop, ended;

static void begin(void)
{
	atomic_store(&stop, 0);
	atomic_store(&ended, 0);
}

static void finish(int n)
{
	atomic_store(&stop, 1);
	WAIT_UNTIL(ended == n);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}

static void spin(void)
{
	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		;
	atomic_fetch_add(&ended, 1);
}

static void yield_until_closed(tuza_chan *c, bool locked)
{
	if (locked)
		tuza_lock_os_thread();
	while (tuza_chan_try_recv(c, NULL) == -EAGAIN)
		tuza_yield();
	atomic_fetch_add(&ended, 1); // ends locked, if it was
}

// T3.2: a loop that yields sees the message, tied to its thread or not.
TEST(yielding_loop_makes_progress)
{
	for (int locked = 0; locked < 2; locked++) {
		tuza_chan *c = tuza_chan_new(0, 0);

		begin();
		TUZA_GO(yield_until_closed, c, locked);
		tuza_sleep(10 * TUZA_MILLISECOND);
		tuza_chan_send(c, NULL);
		finish(1);
		tuza_chan_release(c);
	}
}

// `polite`: it gives way to other threads. Then, on a machine with much else to do, it burns so
// little CPU time that it is no hog for a long while.
static void take_turns(atomic_int *turn, int me, int n, int rounds, bool polite)
{
	for (int i = 0; i < rounds; i++) {
		while (atomic_load(turn) % n != me)
			if (polite)
				sched_yield();
		atomic_fetch_add(turn, 1);
	}
	atomic_fetch_add(&ended, 1);
}

// T3.3: as many goroutines as processors, each waiting for its turn without a tuza call: all run at
// the same time.
TEST(all_processors_run_at_the_same_time)
{
	int n = tuza_gomaxprocs(0);

	for (int attempt = 0; attempt < 5; attempt++) {
		atomic_int turn = 0;

		begin();
		for (int i = 0; i < n; i++)
			TUZA_GO(take_turns, &turn, i, n, 10, true);
		finish(n);
	}
}

// T3.6: two who wait for each other in loops without calls, with one processor too.
TEST(loops_that_wait_for_each_other_alternate)
{
	atomic_int turn = 0;

	begin();
	TUZA_GO(take_turns, &turn, 0, 2, 5, false);
	TUZA_GO(take_turns, &turn, 1, 2, 5, false);
	finish(2);
}

static void send_locked(tuza_chan *c)
{
	tuza_lock_os_thread();
	for (int i = 0; i < 10; i++)
		tuza_chan_send(c, NULL);
	tuza_unlock_os_thread();
	atomic_fetch_add(&ended, 1);
}

// T3.4.
TEST(goroutine_tied_to_its_thread_blocks_as_any_other)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	begin();
	TUZA_GO(send_locked, c);
	for (int i = 0; i < 10; i++)
		CHECK(tuza_chan_recv(c, NULL));
	finish(1);
	tuza_chan_release(c);
}

static int compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

enum { SAMPLES = 11 };

// The process's.
static int64_t cpu_time(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec * TUZA_SECOND + used.tv_nsec;
}

static void tell_time(atomic_llong *when) { atomic_store(when, cpu_time()); }

static int64_t median(int64_t *samples)
{
	qsort(samples, SAMPLES, sizeof(samples[0]), compare_times);
	return samples[SAMPLES / 2];
}

/*
 * How long a goroutine just started waits until it runs, and a sleeper until it runs again:
 * medians. In CPU time of the process, which others keep busy: while a machine with much else to do
 * lets none of it run, none passes. 50 ms for each CPU that it may have, more where the kernel
 * shares few CPUs among many processors.
 *
 * What is left to chance is that the kernel lets the hogs run rather than the thread that should
 * help. Beside 16 busy loops and three of these programs on 4 CPUs, 2 of 8000 samples were beyond
 * the limit; six of eleven are by chance once in 10^16 times.
 */
static void check_delays(void)
{
	int cpus = test_is_on_valgrind() ? 1 : tuza_num_cpu(); // it runs one thread at a time
	int n = tuza_gomaxprocs(0);
	int64_t limit = 50 * TUZA_MILLISECOND * n; // of n / cpus times 50 ms on each of so many
	int64_t starts[SAMPLES], wakes[SAMPLES];

	if (n < cpus)
		limit += 50 * TUZA_MILLISECOND; // who helps runs beside the hogs
	for (int i = 0; i < SAMPLES; i++) {
		atomic_llong when = 0;
		int64_t before = cpu_time();

		TUZA_GO(tell_time, &when);
		WAIT_UNTIL(when != 0);
		starts[i] = when - before;
		before = cpu_time();
		tuza_sleep(TUZA_MILLISECOND);
		wakes[i] = cpu_time() - before;
	}
	if (!CHECK(median(starts) < limit) || !CHECK(median(wakes) < limit))
		printf("  start %lld us, wake %lld us of CPU time\n",
			(long long)median(starts) / 1000, (long long)median(wakes) / 1000);
}

// T3.7, T3.8: endless loops on every processor delay neither a new goroutine nor a timer for long.
TEST(endless_loops_on_all_processors_starve_nobody)
{
	int n = tuza_gomaxprocs(0);

	begin();
	for (int i = 0; i < n; i++)
		TUZA_GO(spin);
	check_delays();
	finish(n);
}

static void write_for_ever(int fd)
{
	while (!atomic_load(&stop))
		(void)!write(fd, "x", 1);
	atomic_fetch_add(&ended, 1);
}

// T3.8: the same with loops of short system calls.
TEST(loops_of_system_calls_starve_nobody)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC), n = tuza_gomaxprocs(0) + 1;

	begin();
	for (int i = 0; i < n; i++)
		TUZA_GO(write_for_ever, fd);
	check_delays();
	finish(n);
	close(fd);
}

static void read_without_a_section(int fd)
{
	char c;

	CHECK_EQ(read(fd, &c, 1), 1);
	atomic_fetch_add(&ended, 1);
}

/*
 * Checklist 4, 23: every processor's thread is stuck in read(2), and nobody said so. The one who
 * lets them go runs, and soon: in the median, 100 ms after its time.
 *
 * A busy machine may be late with one sample, as it stops threads now and then. Beside 16 busy
 * loops and three of these programs on 4 CPUs, one of 1300 samples was so late; six of eleven are
 * by chance once in 10^16 times.
 */
TEST(threads_stuck_in_the_kernel_starve_nobody)
{
	int n = tuza_gomaxprocs(0);
	int64_t delays[SAMPLES];

	for (int sample = 0; sample < SAMPLES; sample++) {
		int fds[2];

		begin();
		CHECK_EQ(pipe(fds), 0);
		for (int i = 0; i < n; i++)
			TUZA_GO(read_without_a_section, fds[0]);
		int64_t start = tuza_now();
		tuza_sleep(TUZA_MILLISECOND); // meanwhile all processors get stuck
		delays[sample] = tuza_now() - start - TUZA_MILLISECOND;
		for (int i = 0; i < n; i++)
			CHECK_EQ(write(fds[1], "x", 1), 1);
		finish(n);
		close(fds[0]);
		close(fds[1]);
	}
	if (!CHECK(median(delays) < 100 * TUZA_MILLISECOND))
		printf("  delayed by %lld us\n", (long long)median(delays) / 1000);
}

static void ping(tuza_chan *in, tuza_chan *out)
{
	while (tuza_chan_recv(in, NULL)) {
		if (atomic_load(&stop)) {
			tuza_chan_close(out);
			break;
		}
		tuza_chan_send(out, NULL);
	}
	atomic_fetch_add(&ended, 1);
}

// Checklist 24: a pair that wakes each other for ever leaves room for a third on the same
// processor.
TEST(pair_that_wakes_each_other_starves_nobody)
{
	int pairs = tuza_gomaxprocs(0);
	tuza_chan *a[64], *b[64];

	begin();
	pairs = pairs > 32 ? 32 : pairs;
	for (int i = 0; i < pairs; i++) {
		a[i] = tuza_chan_new(0, 1);
		b[i] = tuza_chan_new(0, 1);
		TUZA_GO(ping, a[i], b[i]);
		TUZA_GO(ping, b[i], a[i]);
		tuza_chan_send(a[i], NULL);
	}
	check_delays();
	finish(2 * pairs);
	for (int i = 0; i < pairs; i++) {
		tuza_chan_release(a[i]);
		tuza_chan_release(b[i]);
	}
}

static void tell_started(atomic_int *started) { atomic_store(started, 1); }

static void start_one_and_spin(atomic_int *started)
{
	TUZA_GO(tell_started, started); // would run next, if the loop ever ended
	spin();
}

// Checklist 24: what a loop left in the place of "next to run" is taken by another.
TEST(goroutine_started_by_a_loop_is_run_by_another)
{
	for (int attempt = 0; attempt < 5; attempt++) {
		atomic_int started = 0;

		begin();
		TUZA_GO(start_one_and_spin, &started);
		WAIT_UNTIL(started == 1);
		finish(1);
	}
}

static void end_one(void) { atomic_fetch_add(&ended, 1); }

static void burn_until(int64_t end)
{
	while (tuza_now() < end)
		;
}

// Checklist 1 (golang/go#45867): what is published just as the last looker gives up is seen by it
// or wakes another one. A looker looks for about 20 us. Whoever starts the two here runs neither.
TEST(goroutines_started_as_the_last_looker_gives_up_are_run_by_another)
{
	int64_t end = tuza_now() + 300 * TUZA_MILLISECOND;
	bool alone = tuza_gomaxprocs(0) == 1; // then a spare processor takes 10 ms to come

	begin();
	for (int i = 0; tuza_now() < end && i < (alone ? 3 : 1000000); i++) {
		int before = atomic_load(&ended);
		int64_t limit = tuza_now() + 30 * TUZA_SECOND;

		TUZA_GO(end_one);
		TUZA_GO(end_one);
		while (atomic_load(&ended) < before + 2 && tuza_now() < limit)
			;
		if (!CHECK_EQ(ended, before + 2))
			break;
		burn_until(tuza_now() + (15 + i * 7 % 20) * TUZA_MICROSECOND);
	}
}

static void yield_for_ever(void)
{
	while (!atomic_load(&stop))
		tuza_yield();
	atomic_fetch_add(&ended, 1);
}

// The same when no processor ever runs out of other work.
TEST(goroutine_started_by_a_loop_is_run_though_all_others_are_busy)
{
	int yielders = 2 * tuza_gomaxprocs(0) + 1;
	atomic_int started = 0;

	begin();
	for (int i = 0; i < yielders; i++)
		TUZA_GO(yield_for_ever);
	TUZA_GO(start_one_and_spin, &started);
	WAIT_UNTIL(started == 1);
	finish(1 + yielders);
}

static void work_in_turns(tuza_chan *in, tuza_chan *out, int work, atomic_int *rounds)
{
	volatile int x = 0;

	while (tuza_chan_recv(in, NULL)) {
		for (int i = 0; i < work; i++)
			x = x + 1;
		atomic_fetch_add(rounds, 1);
		if (atomic_load(&stop)) {
			tuza_chan_close(out);
			break;
		}
		tuza_chan_send(out, NULL);
	}
	atomic_fetch_add(&ended, 1);
}

// T3.10: a pair of heavy workers and a pair of light ones on one processor get like shares of it.
TEST(heavy_pair_and_light_pair_share_one_processor)
{
	if (test_is_chaotic()) {
		SKIP("time slices mean nothing in chaos");
		return;
	}
	if (test_is_on_valgrind()) {
		SKIP("there a send is dearer than what the light pair works");
		return;
	}
	static const int work[2] = {100000, 1000};
	atomic_int rounds[2] = {0, 0};
	tuza_chan *c[4];
	int before = tuza_gomaxprocs(1);

	begin();
	for (int i = 0; i < 2; i++) {
		tuza_chan *a = c[2 * i] = tuza_chan_new(0, 1);
		tuza_chan *b = c[2 * i + 1] = tuza_chan_new(0, 1);
		TUZA_GO(work_in_turns, a, b, work[i], &rounds[i]);
		TUZA_GO(work_in_turns, b, a, work[i], &rounds[i]);
		tuza_chan_send(a, NULL);
	}
	// Of CPU time: what of it is theirs the kernel says.
	for (int64_t end = cpu_time() + 200 * TUZA_MILLISECOND; cpu_time() < end;)
		tuza_sleep(5 * TUZA_MILLISECOND);
	finish(4);
	double heavy = (double)rounds[0] * work[0], light = (double)rounds[1] * work[1];
	if (!CHECK(heavy < 20 * light) || !CHECK(light < 20 * heavy))
		printf("  %d heavy rounds, %d light ones\n", (int)rounds[0], (int)rounds[1]);
	for (int i = 0; i < 4; i++)
		tuza_chan_release(c[i]);
	tuza_gomaxprocs(before);
}

struct shared {
	tuza_semaphore s;
	struct one_at_a_time turn;
	atomic_int changes;
	atomic_int last; // two may run for a moment
};

static void take_what_is_free(struct shared *sh, int me)
{
	loop_begins(&sh->turn, me);
	while (!atomic_load(&stop)) {
		if (me % 2)
			tuza_semaphore_wait(&sh->s, 1);
		else
			while (!tuza_semaphore_try_acquire(&sh->s, 1))
				;
		turn_begins(&sh->turn, me);
		if (sh->last != me)
			atomic_fetch_add(&sh->changes, 1);
		sh->last = me;
		turn_ends(&sh->turn, me);
		tuza_semaphore_release(&sh->s, 1);
	}
	atomic_fetch_add(&ended, 1);
}

// T3.6: who takes and gives what is always free never parks, and needs no second thread to let
// others have their turn.
TEST(loops_over_a_free_semaphore_take_turns_on_one_processor)
{
	struct shared sh = {.last = -1};
	int before = tuza_gomaxprocs(1);

	tuza_semaphore_init(&sh.s, 8);
	begin();
	for (int i = 0; i < 4; i++)
		TUZA_GO(take_what_is_free, &sh, i);
	WAIT_UNTIL(sh.changes > 8);
	finish(4);
	CHECK_EQ(sh.turn.at_a_side, 0);
	tuza_gomaxprocs(before);
}

static void respawn(void)
{
	if (atomic_load(&stop))
		atomic_fetch_add(&ended, 1);
	else
		TUZA_GO(respawn);
}

// T3.1: changing the number of processors under goroutines that start each other for ever.
TEST(number_of_processors_changes_while_goroutines_run)
{
	int before = tuza_gomaxprocs(0);
	// This runs once for each number of processors to begin with: together there are hundreds.
	// On a busy machine there are fewer, and on valgrind 20 a second: the 60 must do there.
	int64_t end = tuza_now() + (test_is_on_valgrind() ? 0 : 20) * TUZA_SECOND;
	int changes = 0;

	begin();
	for (int i = 0; i < 4; i++)
		TUZA_GO(respawn);
	for (int i; (i = changes) < 60 || (i < 120 && tuza_now() < end); changes++) {
		tuza_gomaxprocs(1 + i % 9);
		tuza_yield();
		if (i % 30 == 0)
			tuza_sleep(TUZA_MILLISECOND);
	}
	finish(4);
	CHECK_EQ(tuza_gomaxprocs(before), 1 + (changes - 1) % 9);
}
