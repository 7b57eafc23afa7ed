// SPDX-License-Identifier: MIT
/*
 * Objects of the program that outlive a tuza_run whose goroutines were dropped on their way out of
 * a queue: what they were given and could not take is there for the next run.
 */
#include "sync_support.h"

static tuza_mutex mutex;
static tuza_rwmutex rwmutex;
static tuza_semaphore semaphore;
static atomic_bool main_is_over, released;

static void wait_for_mutex(void)
{
	tuza_mutex_lock(&mutex);
	tuza_mutex_unlock(&mutex);
}

static void wait_to_read(void)
{
	tuza_rwmutex_rlock(&rwmutex);
	tuza_rwmutex_runlock(&rwmutex);
}

static void wait_to_write(void)
{
	tuza_rwmutex_lock(&rwmutex);
	tuza_rwmutex_unlock(&rwmutex);
}

static void wait_for_semaphore(void)
{
	tuza_semaphore_wait(&semaphore, 2);
	tuza_semaphore_release(&semaphore, 2);
}

static void take_all(void)
{
	tuza_mutex_lock(&mutex);
	tuza_rwmutex_lock(&rwmutex);
	tuza_semaphore_wait(&semaphore, 2);
}

static void release_all(void)
{
	tuza_mutex_unlock(&mutex);
	tuza_rwmutex_unlock(&rwmutex);
	tuza_semaphore_release(&semaphore, 2);
}

static void keep_the_end_waiting(void)
{
	tuza_blocking_begin();
	while (!atomic_load(&released))
		usleep(100);
	tuza_blocking_end();
}

static int leave_them_waiting(void *arg)
{
	(void)arg;
	TUZA_GO(wait_for_mutex);
	TUZA_GO(wait_to_read);
	TUZA_GO(wait_for_semaphore);
	wait_parked("sync.Mutex.Lock", 1);
	wait_parked("sync.RWMutex.RLock", 1);
	wait_parked("semacquire", 1);
	TUZA_GO(keep_the_end_waiting);
	wait_parked("syscall", 1);
	atomic_store(&main_is_over, true);
	return 0;
}

// Releases when the machines have been told to leave, and one of them is not back yet.
static void *release_between_end_and_drop(void *arg)
{
	take_all();
	pthread_barrier_wait(arg);
	while (!atomic_load(&main_is_over))
		usleep(100);
	usleep(100000);
	release_all();
	atomic_store(&released, true);
	return NULL;
}

static void use_all(tuza_chan *done)
{
	wait_for_mutex();
	wait_to_read();
	wait_to_write();
	wait_for_semaphore();
	tuza_chan_send(done, NULL);
}

static int use_them_again(void *arg)
{
	tuza_chan *done = tuza_chan_new(0, 8);

	(void)arg;
	take_all();
	for (int i = 0; i < 4; i++)
		TUZA_GO(use_all, done);
	wait_parked("sync.Mutex.Lock", 4);
	release_all();
	for (int i = 0; i < 4; i++)
		if (!CHECK_EQ(TUZA_SELECT(TUZA_RECV(done, NULL), TUZA_AFTER(10 * TUZA_SECOND)), 0))
			return 1; // those who hang keep the channel
	CHECK(tuza_semaphore_try_acquire(&semaphore, 2));
	tuza_semaphore_release(&semaphore, 2);
	tuza_chan_release(done);
	return 0;
}

TEST_PLAIN(what_a_dropped_goroutine_was_handed_goes_on)
{
	pthread_t thread;
	pthread_barrier_t taken;

	tuza_semaphore_init(&semaphore, 2);
	pthread_barrier_init(&taken, NULL, 2);
	CHECK_EQ(pthread_create(&thread, NULL, release_between_end_and_drop, &taken), 0);
	pthread_barrier_wait(&taken);
	CHECK_EQ(tuza_run(leave_them_waiting, NULL), 0);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&taken);
	if (!CHECK(tuza_mutex_try_lock(&mutex)))
		return;
	tuza_mutex_unlock(&mutex);
	CHECK_EQ(tuza_run(use_them_again, NULL), 0);
}

