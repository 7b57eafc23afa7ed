// SPDX-License-Identifier: MIT
/*
 * The clock and sleeping. After Go's time/sleep_test.go.
 */
#include "../test.h"

#include <pthread.h>
#include <time.h>
#include <tuza/sync.h>

#define MS TUZA_MILLISECOND

TEST_PLAIN(units_are_multiples_of_each_other)
{
	CHECK_EQ(TUZA_NANOSECOND, 1);
	CHECK_EQ(TUZA_MICROSECOND, 1000);
	CHECK_EQ(TUZA_MILLISECOND, 1000000);
	CHECK_EQ(TUZA_SECOND, 1000000000);
	CHECK_EQ(TUZA_MINUTE, 60 * TUZA_SECOND);
	CHECK_EQ(TUZA_HOUR, 60 * TUZA_MINUTE);
	CHECK_EQ(sizeof(tuza_duration), 8);
}

// Z8.
TEST_PLAIN(now_is_the_monotonic_clock_and_never_goes_back)
{
	struct timespec t;
	int64_t before = tuza_now(), last = before;

	clock_gettime(CLOCK_MONOTONIC, &t);
	CHECK((int64_t)t.tv_sec * TUZA_SECOND + t.tv_nsec >= before);
	CHECK((int64_t)t.tv_sec * TUZA_SECOND + t.tv_nsec <= tuza_now());
	for (int i = 0; i < 100000; i++) {
		int64_t now = tuza_now();

		if (now < last && !CHECK(now >= last))
			return;
		last = now;
	}
	CHECK(last > before);
}

// Z1.
TEST(sleep_takes_at_least_its_duration)
{
	static const tuza_duration durations[] = {
		1, TUZA_MICROSECOND, 50 * TUZA_MICROSECOND, MS, 20 * MS};

	for (int i = 0; i < 50; i++) {
		tuza_duration d = durations[i % 5];
		int64_t before = tuza_now();

		tuza_sleep(d);
		CHECK(tuza_now() - before >= d);
	}
}

enum { QUEUE = 30000, SLEEPERS = 200 };

// How many of the queue each thread has run. Atomic: to ThreadSanitizer goroutines that run on one
// thread are threads of their own.
static _Thread_local atomic_int ran_here;

static void burn_ten_microseconds(atomic_int *ran)
{
	int64_t until = tuza_now() + 10 * TUZA_MICROSECOND;

	while (tuza_now() < until)
		;
	atomic_fetch_add(&ran_here, 1);
	atomic_fetch_add(ran, 1);
}

// Not inlined: the caller may have come to another thread.
static __attribute__((noinline)) const atomic_int *here(void) { return &ran_here; }

// Late is who comes after half of the queue although the thread that has the timer has run half of
// its share: one that the kernel did not let run is not late, nor whom another one found there.
static void sleep_and_look(tuza_waitgroup *wg, tuza_duration d, atomic_int *ran, atomic_int *late)
{
	const atomic_int *thread = here();

	tuza_sleep(d);
	if (here() == thread && atomic_load(thread) > QUEUE / 2 / tuza_gomaxprocs(0) &&
		atomic_load(ran) > QUEUE / 2)
		atomic_fetch_add(late, 1);
	tuza_waitgroup_done(wg);
}

// Goroutines that are due come before thousands that were started and have not run yet.
TEST(sleepers_do_not_wait_for_a_long_queue)
{
	static atomic_int ran, late;
	tuza_waitgroup wg = {0};

	atomic_store(&ran, 0);
	atomic_store(&late, 0);
	tuza_waitgroup_add(&wg, SLEEPERS);
	for (int i = 0; i < SLEEPERS; i++)
		TUZA_GO(sleep_and_look, &wg, (i % 20 + 1) * MS / 4, &ran, &late);
	tuza_yield();
	for (int i = 0; i < QUEUE; i++)
		TUZA_GO(burn_ten_microseconds, &ran);
	tuza_waitgroup_wait(&wg);
	if (!CHECK(atomic_load(&late) < SLEEPERS / 2))
		printf("  late: %d of %d\n", atomic_load(&late), SLEEPERS);
	while (atomic_load(&ran) < QUEUE)
		tuza_sleep(MS);
}

