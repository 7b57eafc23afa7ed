// SPDX-License-Identifier: MIT
/*
 * tuza_leak_scan, and above all who is not found: who waits for what somebody may still reach.
 */
#include "leak_scan_support.h"

#include <tuza/context.h>
#include <tuza/sync.h>

#include <pthread.h>

static tuza_chan *_Atomic global;

TEST_ALONE(a_channel_in_a_global_variable_is_known)
{
	global = tuza_chan_new(0, 0);
	tuza_go(recvs, global);
	CHECK_EQ(scan(), 0);
	tuza_chan_close(global);
	global = NULL;
}

struct node {
	struct node *next;
	tuza_chan *c;
};
static struct node *volatile list;

TEST_ALONE(a_channel_at_the_end_of_a_list_is_known)
{
	for (int i = 0; i < 100; i++) {
		struct node *n = malloc(sizeof(*n));

		*n = (struct node){list, i ? NULL : tuza_chan_new(0, 0)};
		if (i == 0)
			tuza_go(recvs, n->c);
		list = n;
	}
	CHECK_EQ(scan(), 0);
	for (struct node *n = list, *next; n; n = next) {
		next = n->next;
		if (n->c)
			tuza_chan_close(n->c);
		free(n);
	}
	list = NULL;
}

TEST_ALONE(a_channel_in_the_callers_frame_is_known)
{
	tuza_chan *volatile c = tuza_chan_new(0, 0);

	tuza_go(recvs, c);
	CHECK_EQ(scan(), 0);
	tuza_chan_close(c);
}

static void passes_on(void *arg)
{
	tuza_chan **both = arg;

	tuza_chan_recv(both[0], NULL);
	tuza_chan_close(both[1]);
	tuza_chan_release(both[0]);
	free(both);
}

TEST_ALONE(a_channel_is_known_if_one_who_can_be_woken_knows_it)
{
	tuza_chan **both = malloc(2 * sizeof(*both));
	tuza_chan *first = both[0] = tuza_chan_new(0, 0);

	both[1] = tuza_chan_new(0, 0);
	global = first;
	tuza_go(recvs, both[1]);
	tuza_go(passes_on, both);
	both = NULL;
	CHECK_EQ(scan(), 0);
	tuza_chan_close(first);
	global = NULL;
}

static void closes(void *c) { tuza_chan_close(c); }

TEST_ALONE(a_channel_that_a_timer_will_close_is_known)
{
	tuza_chan *c = tuza_chan_new(0, 0);
	tuza_timer *t = tuza_after_func(TUZA_HOUR, closes, c);

	tuza_go(recvs, c);
	hide(0, c);
	c = NULL;
	CHECK_EQ(scan(), 0);
	tuza_timer_stop(t);
	tuza_timer_free(t);
	let_go(0);
}

static void sleeps_and_closes(void *c)
{
	while (!global)
		tuza_sleep(TUZA_MILLISECOND);
	global = NULL;
	tuza_chan_close(c);
}

TEST_ALONE(a_channel_that_a_sleeper_knows_is_known)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	global = NULL;
	tuza_go(recvs, c);
	tuza_go(sleeps_and_closes, c);
	hide(0, c);
	c = NULL;
	CHECK_EQ(scan(), 0);
	global = shown(0);
	WAIT_UNTIL(!global);
}

TEST_ALONE(a_channel_in_a_full_buffer_is_known_by_who_knows_the_buffer)
{
	tuza_chan *volatile outer = tuza_chan_new(sizeof(tuza_chan *), 3);
	tuza_chan *inner = tuza_chan_new(0, 0);

	tuza_go(recvs, inner);
	tuza_chan_send(outer, &inner);
	inner = NULL;
	CHECK_EQ(scan(), 0);
	tuza_chan_recv(outer, &inner);
	tuza_chan_close(inner);
	tuza_chan_release(outer);
}

TEST_ALONE(a_deadline_is_known_to_the_timers)
{
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), TUZA_HOUR);

	tuza_go(waits_for_end, tuza_context_retain(ctx));
	hide(0, ctx);
	ctx = NULL;
	CHECK_EQ(scan(), 0);
	tuza_context_free(shown(0));
}

static void locks_with(void *arg)
{
	void **both = arg;

	if (tuza_mutex_lock_ctx(both[0], both[1]) == 0)
		tuza_mutex_unlock(both[0]);
	tuza_context_release(both[1]);
	free(both[0]);
	free(both);
}

TEST_ALONE(a_lock_with_a_context_that_can_be_cancelled_is_no_leak)
{
	tuza_context *volatile ctx = tuza_context_with_cancel(tuza_context_background());
	void **both = malloc(2 * sizeof(*both));

	both[0] = calloc(1, sizeof(tuza_mutex));
	both[1] = tuza_context_retain(ctx);
	tuza_mutex_lock(both[0]);
	tuza_go(locks_with, both);
	both = NULL;
	CHECK_EQ(scan(), 0);
	tuza_context_free(ctx);
}

static __thread tuza_chan *of_thread;
static atomic_int step;

static void *knows_by_thread_local(void *c)
{
	of_thread = c;
	c = NULL;
	atomic_store(&step, 1);
	while (atomic_load(&step) != 2)
		usleep(1000);
	tuza_chan_close(of_thread);
	return NULL;
}

static void *knows_by_stack(void *arg)
{
	tuza_chan *volatile c = arg;

	arg = NULL;
	atomic_store(&step, 1);
	while (atomic_load(&step) != 2)
		usleep(1000);
	tuza_chan_close(c);
	return NULL;
}

static void *knows_by_register(void *c)
{
	atomic_store(&step, 1);
	while (atomic_load(&step) != 2)
		__asm__ volatile("" : "+r"(c)::"memory");
	tuza_chan_close(c);
	return NULL;
}

static void *knows_deafly(void *arg)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	return knows_by_stack(arg);
}

static void known_to_thread(void *(*fn)(void *))
{
	tuza_chan *c = tuza_chan_new(0, 0);
	pthread_t thread;

	atomic_store(&step, 0);
	tuza_go(recvs, c);
	pthread_create(&thread, NULL, fn, c);
	c = NULL;
	while (atomic_load(&step) != 1)
		tuza_sleep(TUZA_MILLISECOND);
	CHECK_EQ(scan(), 0);
	atomic_store(&step, 2);
	pthread_join(thread, NULL);
}

TEST_ALONE(a_channel_in_a_threads_stack_is_known) { known_to_thread(knows_by_stack); }
TEST_ALONE(a_channel_in_a_thread_local_variable_is_known)
{
	known_to_thread(knows_by_thread_local);
}
TEST_ALONE(a_channel_in_a_threads_register_is_known) { known_to_thread(knows_by_register); }
TEST_ALONE(a_channel_in_the_stack_of_a_thread_that_blocks_signals_is_known)
{
	known_to_thread(knows_deafly);
}

static tuza_local *local;

static void has_local(void *c)
{
	tuza_local_set(local, c);
	c = NULL;
	while (!global)
		tuza_sleep(TUZA_MILLISECOND);
	global = NULL;
	tuza_chan_close(tuza_local_get(local));
}

TEST_ALONE(a_channel_in_a_goroutines_local_value_is_known)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	global = NULL;
	if (!local)
		local = tuza_local_new(NULL);
	tuza_go(recvs, c);
	tuza_go(has_local, c);
	hide(0, c);
	c = NULL;
	CHECK_EQ(scan(), 0);
	global = shown(0);
	WAIT_UNTIL(!global);
}
