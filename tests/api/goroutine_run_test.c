// SPDX-License-Identifier: MIT
/*
 * tuza_run: the life of a program inside it, and what becomes of the goroutines that it leaves
 * behind. L5.
 */
#include "../test.h"

#include <limits.h>
#include <pthread.h>
#include <time.h>
#include <tuza/sync.h>

static atomic_int defers, progress;
static int64_t left_at; // plain: ordered by the run

static void count_defer(int n) { atomic_fetch_add(&defers, n); }

static int add_one(void *arg) { return *(int *)arg + 1; }

TEST_PLAIN(run_returns_the_value_of_its_function_again_and_again)
{
	int runs = test_is_on_valgrind() ? 10 : 50; // each starts threads, which takes long there

	for (int i = 0; i < runs; i++)
		CHECK_EQ(tuza_run(add_one, &i), i + 1);
	CHECK_EQ(tuza_num_goroutine(), 0);
}

static void park_for_ever(tuza_chan *c)
{
	TUZA_DEFER(count_defer, 1);
	tuza_chan_recv(c, NULL);
	atomic_fetch_add(&progress, 1);
}

static void sleep_for_long(void)
{
	TUZA_DEFER(count_defer, 1);
	tuza_sleep(TUZA_HOUR);
}

static void yield_for_ever(void)
{
	TUZA_DEFER(count_defer, 1);
	for (;;) {
		atomic_fetch_add(&progress, 1);
		tuza_yield();
	}
}

static void never_started(void) { atomic_fetch_add(&defers, 100); }

static int leave_all_behind(void *c)
{
	for (int i = 0; i < 20; i++) {
		TUZA_GO(park_for_ever, (tuza_chan *)c);
		TUZA_GO(sleep_for_long);
		TUZA_GO(yield_for_ever);
	}
	tuza_sleep(2 * TUZA_MILLISECOND);
	int live = (int)tuza_num_goroutine();
	left_at = tuza_now();
	return live;
}

// How long a run takes to end once its function has, the shortest of five: one that waits for those
// who were left behind waits for a second, each time. Beside 12 busy loops and seven of these
// programs on 4 CPUs 1 of 200 took so long otherwise; five in a row do once in 10^11 times.
enum { RUNS = 5 };

static void end_takes(int64_t *shortest, int (*fn)(void *), void *arg, int want)
{
	CHECK_EQ(tuza_run(fn, arg), want);
	int64_t took = tuza_now() - left_at;
	*shortest = took < *shortest ? took : *shortest;
}

// L5: parked, sleeping and runnable goroutines are dropped at once, without their defers; a channel
// they waited on may go.
TEST_PLAIN(goroutines_left_behind_are_dropped_without_their_defers)
{
	int64_t shortest = INT64_MAX;

	atomic_store(&defers, 0);
	for (int i = 0; i < RUNS; i++) {
		tuza_chan *c = tuza_chan_new(0, 0);

		end_takes(&shortest, leave_all_behind, c, 61);
		int seen = progress;
		tuza_sleep(2 * TUZA_MILLISECOND);
		CHECK_EQ(progress, seen);
		CHECK_EQ(tuza_num_goroutine(), 0);
		CHECK_EQ(tuza_chan_try_send(c, NULL), -EAGAIN); // nobody waits there
		tuza_chan_release(c);
	}
	CHECK(shortest < TUZA_SECOND);
	CHECK_EQ(defers, 0);
}

struct objects {
	tuza_mutex mutex;
	tuza_rwmutex rwmutex;
	tuza_cond cond;
	tuza_mutex of_cond;
	tuza_waitgroup wg;
	tuza_semaphore semaphore;
};

static void wait_for_cond(struct objects *o)
{
	tuza_mutex_lock(&o->of_cond);
	tuza_cond_wait(&o->cond, &o->of_cond);
	tuza_mutex_unlock(&o->of_cond);
}

static int leave_waiters(void *arg)
{
	struct objects *o = arg;

	tuza_mutex_lock(&o->mutex);
	tuza_rwmutex_lock(&o->rwmutex);
	tuza_waitgroup_add(&o->wg, 1);
	for (int i = 0; i < 3; i++) {
		TUZA_GO(tuza_mutex_lock, &o->mutex);
		TUZA_GO(tuza_rwmutex_lock, &o->rwmutex);
		TUZA_GO(tuza_rwmutex_rlock, &o->rwmutex);
		TUZA_GO(tuza_waitgroup_wait, &o->wg);
		TUZA_GO(tuza_semaphore_wait, &o->semaphore, (int64_t)1);
		TUZA_GO(wait_for_cond, o);
	}
	tuza_sleep(2 * TUZA_MILLISECOND);
	return (int)tuza_num_goroutine();
}