static int wake_and_return(void *arg)
{
	(void)arg;
	take_all();
	for (int i = 0; i < 3; i++) {
		TUZA_GO(wait_for_mutex);
		TUZA_GO(wait_to_write);
		TUZA_GO(wait_to_read);
		TUZA_GO(wait_for_semaphore);
	}
	tuza_yield();
	release_all();
	return 0;
}

// Without waiters and holders a lock is all zero, whatever happened to it before; but a mutex knows
// how often it was taken.
TEST_PLAIN(locks_are_as_new_after_waiters_were_dropped_at_any_moment)
{
	static const tuza_rwmutex new_rwmutex;

	tuza_semaphore_init(&semaphore, 2);
	for (int i = 0; i < 300; i++) {
		CHECK_EQ(tuza_run(wake_and_return, NULL), 0);
		if (!CHECK(tuza_mutex_try_lock(&mutex)) ||
			!CHECK(tuza_rwmutex_try_lock(&rwmutex)) ||
			!CHECK(tuza_semaphore_try_acquire(&semaphore, 2)))
			break;
		release_all();
		if (!CHECK(mutex.state % TUZA_MUTEX_TICK_ == 0) || !CHECK_EQ(mutex.holder, 0) ||
			!CHECK(memcmp(&rwmutex, &new_rwmutex, sizeof(rwmutex)) == 0))
			break;
	}
}

static tuza_once onces[3];
static tuza_singleflight flights;
static atomic_int calls, began;

static void call_for_ever(void *how)
{
	atomic_fetch_add(&calls, 1);
	atomic_fetch_add(&began, 1);
	for (;;)
		if (how == &onces[0])
			tuza_sleep(TUZA_HOUR);
		else
			tuza_yield();
}

static int fly_for_ever(void *how, void **result)
{
	*result = how;
	call_for_ever(how);
	return 0;
}

static void call_once(tuza_once *once) { tuza_once_do(once, call_for_ever, once); }

static void fly(void)
{
	void *result;

	(void)tuza_singleflight_do(&flights, "key", fly_for_ever, NULL, &result, NULL);
}

static void *wait_for_once(void *unused)
{
	(void)unused;
	while (began < 4)
		usleep(100);
	call_once(&onces[0]);
	call_once(&onces[2]);
	return NULL;
}

static int leave_calls(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++) {
		TUZA_GO(call_once, &onces[i]);
		TUZA_GO(call_once, &onces[i]);
	}
	TUZA_GO(fly);
	WAIT_UNTIL(began == 4);
	tuza_sleep(TUZA_MILLISECOND); // the thread waits then, most likely
	return 0;
}

static int land(void *arg, void **result)
{
	*result = arg;
	return 5;
}

static int call_again(void *arg)
{
	void *result = NULL;

	for (int i = 0; i < 3; i++)
		call_once(&onces[i]);
	CHECK_EQ(calls, 4);
	CHECK_EQ(tuza_singleflight_do(&flights, "key", land, arg, &result, NULL), 5);
	CHECK(result == arg);
	return 0;
}

// As if by tuza_goexit: nobody waits for it for ever.
TEST_PLAIN(a_call_that_was_dropped_midway_has_ended)
{
	pthread_t thread;

	for (int i = 0; i < 20 && !test_failures; i++) {
		memset(onces, 0, sizeof(onces));
		atomic_store(&calls, 0);
		atomic_store(&began, 0);
		CHECK_EQ(pthread_create(&thread, NULL, wait_for_once, NULL), 0);
		CHECK_EQ(tuza_run(leave_calls, NULL), 0);
		pthread_join(thread, NULL);
		CHECK_EQ(tuza_run(call_again, &thread), 0);
	}
}

static int leave_one_waiting(void *arg)
{
	(void)arg;
	tuza_semaphore_wait(&semaphore, 1);
	TUZA_GO(wait_for_semaphore);
	wait_parked("semacquire", 1);
	return 0;
}