static void note(atomic_int *ran) { *ran = 1; }

static tuza_statistics counted(void)
{
	tuza_statistics s;

	tuza_stats(&s);
	return s;
}

// Z1: returns at once, without letting anybody else run.
TEST(sleep_of_zero_or_less_returns_at_once)
{
	static const tuza_duration durations[] = {0, -1, -TUZA_HOUR, INT64_MIN};
	int processors = tuza_gomaxprocs(1);
	atomic_int ran = 0;

	tuza_yield(); // the other processors retire
	TUZA_GO(note, &ran);
	tuza_statistics before = counted();
	for (int i = 0; i < 4; i++)
		tuza_sleep(durations[i]);
	tuza_statistics after = counted();
	CHECK_EQ(after.parks, before.parks);
	// Where a host stops its CPU, a loop may be lent a second processor; that one runs it.
	CHECK(after.switches <= before.switches + 1);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	CHECK_EQ(ran, 1);
	tuza_gomaxprocs(processors);
}

static void sleep_for_ever(void *d) { tuza_sleep(*(tuza_duration *)d); }

// Z7: a duration too long for the clock is no short one.
TEST(overflowing_sleep_does_not_return)
{
	static tuza_duration longest = INT64_MAX, century = 100 * 365 * 24 * TUZA_HOUR;

	CHECK(blocks(sleep_for_ever, &longest));
	CHECK(blocks(sleep_for_ever, &century));
	tuza_sleep(5 * MS); // others are not disturbed
}

struct sleeper {
	tuza_duration d;
	atomic_int *done, *early;
};

static void sleep_and_check(struct sleeper *s)
{
	int64_t before = tuza_now();

	tuza_sleep(s->d);
	if (tuza_now() - before < s->d)
		atomic_fetch_add(s->early, 1);
	atomic_fetch_add(s->done, 1);
}

// T8.5: sleepers share a few threads, and all wake.
TEST(many_sleep_at_the_same_time)
{
	enum { N = 10000 };
	static struct sleeper sleepers[N];
	atomic_int done = 0, early = 0;
	int n = getenv("TUZA_UNDER_VALGRIND") ? N / 50 : N;

	for (int i = 0; i < n; i++) {
		sleepers[i] = (struct sleeper){i * 7919 % 100 * MS, &done, &early};
		TUZA_GO(sleep_and_check, &sleepers[i]);
	}
	WAIT_UNTIL(done == n);
	CHECK_EQ(early, 0);
}

static void spin_and_yield(atomic_int *stop, atomic_long *turns)
{
	while (!atomic_load(stop)) {
		atomic_fetch_add(turns, 1);
		tuza_yield();
	}
}

// Of the process.
static int64_t cpu_time(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec * TUZA_SECOND + used.tv_nsec;
}

// A sleep gives the processor away, and gets it back although others always want it.
TEST(others_run_while_one_sleeps)
{
	int processors = tuza_gomaxprocs(1);
	atomic_int stop = 0;
	atomic_long turns = 0;

	TUZA_GO(spin_and_yield, &stop, &turns);
	TUZA_GO(spin_and_yield, &stop, &turns);
	int64_t before = cpu_time(); // the others' and ours: a busy machine takes longer
	for (int i = 0; i < 20; i++)
		tuza_sleep(100 * TUZA_MICROSECOND);
	CHECK(cpu_time() - before < TUZA_SECOND);
	CHECK(turns > 20);
	atomic_store(&stop, 1);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_gomaxprocs(processors);
}

// T8.1: goroutines that sleep and spawn, while others keep the processors busy.
static void sleep_and_spawn(int depth, atomic_int *left)
{
	tuza_sleep(depth % 3 * 10 * TUZA_MICROSECOND + 1);
	if (depth > 0) {
		TUZA_GO(sleep_and_spawn, depth - 1, left);
		TUZA_GO(sleep_and_spawn, depth - 1, left);
	} else {
		atomic_fetch_sub(left, 1);
	}
}

