// SPDX-License-Identifier: MIT
/*
 * No more threads: processors stay idle, everything still gets done. Checklist 43 (pthread_create
 * EAGAIN ignored: silent hang).
 *
 * The program's own pthread_create stands before the C library's and fails from the n-th call on;
 * its sigaltstack, with which each thread of the runtime begins, fails as often as told.
 */
#include "../test.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <tuza/sync.h>

static atomic_int calls, refused;
static atomic_int allowed = 1 << 30;

static atomic_int refused_first; // so many of the calls
static atomic_bool returns_late; // when the new thread has ended

static int threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	int n = -2; // . and ..

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

int pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *), void *arg)
{
	static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (!real)
		*(void **)(void *)&real = dlsym(RTLD_NEXT, "pthread_create");
	int call = atomic_fetch_add(&calls, 1);
	if (call >= atomic_load(&allowed) || call < atomic_load(&refused_first)) {
		atomic_fetch_add(&refused, 1);
		return EAGAIN;
	}
	int error = real(thread, attributes, fn, arg);
	while (error == 0 && atomic_load(&returns_late) && threads() > 1)
		usleep(100);
	return error;
}

static atomic_int stacks_fail;   // so many more
static atomic_int failing;       // threads whose stack fails
static atomic_int fail_together; // they wait until so many do, and no other thread is there

int sigaltstack(const stack_t *new, stack_t *old)
{
	static int (*real)(const stack_t *, stack_t *);

	if (!real)
		*(void **)(void *)&real = dlsym(RTLD_NEXT, "sigaltstack");
	int left = atomic_load(&stacks_fail);
	while (left > 0 && !atomic_compare_exchange_weak(&stacks_fail, &left, left - 1))
		;
	if (left <= 0)
		return real(new, old);
	atomic_fetch_add(&failing, 1);
	while (atomic_load(&fail_together) != 0) {
		usleep(100);
		// There is also the one that called tuza_run. Who fails may be gone in a moment.
		if (atomic_load(&failing) == fail_together && threads() == 1 + fail_together)
			atomic_store(&fail_together, 0);
	}
	errno = ENOMEM;
	return -1;
}

// ---- the first thread ------------------------------------------------------------------------

static int end_at_once(void *unused)
{
	(void)unused;
	return 0;
}

// The others' parent has run nothing yet, so the child may.
TEST_PLAIN(a_program_without_any_thread_is_told)
{
	for (int is_stack = 0; is_stack < 2; is_stack++) {
		int fd = memfd_create("errors", MFD_CLOEXEC), status = 0;
		char text[256] = "";

		fflush(stdout);
		pid_t child = fork();
		if (child == 0) {
			dup2(fd, 2);
			atomic_store(&stacks_fail, is_stack ? 1 : 0);
			atomic_store(&allowed, is_stack ? 1 << 30 : 0);
			_exit(tuza_run(end_at_once, NULL));
		}
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 2);
		CHECK(pread(fd, text, sizeof text - 1, 0) > 0);
		CHECK_CONTAINS(
			text, is_stack ? "cannot set a signal stack" : "cannot start a thread");
		close(fd);
	}
}

// Its thread begins and ends before the caller of pthread_create goes on.
TEST_PLAIN(a_program_may_be_over_before_its_thread_is_known_to_have_started)
{
	const char *set = getenv("TUZA_MAXPROCS");
	char *before = set ? strdup(set) : NULL;

	setenv("TUZA_MAXPROCS", "1", 1); // nobody else is started
	atomic_store(&returns_late, true);
	for (int n = 0; n <= 1; n++) {
		atomic_store(&calls, 0);
		atomic_store(&refused_first, n);
		CHECK_EQ(tuza_run(end_at_once, NULL), 0);
		CHECK_EQ(atomic_load(&calls), n + 1);
	}
	atomic_store(&refused_first, 0);
	atomic_store(&returns_late, false);
	if (before)
		setenv("TUZA_MAXPROCS", before, 1);
	else
		unsetenv("TUZA_MAXPROCS");
	free(before);
}

// ---- further ones ----------------------------------------------------------------------------

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

// ---- nobody runs -----------------------------------------------------------------------------

