// SPDX-License-Identifier: MIT
/*
 * What debuggers are shown (gdb_test.sh, lldb_test.sh): goroutines that wait for one of each, one
 * on another thread, some that have not begun; and it aborts, for a core file.
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tuza/tuza.h>

static tuza_chan *requests, *replies;
tuza_chan *nil; // not static: clang leaves out what is not used
static tuza_mutex mutex;
static tuza_rwmutex rwmutex;
static tuza_waitgroup group;
static tuza_semaphore semaphore;
static tuza_context *context;
static atomic_bool is_spinning;

// Names that the library has, too.
struct goroutine {
	char unlike_the_library;
} goroutine;
struct machine {
	short unlike_the_library;
} rt;

static void receive(int depth)
{
	int value = depth;

	if (depth > 0) {
		receive(depth - 1);
		value++;
	} else {
		tuza_recv(requests, &value);
	}
}
static void lock(void) { tuza_mutex_lock(&mutex); }
static void wait_for_group(void) { tuza_waitgroup_wait(&group); }
static void sleep_long(void)
{
	tuza_set_name("the sleeper");
	tuza_sleep(TUZA_HOUR);
}
static void choose(int marked_argument)
{
	volatile int v = marked_argument + 1;
	long got;

	TUZA_SELECT(TUZA_RECV(replies, &got), TUZA_AFTER(TUZA_HOUR));
	v++;
}
static void hold_on(void)
{
	tuza_blocking_begin();
	atomic_store(&is_spinning, true);
	for (;;)
		;
}
// Should a second processor be lent while gdb stops the threads, the first one keeps it.
static void start_later(int n)
{
	while (n >= 0)
		;
}

__attribute__((noinline)) void stop_here(void) { __asm__ volatile(""); }

// Waits until `n` goroutines are parked for the reasons that the test is about.
static void wait_parked(void)
{
	static const char *const reasons[] = {
		"[chan receive", "[sync.Mutex.Lock", "[sync.WaitGroup", "[sleep, name", "[select"};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]);) {
		char *text = NULL;
		size_t bytes;
		FILE *file = tmpfile();

		tuza_dump(fileno(file));
		rewind(file);
		if (getdelim(&text, &bytes, 0, file) > 0 && strstr(text, reasons[i]))
			i++;
		else
			tuza_sleep(TUZA_MILLISECOND);
		free(text);
		fclose(file);
	}
}

static int program(void *arg)
{
	int seven = 7;

	(void)arg;
	requests = tuza_chan_new(sizeof(int), 0);
	replies = tuza_chan_new(sizeof(long), 3);
	context = tuza_context_with_cancel(tuza_context_background());
	tuza_waitgroup_add(&group, seven - 5);
	tuza_semaphore_init(&semaphore, seven);
	tuza_rwmutex_rlock(&rwmutex);
	tuza_mutex_lock(&mutex);
	TUZA_GO(receive, 2);
	TUZA_GO(lock);
	TUZA_GO(wait_for_group);
	TUZA_GO(sleep_long);
	TUZA_GO(choose, 41);
	wait_parked();
	// After the dumps, which interrupt those who run: a debugger would find it in the handler.
	TUZA_GO(hold_on);
	while (!atomic_load(&is_spinning))
		tuza_yield();
	tuza_context_cancel(context);
	for (int i = 0; i < 8; i++)
		TUZA_GO(start_later, i);
	stop_here();
	abort();
}
int main(void) { return tuza_run(program, NULL); }