TEST_PLAIN(a_semaphore_forgets_waiters_that_were_dropped)
{
	for (int i = 0; i < 2; i++) {
		tuza_semaphore_init(&semaphore, 2);
		CHECK_EQ(tuza_run(leave_one_waiting, NULL), 0);
		if (i == 0) {
			CHECK(tuza_semaphore_try_acquire(&semaphore, 1));
		} else {
			alarm(20); // else for ever
			tuza_semaphore_wait(&semaphore, 1);
			alarm(0);
		}
		CHECK(!tuza_semaphore_try_acquire(&semaphore, 1));
	}
}

static int leave_lock_waiters(void *arg)
{
	(void)arg;
	TUZA_GO(wait_for_mutex);
	TUZA_GO(wait_to_write);
	wait_parked("sync.Mutex.Lock", 1);
	wait_parked("sync.RWMutex.Lock", 1);
	return 0;
}

// Else each unlock looks for the one that was dropped, as long as nobody else waits.
TEST_PLAIN(a_mutex_soon_forgets_a_waiter_that_was_dropped)
{
	tuza_mutex other = {0};

	tuza_mutex_lock(&mutex);
	tuza_rwmutex_lock(&rwmutex);
	CHECK_EQ(tuza_run(leave_lock_waiters, NULL), 0);
	tuza_rwmutex_unlock(&rwmutex);
	CHECK(mutex.state & TUZA_MUTEX_PARKED_);
	tuza_mutex_unlock(&mutex);
	for (int i = 0; i < 2; i++) {
		tuza_mutex_lock(&mutex);
		tuza_mutex_lock(&other);
		tuza_mutex_unlock(&other);
		tuza_mutex_unlock(&mutex);
	}
	CHECK_EQ(mutex.state % TUZA_MUTEX_TICK_, 0);
}

static int read_again(void *arg)
{
	alarm(20); // else for ever: the thread that reads waits for this run
	tuza_rwmutex_rlock(&rwmutex);
	tuza_rwmutex_runlock(&rwmutex);
	alarm(0);
	CHECK(tuza_rwmutex_try_rlock(&rwmutex));
	tuza_rwmutex_runlock(&rwmutex);
	return *(int *)arg;
}

TEST_PLAIN(readers_do_not_wait_for_a_writer_that_was_dropped)
{
	int one = 1;

	tuza_mutex_lock(&mutex);
	tuza_rwmutex_rlock(&rwmutex);
	CHECK_EQ(tuza_run(leave_lock_waiters, NULL), 0);
	CHECK_EQ(tuza_run(read_again, &one), 1);
	tuza_rwmutex_runlock(&rwmutex);
	CHECK(tuza_rwmutex_try_lock(&rwmutex));
	tuza_rwmutex_unlock(&rwmutex);
	tuza_mutex_unlock(&mutex);
}

static tuza_goroutine *handles[2];
static atomic_bool spawned;

static void sleep_for_ever(void *unused)
{
	(void)unused;
	tuza_sleep(TUZA_HOUR);
}

static void *join_on_thread(void *unused)
{
	(void)unused;
	while (!atomic_load(&spawned))
		usleep(100);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(tuza_join(handles[i]), 0);
	return NULL;
}

static int leave_spawned(void *arg)
{
	handles[0] = tuza_spawn(sleep_for_ever, arg);
	tuza_detach(tuza_spawn(sleep_for_ever, arg));
	wait_parked("sleep", 2);
	handles[1] = tuza_spawn(sleep_for_ever, arg); // not started yet, with one processor
	atomic_store(&spawned, true);
	return 0;
}

TEST_PLAIN(a_thread_that_joins_a_goroutine_hears_that_it_was_dropped)
{
	pthread_t thread;

	for (int i = 0; i < 50; i++) {
		atomic_store(&spawned, false);
		CHECK_EQ(pthread_create(&thread, NULL, join_on_thread, NULL), 0);
		CHECK_EQ(tuza_run(leave_spawned, NULL), 0);
		alarm(20); // else for ever
		pthread_join(thread, NULL);
		alarm(0);
	}
}