static int errors; // what was written to descriptor 2
static atomic_int others_ran;

// Threads can be had again once somebody was told.
static void allow_when_told(int sig)
{
	(void)sig;
	if (lseek(errors, 0, SEEK_END) > 0)
		atomic_store(&allowed, 1 << 30);
}

static void take_thread_along(void *unused)
{
	(void)unused;
	tuza_lock_os_thread();
	tuza_waitgroup_done(&group);
}

static int lose_only_thread(void *unused)
{
	(void)unused;
	for (int i = 0; i < 2; i++) {
		atomic_store(&allowed, 0);
		tuza_waitgroup_add(&group, 1);
		tuza_go(take_thread_along, NULL);
		tuza_waitgroup_wait(&group);
	}
	return many(NULL);
}

static void let_it_end(void *unused)
{
	(void)unused;
	tuza_waitgroup_done(&group);
	atomic_store(&others_ran, 1);
}

static int compute_until_others_run(void *unused)
{
	(void)unused;
	atomic_store(&others_ran, 0);
	tuza_waitgroup_add(&group, 1);
	tuza_go(let_it_end, NULL);
	while (!atomic_load(&others_ran)) // never enters the library
		;
	tuza_waitgroup_wait(&group);
	return 0;
}

// Runs it with one thread, until somebody was told.
static int run_with_one_thread(int (*fn)(void *))
{
	struct sigaction handler = {.sa_handler = allow_when_told}, before;
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
	struct itimerspec often = {{0, 10000000}, {0, 10000000}};
	char text[1024] = "";
	timer_t timer;

	errors = memfd_create("errors", MFD_CLOEXEC);
	int own = dup(2);
	dup2(errors, 2);
	sigaction(SIGUSR2, &handler, &before);
	CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	atomic_store(&calls, 0);
	atomic_store(&allowed, 1);
	timer_settime(timer, 0, &often, NULL);
	int result = tuza_run(fn, NULL);
	timer_delete(timer);
	sigaction(SIGUSR2, &before, NULL);
	dup2(own, 2);
	close(own);
	atomic_store(&allowed, 1 << 30);
	CHECK(pread(errors, text, sizeof text - 1, 0) > 0);
	close(errors);
	const char *told = strstr(text, "no thread to run them can be started: raise the limit");
	if (CHECK(told != NULL))
		CHECK(strchr(told, '\n')[1] == '\0'); // once
	return result;
}

// A goroutine that ends while it is tied to its thread takes the thread with it.
TEST_PLAIN(goroutines_go_on_when_a_thread_can_be_had_again_and_the_program_is_told_before)
{
	CHECK_EQ(run_with_one_thread(lose_only_thread), 999 * 1000 / 2);
}

TEST_PLAIN(the_program_is_told_when_one_computes_and_no_thread_can_be_had_for_others)
{
	CHECK_EQ(run_with_one_thread(compute_until_others_run), 0);
}

static void leave_two_without_stacks(void *unused)
{
	(void)unused;
	tuza_lock_os_thread();
	atomic_store(&fail_together, 2);
	atomic_store(&failing, 0);
	atomic_store(&stacks_fail, 2);
	atomic_store(&allowed, 1 << 30);
	tuza_waitgroup_done(&group); // whoever waits can run: a second thread is started
	while (atomic_load(&failing) == 0)
		usleep(100);
} // a third one, since this one ends

static int lose_all_threads(void *unused)
{
	(void)unused;
	tuza_gomaxprocs(4);
	tuza_waitgroup_add(&group, 1);
	tuza_go(leave_two_without_stacks, NULL);
	tuza_waitgroup_wait(&group);
	return many(NULL);
}

// Each leaves it to the other.
TEST_PLAIN(goroutines_go_on_when_two_threads_at_a_time_find_no_memory)
{
	atomic_store(&calls, 0);
	atomic_store(&allowed, 1);
	CHECK_EQ(tuza_run(lose_all_threads, NULL), 999 * 1000 / 2);
	CHECK_EQ(failing, 2);
	CHECK_EQ(stacks_fail, 0);
	atomic_store(&allowed, 1 << 30);
}