TEST(no_sleeper_is_forgotten)
{
	atomic_int left = 1 << 12;

	TUZA_GO(sleep_and_spawn, 12, &left);
	WAIT_UNTIL(left == 0);
}

static void *sleep_on_a_thread(void *done)
{
	int64_t before = tuza_now();

	tuza_sleep(5 * MS);
	CHECK(tuza_now() - before >= 5 * MS);
	tuza_sleep(-1);
	atomic_fetch_add((atomic_int *)done, 1);
	return NULL;
}

// A plain thread sleeps by itself; that starts no runtime.
TEST_PLAIN(plain_thread_sleeps_as_a_thread)
{
	atomic_int done = 0;
	pthread_t thread;

	sleep_on_a_thread(&done);
	CHECK_EQ(pthread_create(&thread, NULL, sleep_on_a_thread, &done), 0);
	pthread_join(thread, NULL);
	CHECK_EQ(done, 2);
	CHECK_EQ(tuza_num_goroutine(), 0);
}

static void on_signal(int sig) { (void)sig; }

struct victim {
	pthread_t thread;
	atomic_int done;
};

static void *sleep_through_signals(void *arg)
{
	struct victim *v = arg;
	int64_t before = tuza_now();

	tuza_sleep(30 * MS);
	CHECK(tuza_now() - before >= 30 * MS);
	atomic_store(&v->done, 1);
	return NULL;
}

TEST_PLAIN(signals_do_not_cut_a_sleep_short)
{
	struct sigaction action = {.sa_handler = on_signal}, old;
	struct victim v = {.done = 0};

	sigaction(SIGUSR1, &action, &old);
	CHECK_EQ(pthread_create(&v.thread, NULL, sleep_through_signals, &v), 0);
	for (int i = 0; i < 10; i++) {
		usleep(1000);
		if (!v.done)
			pthread_kill(v.thread, SIGUSR1);
	}
	pthread_join(v.thread, NULL);
	sigaction(SIGUSR1, &old, NULL);
}

// Inside a blocking section the caller acts as a plain thread: its thread sleeps, others run.
TEST(blocking_section_sleeps_as_a_thread)
{
	int processors = tuza_gomaxprocs(1);
	atomic_int stop = 0;
	atomic_long turns = 0;
	int64_t before = tuza_now();

	TUZA_GO(spin_and_yield, &stop, &turns);
	tuza_blocking_begin();
	tuza_sleep(20 * MS);
	while (turns == 0 && tuza_now() - before < 10 * TUZA_SECOND)
		tuza_sleep(MS); // nobody but the section's thread has had a CPU so far
	tuza_blocking_end();
	CHECK(tuza_now() - before >= 20 * MS);
	CHECK(turns > 0);
	atomic_store(&stop, 1);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_gomaxprocs(processors);
}

static atomic_int woken;

static void sleep_and_tell(int64_t duration)
{
	tuza_sleep(duration);
	atomic_store(&woken, 1);
}

static int leave_a_sleeper(void *duration)
{
	TUZA_GO(sleep_and_tell, *(int64_t *)duration);
	tuza_sleep(MS); // tuza-vet: ignore sleepwait
	return 0;
}

// L5: who sleeps at the end of the run is dropped, and does not hold it up: it ends at all.
TEST_PLAIN(sleepers_are_dropped_at_the_end)
{
	int64_t duration = TUZA_HOUR;

	CHECK_EQ(tuza_run(leave_a_sleeper, &duration), 0);
	CHECK_EQ(woken, 0);
	// Nor do they wake later. (On a busy machine one may wake before the end.)
	duration = 30 * MS;
	CHECK_EQ(tuza_run(leave_a_sleeper, &duration), 0);
	int has_woken = woken;
	tuza_sleep(2 * duration);
	CHECK_EQ(woken, has_woken);
}
