// SPDX-License-Identifier: MIT
/*
 * Plain threads go on with everything that they may do while runs begin and end: they wake
 * goroutines that are being dropped, start new ones, set timers. Nothing is lost to the program's
 * objects, which outlive the runs, and nobody touches what went with one. With
 * TUZA_STRESS_SECONDS it takes so long instead of some runs.
 */
#include "../stress/stress.h"

#include <tuza/context.h>
#include <tuza/sync.h>

#include <pthread.h>

enum { THREADS = 3, GOROUTINES = 24, RUNS = 60 };

static struct objects {
	tuza_chan *values, *pair[2];
	tuza_mutex mutex, guard; // guard: of the condition
	tuza_rwmutex rwmutex;
	tuza_semaphore semaphore;
	tuza_cond cond;
	tuza_timer *timer;
} objects;

// What plain threads take from each run: its context, and a channel that is closed once.
static struct {
	pthread_mutex_t lock;
	tuza_context *context;
	tuza_chan *closing; // NULL once it is closed
	tuza_chan *closed;
} of_run = {.lock = PTHREAD_MUTEX_INITIALIZER};

static atomic_bool is_over;
static int null_fd;
static atomic_uint_fast64_t done; // by plain threads

// ---- plain threads ------------------------------------------------------------------------

static tuza_context *context_of_run(void)
{
	tuza_context *ctx;

	pthread_mutex_lock(&of_run.lock);
	ctx = of_run.context ? tuza_context_retain(of_run.context) : NULL;
	pthread_mutex_unlock(&of_run.lock);
	return ctx;
}

static void close_channel_of_run(void)
{
	tuza_chan *c;

	pthread_mutex_lock(&of_run.lock);
	c = of_run.closing;
	of_run.closing = NULL;
	pthread_mutex_unlock(&of_run.lock);
	if (c) {
		tuza_chan_close(c);
		tuza_chan_release(c);
	}
}

static void cancel_run(void)
{
	tuza_context *ctx = context_of_run();

	if (ctx) {
		tuza_context_cancel(ctx);
		tuza_context_release(ctx);
	}
}

static void lock_and_unlock(void)
{
	tuza_mutex_lock(&objects.mutex);
	tuza_mutex_unlock(&objects.mutex);
	tuza_rwmutex_lock(&objects.rwmutex);
	tuza_rwmutex_unlock(&objects.rwmutex);
	tuza_rwmutex_rlock(&objects.rwmutex);
	tuza_rwmutex_runlock(&objects.rwmutex);
}

static void nothing(void) {}

static void disturb_once(uint64_t *random)
{
	uint64_t value = 7;
	tuza_statistics statistics;

	switch (test_random(random) % 15) {
	case 0:
		(void)tuza_chan_try_send(objects.values, &value);
		break;
	case 1:
		(void)tuza_chan_try_recv(objects.values, &value);
		break;
	case 2:
		(void)tuza_chan_try_send(objects.pair[test_random(random) % 2], &value);
		break;
	case 3:
		lock_and_unlock();
		break;
	case 4:
		if (tuza_semaphore_try_acquire(&objects.semaphore, 2))
			tuza_semaphore_release(&objects.semaphore, 2);
		break;
	case 5:
		tuza_cond_broadcast(&objects.cond);
		break;
	case 6:
		tuza_cond_signal(&objects.cond);
		break;
	case 7:
		cancel_run();
		break;
	case 8:
		close_channel_of_run();
		break;
	case 9:
		TUZA_GO(nothing);
		break;
	case 10:
		(void)tuza_timer_reset(objects.timer, (int64_t)(test_random(random) % 100000));
		break;
	case 11:
		tuza_stats(&statistics);
		break;
	case 12:
		(void)tuza_num_goroutine();
		break;
	case 13:
		if (test_random(random) % 16 == 0)
			(void)tuza_blocked_write(null_fd, TUZA_HOUR);
		break;
	default:
		(void)TUZA_SELECT(TUZA_RECV(objects.values, &value),
			TUZA_AFTER((int64_t)(test_random(random) % 50000)));
		break;
	}
	atomic_fetch_add(&done, 1);
}

static void *disturb(void *seed)
{
	uint64_t random = *(uint64_t *)seed;

	while (!atomic_load(&is_over))
		disturb_once(&random);
	return NULL;
}

// ---- goroutines ---------------------------------------------------------------------------

static void wait_with(tuza_context *ctx)
{
	if (tuza_mutex_lock_ctx(&objects.mutex, ctx) == 0)
		tuza_mutex_unlock(&objects.mutex);
	if (tuza_semaphore_acquire(&objects.semaphore, ctx, 1) == 0)
		tuza_semaphore_release(&objects.semaphore, 1);
}