static void lock_and_count(tuza_mutex *m, atomic_int *n)
{
	tuza_mutex_lock(m);
	atomic_fetch_add(n, 1);
	tuza_mutex_unlock(m);
}

static int use_afresh(void *arg)
{
	struct objects *o = arg;
	atomic_int n = 0;

	memset(o, 0, sizeof(*o)); // as new: nobody waits there any more
	tuza_semaphore_init(&o->semaphore, 1);
	tuza_mutex_lock(&o->mutex);
	for (int i = 0; i < 20; i++)
		TUZA_GO(lock_and_count, &o->mutex, &n);
	tuza_sleep(TUZA_MILLISECOND);
	CHECK_EQ(n, 0);
	tuza_mutex_unlock(&o->mutex);
	WAIT_UNTIL(n == 20);
	tuza_rwmutex_lock(&o->rwmutex);
	tuza_rwmutex_unlock(&o->rwmutex);
	tuza_mutex_lock(&o->of_cond);
	tuza_cond_broadcast(&o->cond);
	tuza_mutex_unlock(&o->of_cond);
	tuza_waitgroup_add(&o->wg, 1);
	tuza_waitgroup_done(&o->wg);
	tuza_waitgroup_wait(&o->wg);
	tuza_semaphore_wait(&o->semaphore, 1);
	tuza_semaphore_release(&o->semaphore, 1);
	return 0;
}

// Checklist 50: nobody who was dropped is left in the queue of a lock.
TEST_PLAIN(locks_that_dropped_goroutines_waited_for_can_be_used_again)
{
	static struct objects o;

	for (int i = 0; i < 10; i++) {
		memset(&o, 0, sizeof(o));
		CHECK_EQ(tuza_run(leave_waiters, &o), 19);
		CHECK_EQ(tuza_run(use_afresh, &o), 0);
	}
}

static int leave_not_started(void *arg)
{
	(void)arg;
	tuza_gomaxprocs(1);
	for (int i = 0; i < 1000; i++)
		TUZA_GO(never_started);
	left_at = tuza_now();
	return 3;
}

TEST_PLAIN(goroutines_that_never_ran_are_dropped)
{
	int before = tuza_gomaxprocs(0);
	int64_t shortest = INT64_MAX;

	for (int i = 0; i < RUNS; i++) {
		atomic_store(&defers, 0);
		end_takes(&shortest, leave_not_started, NULL, 3);
		int ran = defers / 100;
		tuza_sleep(TUZA_MILLISECOND);
		CHECK_EQ(defers / 100, ran);
	}
	CHECK(shortest < TUZA_SECOND);
	tuza_gomaxprocs(before);
}

static atomic_int stop, stragglers;

static void spin_until_told(void)
{
	atomic_fetch_add(&stragglers, 1);
	while (!atomic_load(&stop))
		;
	atomic_fetch_sub(&stragglers, 1);
	tuza_yield();
	atomic_fetch_add(&defers, 1); // never: it was dropped
}

static void sleep_in_a_section(void)
{
	struct timespec t = {0, 1000000};

	tuza_blocking_begin();
	atomic_fetch_add(&stragglers, 1);
	while (!atomic_load(&stop))
		nanosleep(&t, NULL);
	atomic_fetch_sub(&stragglers, 1);
	tuza_blocking_end();
	atomic_fetch_add(&defers, 1); // never
}

static int leave_stragglers(void *arg)
{
	(void)arg;
	TUZA_GO(spin_until_told);
	TUZA_GO(sleep_in_a_section);
	WAIT_UNTIL(stragglers == 2);
	left_at = tuza_now();
	return 4;
}

// A running one is awaited for up to 1 s, then what it uses stays until it has left at its next
// call. A busy machine may take longer, but not five times more than 3 s: beside 12 busy loops and
// seven of these programs on 4 CPUs the longest of 80 took 1.2 s.
TEST_PLAIN(stragglers_leave_at_their_next_call)
{
	int one = 1, attempts = 0;
	int64_t took;

	atomic_store(&defers, 0);
	do {
		atomic_store(&stop, 0);
		CHECK_EQ(tuza_run(leave_stragglers, NULL), 4);
		took = tuza_now() - left_at;
		CHECK(took > 500 * TUZA_MILLISECOND);
		CHECK_EQ(tuza_run(add_one, &one), 2); // beside them
		atomic_store(&stop, 1);
		WAIT_UNTIL(stragglers == 0);
		tuza_sleep(20 * TUZA_MILLISECOND);
		CHECK_EQ(defers, 0);
	} while (took >= 3 * TUZA_SECOND && CHECK(++attempts < 5));
}

static size_t use_large_frame(size_t bytes)
{
	volatile char *frame = __builtin_alloca(bytes);
	size_t sum = 0;

	for (size_t i = 0; i < bytes; i += 4096)
		frame[i] = 1;
	for (size_t i = 0; i < bytes; i += 4096)
		sum += (size_t)frame[i];
	return sum;
}

