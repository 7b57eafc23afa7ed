// SPDX-License-Identifier: MIT
/*
 * tuza_after, and tuza_after_func. After Go's time/sleep_test.go and time/tick_test.go.
 */
#include "timer_support.h"

#include <malloc.h>

static void after_and_forget(void)
{
	for (int i = 0; i < 10000; i++)
		tuza_chan_release(tuza_after(TUZA_HOUR));
}

// TestTimerGC: releasing its channel stops an "after", there and then.
TEST(released_after_keeps_no_memory)
{
	after_and_forget();
	size_t before = mallinfo2().uordblks;
	after_and_forget();
	CHECK(mallinfo2().uordblks <= before + 10000);
}

TEST(after_sends_once)
{
	for (int i = 0; i < 100; i++) {
		int64_t before = tuza_now(), at = 0;
		tuza_chan *c = tuza_after(i * TUZA_MICROSECOND);

		CHECK(recv_time(c, &at));
		CHECK(at >= before + i * TUZA_MICROSECOND);
		CHECK(tuza_now() >= at);
		CHECK(is_empty(c));
		tuza_chan_release(c);
	}
}

// Released just when it fires.
TEST(after_may_be_released_at_any_time)
{
	for (int i = 0; i < 5000; i++) {
		tuza_chan *c = tuza_after(i % 40 * TUZA_MICROSECOND);
		int64_t until = tuza_now() + i % 41 * TUZA_MICROSECOND;

		while (tuza_now() < until)
			;
		if (i % 7 == 0)
			tuza_yield();
		tuza_chan_release(c);
	}
}

// Z1, Z4.
TEST(after_func_calls_in_a_goroutine_of_its_own)
{
	atomic_int n = 0;
	int64_t before = tuza_now();
	tuza_timer *t = tuza_after_func(5 * MS, count, &n);

	CHECK(tuza_timer_chan(t) == NULL);
	CHECK(n == 0 || tuza_now() >= before + 5 * MS);
	WAIT_UNTIL(n == 1);
	CHECK(tuza_now() >= before + 5 * MS);
	CHECK(!tuza_timer_stop(t));
	CHECK(!tuza_timer_reset(t, 0));
	WAIT_UNTIL(n == 2);
	CHECK(!tuza_timer_reset(t, TUZA_HOUR));
	CHECK(tuza_timer_reset(t, TUZA_HOUR));
	CHECK(tuza_timer_stop(t));
	tuza_timer_free(t);
	tuza_sleep(5 * MS);
	CHECK_EQ(n, 2);
}

struct chain {
	int left;
	atomic_int done;
	tuza_timer *timer;
};

// The timer of a link is freed by the call that it made, the next link started by it.
static void chain_link(void *arg)
{
	struct chain *c = arg;

	if (--c->left == 0) {
		atomic_store(&c->done, 1);
		return;
	}
	tuza_timer *next = tuza_after_func(TUZA_HOUR, chain_link, c);
	tuza_timer_free(c->timer);
	c->timer = next;
	tuza_timer_reset(next, 0); // from here on all is the next link's
}

// A chain of calls; here each is made from the one before.
static void chain_step(void *arg)
{
	struct chain *c = arg;

	if (--c->left > 0)
		CHECK(!tuza_timer_reset(c->timer, 0));
	else
		atomic_store(&c->done, 1);
}

TEST(after_func_may_reset_its_own_timer)
{
	struct chain c = {.left = 100};

	c.timer = tuza_after_func(TUZA_HOUR, chain_step, &c);
	CHECK(tuza_timer_reset(c.timer, 0));
	WAIT_UNTIL(c.done);
	tuza_timer_free(c.timer);
}

static tuza_chan *call_goes_on;

static void call_slowly(void *n)
{
	atomic_fetch_add((atomic_int *)n, 1);
	tuza_recv(call_goes_on, (int *)NULL);
}

// Z4: stop and free do not wait for the call; reset lets two overlap.
TEST(calls_may_overlap_and_outlive_their_timer)
{
	atomic_int n = 0;

	call_goes_on = tuza_chan_new(sizeof(int), 0);
	tuza_timer *t = tuza_after_func(0, call_slowly, &n);
	WAIT_UNTIL(n == 1);
	CHECK(!tuza_timer_reset(t, 0));
	WAIT_UNTIL(n == 2);
	CHECK(!tuza_timer_stop(t));
	tuza_timer_free(t);
	wait_parked("chan receive", 2);
	tuza_send(call_goes_on, 1);
	tuza_send(call_goes_on, 1);
	tuza_chan_release(call_goes_on);
}

// The goroutine about to start knows nothing of the timer.
TEST(after_func_may_be_freed_at_any_time)
{
	atomic_int n = 0;
	int prevented = 0;
	enum { N = 3000 };

	for (int i = 0; i < N; i++) {
		tuza_timer *t = tuza_after_func(i % 30 * TUZA_MICROSECOND, count, &n);
		int64_t until = tuza_now() + i % 31 * TUZA_MICROSECOND;

		while (tuza_now() < until)
			;
		if (i % 3)
			prevented += tuza_timer_stop(t);
		else if (!tuza_timer_reset(t, TUZA_HOUR))
			prevented += tuza_timer_stop(t) - 1; // one was called, this one was not
		else
			prevented += tuza_timer_stop(t);
		tuza_timer_free(t);
		if (i % 10 == 0)
			tuza_yield();
	}
	WAIT_UNTIL(n + prevented >= N - N / 3);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	CHECK(n <= N);
}

static void keep_each_other_busy(tuza_chan *in, tuza_chan *out, atomic_int *stop)
{
	int v;

	while (tuza_recv(in, &v) && !atomic_load(stop))
		tuza_send(out, v);
	tuza_chan_close(out);
}

// T8.1, Go: TestAfterFuncStarvation: two goroutines that hand a value to and fro do not keep timers
// from firing.
TEST(busy_goroutines_do_not_starve_timers)
{
	tuza_chan *a = tuza_chan_new(sizeof(int), 1), *b = tuza_chan_new(sizeof(int), 1);
	atomic_int stop = 0, n = 0;
	int processors = tuza_gomaxprocs(1);

	TUZA_GO(keep_each_other_busy, a, b, &stop);
	TUZA_GO(keep_each_other_busy, b, a, &stop);
	tuza_send(a, 1);
	tuza_timer *t = tuza_after_func(TUZA_MICROSECOND, count, &n);
	WAIT_UNTIL(n == 1);
	atomic_store(&stop, 1);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_timer_free(t);
	tuza_gomaxprocs(processors);
	tuza_chan_release(a);
	tuza_chan_release(b);
}

// T8.1: a chain whose links free their predecessors.
TEST(after_func_may_free_its_own_timer)
{
	struct chain c = {.left = 10};

	c.timer = tuza_after_func(TUZA_HOUR, chain_link, &c);
	CHECK(tuza_timer_reset(c.timer, MS));
	WAIT_UNTIL(c.done);
	tuza_timer_free(c.timer);
}
