// SPDX-License-Identifier: MIT
/*
 * tuza_leak_scan and where memory lies: blocks that malloc maps one by one, and stacks between the
 * heaps of threads.
 */
#include "leak_scan_support.h"

#include <tuza/sync.h>

#include <malloc.h>
#include <pthread.h>

// ---- large blocks ------------------------------------------------------------------------------

// malloc maps them one by one.
struct large {
	char before[150 << 10];
	tuza_waitgroup wg;
	tuza_chan *c;
	char behind[180 << 10];
};

static void waits_in_large(void *arg)
{
	struct large *l = arg;

	tuza_waitgroup_wait(&l->wg);
	free(l);
}

static NOINLINE void leak_large(int i)
{
	struct large *l = calloc(1, sizeof(*l));

	hide(i, l);
	tuza_waitgroup_add(&l->wg, 1);
	tuza_go(waits_in_large, l);
	KEEP_FRAME();
}

// What calls before have left on the stack where those of a scan will have their frames.
static NOINLINE void wipe_stack(void)
{
	char bytes[32 << 10];

	memset(bytes, 0, sizeof(bytes));
	__asm__ volatile("" : : "r"(bytes) : "memory");
}

// An address one past the end of a block counts for it, which may be where the stack of a thread
// begins: not all are found.
TEST_ALONE(an_object_in_a_large_block_that_nobody_else_knows_is_leaked)
{
	for (int i = 0; i < 8; i++)
		leak_large(i);
	settle();
	wipe_stack();
	int found = scan();

	CHECK(found >= 0 && found <= 8);
#if defined(__x86_64__) // emulators put mappings elsewhere, and tell of them as they like
	if (sees_heap())
		CHECK(found >= 1);
#endif
	for (int i = 0; i < 8; i++)
		tuza_waitgroup_done(&((struct large *)shown(i))->wg);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}

// By its first byte, by one in its midst, and by that behind its last one.
TEST_ALONE(what_a_large_block_leads_to_is_known)
{
	static char *volatile known[3] __attribute__((used));

	for (int i = 0; i < 3; i++) {
		struct large *l = calloc(1, sizeof(*l));

		l->c = tuza_chan_new(0, 0);
		tuza_go(recvs, l->c);
		known[i] = i == 0   ? (char *)l
			   : i == 1 ? l->behind
				    : (char *)l + malloc_usable_size(l);
		hide(i, l);
	}
	CHECK_EQ(scan(), 0);
	for (int i = 0; i < 3; i++) {
		struct large *l = shown(i);

		known[i] = NULL;
		tuza_chan_close(l->c);
		free(l);
	}
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}

// ---- stacks beside the heaps of threads --------------------------------------------------------

static tuza_waitgroup *_Atomic on_stack;
static atomic_bool is_over;

static void waits_on_own_stack(void *unused)
{
	tuza_waitgroup wg = {0};

	(void)unused;
	tuza_waitgroup_add(&wg, 1);
	on_stack = &wg;
	tuza_waitgroup_wait(&wg);
}

static void sleeps_and_knows(void *wg)
{
	while (!atomic_load(&is_over))
		tuza_sleep(TUZA_MILLISECOND);
	tuza_waitgroup_done(wg);
}

static void *has_heap(void *unused)
{
	void *volatile block = malloc(100);

	(void)unused;
	while (!atomic_load(&is_over))
		usleep(1000);
	free(block);
	return NULL;
}

static NOINLINE void start_who_waits(void)
{
	tuza_go_options options = {.stack_bytes = 1 << 20}; // such stacks are there from now on

	CHECK_EQ(tuza_go_with(&options, waits_on_own_stack, NULL), 0);
	while (!on_stack)
		tuza_yield();
	tuza_go(sleeps_and_knows, on_stack);
	on_stack = NULL;
	KEEP_FRAME();
}

TEST_ALONE(an_object_on_a_stack_below_a_threads_heap_is_known)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, has_heap, NULL), 0);
	tuza_sleep(10 * TUZA_MILLISECOND);
	start_who_waits();
	CHECK_EQ(scan(), 0);
	atomic_store(&is_over, true);
	pthread_join(thread, NULL);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}
