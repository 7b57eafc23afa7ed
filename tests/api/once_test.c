// SPDX-License-Identifier: MIT
/*
 * Once. After Go's sync/once_test.go.
 */
#include "sync_support.h"

struct initialised {
	tuza_once once;
	int value; // plain: ordered by the once
	int calls; // the same
};

static void initialise(void *arg)
{
	struct initialised *o = arg;

	o->calls++;
	tuza_yield();
	o->value = 42;
}

static void use(void *arg)
{
	struct initialised *o = arg;

	tuza_once_do(&o->once, initialise, o);
	CHECK_EQ(o->value, 42);
}

static void *use_on_thread(void *arg)
{
	use(arg);
	return NULL;
}

// T5.4, M30.
TEST(function_is_called_once_and_all_callers_see_what_it_did)
{
	for (int round = 0; round < 100; round++) {
		struct initialised o = {0};
		pthread_t thread;

		pthread_create(&thread, NULL, use_on_thread, &o);
		run_goroutines(10, use, &o);
		tuza_blocking_begin();
		pthread_join(thread, NULL);
		tuza_blocking_end();
		CHECK_EQ(o.calls, 1);
	}
}

struct gate {
	tuza_once once;
	tuza_chan *go_on;
	atomic_int back;
};

static void pass_gate(void *arg) { tuza_recv(((struct gate *)arg)->go_on, NULL); }

static void use_gate(void *arg)
{
	struct gate *g = arg;

	tuza_once_do(&g->once, pass_gate, g);
	atomic_fetch_add(&g->back, 1);
}

// M30: nobody returns before the first call has ended.
TEST(callers_wait_until_the_first_call_has_ended)
{
	struct gate g = {.go_on = tuza_chan_new(0, 0)};

	for (int i = 0; i < 5; i++)
		TUZA_GO(use_gate, &g);
	CHECK(wait_parked("sync.Once.Do", 4));
	CHECK(wait_parked("chan receive", 1));
	CHECK_EQ(g.back, 0);
	tuza_chan_close(g.go_on);
	WAIT_UNTIL(atomic_load(&g.back) == 5);
	tuza_chan_release(g.go_on);
}

static void fail(void *arg)
{
	++*(int *)arg;
	tuza_panic("failed");
}

struct failing {
	tuza_once once;
	int calls;
};

static void do_fail(void *arg)
{
	struct failing *f = arg;
	tuza_once_do(&f->once, fail, &f->calls);
}

// T5.4, M30.
TEST(panic_counts_as_done)
{
	struct failing f = {0};

	CHECK_PANICS("failed", do_fail, &f);
	do_fail(&f);
	CHECK_EQ(f.calls, 1);
}

static void leave(void *arg)
{
	++*(int *)arg;
	tuza_goexit();
}

static void do_leave(void *arg)
{
	struct failing *f = arg;
	tuza_once_do(&f->once, leave, &f->calls);
}

// M30.
TEST(goexit_counts_as_done)
{
	struct failing f = {0};

	run_goroutines(3, do_leave, &f);
	CHECK_EQ(f.calls, 1);
}

static void do_itself(void *arg) { tuza_once_do(arg, do_itself, arg); }

// M30.
TEST(once_that_uses_itself_waits_for_ever)
{
	static tuza_once once; // static: it is waited on to the end

	CHECK(blocks(do_itself, &once));
}