static int use_main_stack(void *arg)
{
	(void)arg;
	CHECK_EQ(tuza_id(), 1);
	return (int)use_large_frame((size_t)4 << 20);
}

// Goroutine 1 has a stack of RLIMIT_STACK, 8 MiB here.
TEST_PLAIN(main_goroutine_has_a_large_stack) { CHECK_EQ(tuza_run(use_main_stack, NULL), 1024); }

static void fill(tuza_chan *c)
{
	for (int i = 0; i < 3; i++)
		tuza_send(c, i);
}

static int fill_channel(void *arg)
{
	TUZA_GO(fill, (tuza_chan *)arg);
	while (tuza_chan_len(arg) != 3)
		tuza_yield();
	return 0;
}

static int drain_channel(void *arg)
{
	int v = 0, sum = 0;

	while (tuza_chan_try_recv(arg, &v) == 0)
		sum += v;
	return sum;
}

// The program's objects outlive the run.
TEST_PLAIN(channel_made_outside_serves_two_runs)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 3);

	CHECK_EQ(tuza_run(fill_channel, c), 0);
	CHECK_EQ(tuza_chan_len(c), 3);
	CHECK_EQ(tuza_run(drain_channel, c), 3);
	tuza_chan_release(c);
}

static void *run_on_a_thread(void *arg)
{
	int v = *(int *)arg;

	*(int *)arg = tuza_run(add_one, &v);
	return NULL;
}

TEST_PLAIN(run_works_on_any_thread)
{
	pthread_t thread;
	int v = 1;

	for (int i = 0; i < 10; i++) {
		CHECK_EQ(pthread_create(&thread, NULL, run_on_a_thread, &v), 0);
		pthread_join(thread, NULL);
	}
	CHECK_EQ(v, 11);
}

static void run_again(void *arg) { tuza_run(add_one, arg); }

static int run_nested(void *arg)
{
	CHECK_PANICS("tuza_run: already running", run_again, arg);
	return 5;
}

TEST_PLAIN(nested_run_panics_and_the_outer_goes_on)
{
	int v = 0;

	CHECK_EQ(tuza_run(run_nested, &v), 5);
	CHECK_EQ(tuza_run(run_nested, &v), 5);
}

// Without valgrind's own, which may all be executed.
static int count_writable_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[PATH_MAX + 100];
	int n = 0;

	while (fgets(line, sizeof(line), maps))
		n += strstr(line, " rw-p ") != NULL;
	fclose(maps);
	return n;
}

static int be_busy(void *arg)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	(void)arg;
	for (int i = 0; i < 100; i++)
		TUZA_GO(tuza_chan_send, c, NULL);
	for (int i = 0; i < 100; i++)
		tuza_chan_recv(c, NULL);
	tuza_chan_release(c);
	return 0;
}

static int mappings_of_runs(int n)
{
	int before = count_writable_mappings();

	for (int i = 0; i < n; i++)
		tuza_run(be_busy, NULL);
	return count_writable_mappings() - before;
}

// Checklist 50: no run leaves threads behind that the next does not use. The C library keeps as
// many stacks as there were threads at the same time, so that one crowd may add some; a thread that
// nobody has joined keeps its stack, and adds one in each run.
TEST_PLAIN(threads_do_not_pile_up_from_run_to_run)
{
	int rounds = 0, more;

	mappings_of_runs(3);
	int before = test_count_threads();
	while ((more = mappings_of_runs(30)) >= 20 && CHECK(++rounds < 5))
		printf("  %d more mappings\n", more);
	// Who is joined is listed for a moment still.
	for (int ms = 0; test_count_threads() > before && ms < 20000; ms++)
		usleep(1000);
	CHECK(test_count_threads() <= before);
}

static pthread_key_t thread_key;
static atomic_int thread_ends;

static void do_nothing(void) {}

static void use_tuza_at_end(void *lock)
{
	tuza_mutex_lock(lock);
	tuza_mutex_unlock(lock);
	TUZA_GO(do_nothing);
	atomic_fetch_add(&thread_ends, 1);
}

static int leave_value_in_thread(void *lock) { return pthread_setspecific(thread_key, lock); }

// Such a thread ends while the run does, or when it is over: what it starts is dropped, or begins a
// runtime of its own.
TEST_PLAIN(what_threads_of_a_run_do_at_their_end_may_use_tuza)
{
	static tuza_mutex lock;

	CHECK_EQ(pthread_key_create(&thread_key, use_tuza_at_end), 0);
	for (int i = 1; i <= 20; i++) {
		CHECK_EQ(tuza_run(leave_value_in_thread, &lock), 0);
		while (thread_ends < i)
			usleep(100);
		while (tuza_shutdown() != 0)
			usleep(100);
	}
	pthread_key_delete(thread_key);
}
