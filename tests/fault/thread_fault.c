// SPDX-License-Identifier: MIT
/*
 * No more threads: processors stay idle, everything still gets done. Checklist 43 (pthread_create
 * EAGAIN ignored: silent hang).
 *
 * The program's own pthread_create stands before the C library's and fails from the n-th call on.
 */
#include "../test.h"

#include <dlfcn.h>
#include <pthread.h>
#include <tuza/sync.h>

static atomic_int calls, refused;
static atomic_int allowed = 1 << 30;

int pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *), void *arg)
{
	static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (!real)
		*(void **)(void *)&real = dlsym(RTLD_NEXT, "pthread_create");
	if (atomic_fetch_add(&calls, 1) >= atomic_load(&allowed)) {
		atomic_fetch_add(&refused, 1);
		return EAGAIN;
	}
	return real(thread, attributes, fn, arg);
}

static tuza_waitgroup group;
static atomic_int sum;

static void add(void *n)
{
	for (int i = 0; i < 3; i++)
		tuza_yield();
	atomic_fetch_add(&sum, (int)(intptr_t)n);
	tuza_waitgroup_done(&group);
}

static int many(void *unused)
{
	(void)unused;
	sum = 0;
	tuza_waitgroup_add(&group, 1000);
	for (intptr_t i = 0; i < 1000; i++)
		tuza_go(add, (void *)i);
	tuza_waitgroup_wait(&group);
	tuza_sleep(2 * TUZA_MILLISECOND);
	return sum;
}

// The one machine that runs the program must exist; every further one may be refused.
TEST_PLAIN(program_completes_when_the_nth_thread_is_refused)
{
	for (int n = 1; n <= 4; n++) {
		atomic_store(&calls, 0);
		atomic_store(&allowed, n);
		CHECK_EQ(tuza_run(many, NULL), 999 * 1000 / 2);
	}
	atomic_store(&allowed, 1 << 30);
}

static int change_ids(void *unused)
{
	(void)many(unused); // the machines that there are sleep now, or look for work
	tuza_blocking_begin();
	int result = setresgid((gid_t)-1, (gid_t)-1, (gid_t)-1);
	tuza_blocking_end();
	return result;
}

// The C library asks every thread, by a signal, and waits for each.
TEST_PLAIN(ids_of_the_process_can_be_changed_while_threads_sleep)
{
	for (int i = 0; i < 20; i++)
		CHECK_EQ(tuza_run(change_ids, NULL), 0);
}

static void block_briefly(void *unused)
{
	(void)unused;
	tuza_blocking_begin();
	usleep(1000);
	tuza_blocking_end();
	tuza_waitgroup_done(&group);
}

static int block_many(void *unused)
{
	(void)unused;
	tuza_waitgroup_add(&group, 20);
	for (int i = 0; i < 20; i++)
		tuza_go(block_briefly, NULL);
	tuza_waitgroup_wait(&group);
	return 1;
}

// A blocking section that cannot hand its processor on keeps others waiting, and no longer.
TEST_PLAIN(blocking_sections_complete_when_threads_are_refused)
{
	for (int n = 1; n <= 3; n++) {
		atomic_store(&calls, 0);
		atomic_store(&allowed, n);
		CHECK_EQ(tuza_run(block_many, NULL), 1);
	}
	atomic_store(&allowed, 1 << 30);
	CHECK(refused > 0);
}