static void wait_for_condition(void)
{
	tuza_mutex_lock(&objects.guard);
	tuza_cond_wait(&objects.cond, &objects.guard);
	tuza_mutex_unlock(&objects.guard);
}

static void wait_somehow(uint64_t random, tuza_context *ctx, tuza_chan *closing)
{
	uint64_t value = 0;

	for (;;)
		switch (test_random(&random) % 9) {
		case 0:
			(void)tuza_chan_recv(objects.values, &value);
			break;
		case 1:
			tuza_chan_send(objects.values, &value);
			break;
		case 2:
			(void)TUZA_SELECT(TUZA_RECV(objects.pair[0], &value),
				TUZA_RECV(objects.pair[1], &value), TUZA_DONE(ctx),
				TUZA_AFTER(200 * TUZA_MICROSECOND));
			break;
		case 3:
			lock_and_unlock();
			break;
		case 4:
			tuza_semaphore_wait(&objects.semaphore, 2);
			tuza_semaphore_release(&objects.semaphore, 2);
			break;
		case 5:
			wait_for_condition();
			break;
		case 6:
			wait_with(ctx);
			break;
		case 7:
			(void)TUZA_SELECT(TUZA_RECV(tuza_timer_chan(objects.timer), NULL),
				TUZA_RECV(objects.values, &value));
			break;
		default:
			if (test_random(&random) % 4 == 0)
				(void)tuza_chan_recv(closing, NULL);
			tuza_yield();
		}
}

static int end_soon(void *arg)
{
	uint64_t random = *(uint64_t *)arg;
	tuza_context *ctx = tuza_context_with_timeout(
		tuza_context_background(), (int64_t)(test_random(&random) % TUZA_MILLISECOND));
	tuza_chan *closing = tuza_chan_new(0, 0);

	pthread_mutex_lock(&of_run.lock);
	of_run.context = ctx;
	of_run.closed = closing;
	of_run.closing = tuza_chan_retain(closing);
	pthread_mutex_unlock(&of_run.lock);
	for (int i = 0; i < GOROUTINES; i++)
		TUZA_GO(wait_somehow, test_random(&random), ctx, closing);
	// tuza-vet: ignore sleepwait, it leaves them behind
	tuza_sleep((int64_t)(test_random(&random) % 300000));
	return 7;
}

static void forget_run(void)
{
	tuza_context *ctx;

	close_channel_of_run();
	pthread_mutex_lock(&of_run.lock);
	ctx = of_run.context;
	of_run.context = NULL;
	pthread_mutex_unlock(&of_run.lock);
	tuza_context_free(ctx);
	tuza_chan_release(of_run.closed);
}

// A goroutine holds nothing where it may be dropped.
static void check_locks_are_free(void)
{
	alarm(60); // else for ever
	lock_and_unlock();
	tuza_mutex_lock(&objects.guard);
	tuza_mutex_unlock(&objects.guard);
	tuza_semaphore_wait(&objects.semaphore, 2);
	tuza_semaphore_release(&objects.semaphore, 2);
	alarm(0);
}

static void make_objects(void)
{
	memset(&objects, 0, sizeof(objects));
	objects.values = tuza_chan_new(sizeof(uint64_t), 2);
	objects.pair[0] = tuza_chan_new(sizeof(uint64_t), 0);
	objects.pair[1] = tuza_chan_new(sizeof(uint64_t), 0);
	objects.timer = tuza_timer_new(TUZA_MILLISECOND);
	tuza_semaphore_init(&objects.semaphore, 2);
}

static void free_objects(void)
{
	tuza_chan_release(objects.values);
	tuza_chan_release(objects.pair[0]);
	tuza_chan_release(objects.pair[1]);
	tuza_timer_free(objects.timer);
}

TEST_PLAIN(runs_end_while_plain_threads_go_on)
{
	uint64_t seed = test_seed(), seeds[THREADS];
	int64_t end = test_stress_end();
	bool by_time = getenv("TUZA_STRESS_SECONDS") != NULL;
	pthread_t threads[THREADS];
	int runs = 0;

	make_objects();
	null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	atomic_store(&is_over, false);
	for (int i = 0; i < THREADS; i++) {
		seeds[i] = test_random(&seed);
		CHECK_EQ(pthread_create(&threads[i], NULL, disturb, &seeds[i]), 0);
	}
	do {
		uint64_t random = test_random(&seed);

		CHECK_EQ(tuza_run(end_soon, &random), 7);
		forget_run();
		runs++;
	} while ((by_time ? tuza_now() < end : runs < RUNS) && !test_failures);
	atomic_store(&is_over, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	check_locks_are_free();
	free_objects();
	close(null_fd);
	printf("  %d runs, %llu operations\n", runs, (unsigned long long)atomic_load(&done));
}
