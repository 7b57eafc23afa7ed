// SPDX-License-Identifier: MIT
/*
 * Timers: channels of timers, tuza_after, tuza_after_func. After Go's time/sleep_test.go and
 * time/tick_test.go.
 */
#include "../test.h"

#include <malloc.h>
#include <pthread.h>

#define MS TUZA_MILLISECOND

static bool recv_time(tuza_chan *c, int64_t *at) { return tuza_recv(c, at); }

// True when nothing can be received from c at present.
static bool is_empty(tuza_chan *c) { return tuza_chan_try_recv(c, NULL) == -EAGAIN; }

// A value arrives after d, not before; it is the time that was asked for.
TEST(timer_sends_the_due_time_once_the_duration_has_passed)
{
	for (int i = 0; i < 10; i++) {
		int64_t before = tuza_now(), at = 0;
		tuza_timer *t = tuza_timer_new(2 * MS);
		int64_t after = tuza_now();

		CHECK(recv_time(tuza_timer_chan(t), &at));
		CHECK(tuza_now() >= before + 2 * MS);
		CHECK(at >= before + 2 * MS && at <= after + 2 * MS);
		CHECK(is_empty(tuza_timer_chan(t)));
		tuza_timer_free(t);
	}
}

// Go issue 44868.
TEST(zero_and_negative_timers_fire_promptly)
{
	static const tuza_duration durations[] = {0, -1, INT64_MIN};

	for (int i = 0; i < 3000; i++) {
		tuza_timer *t = tuza_timer_new(durations[i % 3]);
		int64_t at;

		CHECK_EQ(TUZA_SELECT(
				 TUZA_RECV(tuza_timer_chan(t), &at), TUZA_AFTER(5 * TUZA_SECOND)),
			0);
		tuza_timer_free(t);
	}
}

// 2^63 - 1 ns is never, and other timers are not disturbed by it.
TEST(overflowing_durations_never_fire)
{
	tuza_timer *never = tuza_timer_new(INT64_MAX), *almost = tuza_timer_new(INT64_MAX - 1);
	tuza_timer *soon = tuza_timer_new(5 * MS);
	tuza_chan *after = tuza_after(INT64_MAX);
	int64_t at;

	CHECK_EQ(TUZA_SELECT(TUZA_RECV(tuza_timer_chan(never), &at),
			 TUZA_RECV(tuza_timer_chan(almost), &at), TUZA_RECV(after, &at),
			 TUZA_RECV(tuza_timer_chan(soon), &at)),
		3);
	CHECK(tuza_timer_reset(soon, INT64_MAX) == false);
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(tuza_timer_chan(soon), &at),
			 TUZA_RECV(tuza_timer_chan(never), &at), TUZA_AFTER(20 * MS)),
		2);
	CHECK(tuza_timer_stop(never));
	CHECK(tuza_timer_stop(soon));
	tuza_timer_free(never);
	tuza_timer_free(almost);
	tuza_timer_free(soon);
	tuza_chan_release(after);
}

// The channel behaves as if unbuffered, also while a value waits.
TEST(len_and_cap_of_timer_channels_are_zero)
{
	tuza_timer *t = tuza_timer_new(0);
	tuza_chan *c = tuza_timer_chan(t);
	int64_t at;

	for (int i = 0; i < 20; i++) {
		CHECK_EQ(tuza_chan_len(c), 0);
		CHECK_EQ(tuza_chan_cap(c), 0);
		tuza_sleep(100 * TUZA_MICROSECOND);
	}
	CHECK(recv_time(c, &at));
	tuza_timer_free(t);
}

// AfterTimes: however late it is received.
TEST(late_receiver_gets_the_due_time)
{
	int64_t before = tuza_now(), at;
	tuza_timer *t = tuza_timer_new(MS);
	tuza_chan *c = tuza_after(MS);
	int64_t after = tuza_now();

	tuza_sleep(30 * MS);
	CHECK(recv_time(tuza_timer_chan(t), &at));
	CHECK(at >= before + MS && at <= after + MS);
	CHECK(recv_time(c, &at));
	CHECK(at >= before + MS && at <= after + MS);
	tuza_timer_free(t);
	tuza_chan_release(c);
}

// Ten slots, in order.
struct slot {
	int n;
	tuza_duration d;
	tuza_chan *done;
};

static void wait_slot(struct slot *s)
{
	tuza_chan *c = tuza_after(s->d);

	tuza_recv(c, (int64_t *)NULL);
	tuza_chan_release(c);
	tuza_send(s->done, s->n);
}

static bool slots_are_in_order(void)
{
	static const int slots[] = {5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0};
	enum { N = sizeof(slots) / sizeof(slots[0]) };
	struct slot waits[N];
	tuza_chan *done = tuza_chan_new(sizeof(int), N);
	bool in_order = true;
	int last = -1, n = 0;

	for (int i = 0; i < N; i++) {
		waits[i] = (struct slot){slots[i], slots[i] * 20 * MS, done};
		TUZA_GO(wait_slot, &waits[i]);
	}
	for (int i = 0; i < N; i++, last = n) {
		CHECK(tuza_recv(done, &n));
		in_order &= n >= last;
	}
	tuza_chan_release(done);
	return in_order;
}

TEST(timers_fire_in_order_of_their_times)
{
	int attempts = 0;

	// As in Go: a busy machine may be late by more than a slot.
	while (!slots_are_in_order() && CHECK(++attempts < 50))
		;
}

// What stop and reset return in each state of a timer with a channel.
TEST(stop_and_reset_tell_whether_they_prevented_a_value)
{
	for (int reset = 0; reset < 2; reset++) {
#define STOP_OR_RESET(t) (reset ? tuza_timer_reset((t), TUZA_HOUR) : tuza_timer_stop(t))
		tuza_timer *t = tuza_timer_new(TUZA_HOUR);
		int64_t at;

		CHECK(STOP_OR_RESET(t));             // running
		CHECK_EQ(tuza_timer_stop(t), reset); // stopped, or running again
		CHECK(!STOP_OR_RESET(t));            // stopped
		CHECK_EQ(tuza_timer_reset(t, 0), reset);
		tuza_sleep(5 * MS);
		// Fired, but nobody has received the value.
		CHECK(STOP_OR_RESET(t));
		CHECK(is_empty(tuza_timer_chan(t))); // and now nobody can
		tuza_timer_reset(t, 0);
		CHECK(recv_time(tuza_timer_chan(t), &at));
		CHECK(!STOP_OR_RESET(t)); // fired and received
		tuza_timer_free(t);
#undef STOP_OR_RESET
	}
}

// A stopped timer never fires.
TEST(stopped_timer_sends_nothing)
{
	tuza_timer *stopped = tuza_timer_new(5 * MS);
	int64_t at;

	CHECK(tuza_timer_stop(stopped));
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(tuza_timer_chan(stopped), &at), TUZA_AFTER(30 * MS)), 1);
	CHECK(!tuza_timer_stop(stopped));
	tuza_timer_free(stopped);
}

static void recv_and_count(tuza_chan *c, atomic_int *n)
{
	int64_t at;

	if (tuza_recv(c, &at))
		atomic_fetch_add(n, 1);
}

static void select_and_count(tuza_chan *c, tuza_chan *quit, atomic_int *n)
{
	int64_t at;

	if (TUZA_SELECT(TUZA_RECV(c, &at), TUZA_RECV(quit, NULL)) == 0)
		atomic_fetch_add(n, 1);
}

// A receiver that waits is served when the time comes, also after stop and reset.
TEST(blocked_receiver_lives_through_stop_and_reset)
{
	tuza_timer *t = tuza_timer_new(TUZA_HOUR);
	atomic_int n = 0;

	TUZA_GO(recv_and_count, tuza_timer_chan(t), &n);
	wait_parked("chan receive", 1);
	CHECK(tuza_timer_stop(t));
	CHECK(!tuza_timer_reset(t, TUZA_HOUR));
	CHECK(tuza_timer_reset(t, TUZA_HOUR));
	CHECK_EQ(n, 0);
	CHECK(tuza_timer_reset(t, MS));
	WAIT_UNTIL(n == 1);
	CHECK(!tuza_timer_stop(t)); // it was received
	tuza_timer_free(t);
}

// Two selects on one timer: one of them gets the value.
TEST(one_of_two_selecting_receivers_is_served)
{
	tuza_timer *t = tuza_timer_new(TUZA_HOUR);
	tuza_chan *quit = tuza_chan_new(0, 0);

	for (int turn = 1; turn <= 20; turn++) {
		atomic_int n = 0;

		TUZA_GO(select_and_count, tuza_timer_chan(t), quit, &n);
		TUZA_GO(select_and_count, tuza_timer_chan(t), quit, &n);
		if (turn % 2)
			wait_parked("select", 2);
		tuza_timer_reset(t, turn % 2 * MS);
		WAIT_UNTIL(n == 1);
		CHECK(is_empty(tuza_timer_chan(t)));
		tuza_chan_send(quit, NULL);
		WAIT_UNTIL(tuza_num_goroutine() == 1); // the channels are borrowed
		CHECK_EQ(n, 1);
	}
	tuza_chan_release(quit);
	tuza_timer_free(t);
}

// Two timers that fire at about the same time: whatever the instant, nothing is lost and
// nothing is stale.
static void race_two_timers(bool reset, atomic_int *done)
{
	for (int i = 0; i < 50; i++) {
		tuza_timer *t[2] = {tuza_timer_new(MS), tuza_timer_new(MS)};
		int64_t at = 0;
		int other = TUZA_SELECT(TUZA_RECV(tuza_timer_chan(t[0]), &at),
				    TUZA_RECV(tuza_timer_chan(t[1]), &at)) ^
			    1;

		// It has not been received, so this prevents it.
		CHECK(reset ? tuza_timer_reset(t[other], TUZA_HOUR) : tuza_timer_stop(t[other]));
		CHECK(is_empty(tuza_timer_chan(t[other])));
		CHECK(is_empty(tuza_timer_chan(t[other ^ 1])));
		tuza_timer_free(t[0]);
		tuza_timer_free(t[1]);
	}
	atomic_fetch_add(done, 1);
}

TEST(nothing_stale_is_received_after_stop_and_reset)
{
	enum { N = 200 };
	atomic_int done = 0;

	for (int i = 0; i < N; i++)
		TUZA_GO(race_two_timers, i % 2 == 1, &done);
	WAIT_UNTIL(done == N);
}

// Stop beside fire.
TEST(each_timer_is_received_or_stopped)
{
	atomic_int received = 0;
	int stopped = 0;
	enum { N = 2000 };

	for (int i = 0; i < N; i++) {
		tuza_timer *t = tuza_timer_new(i % 30 * TUZA_MICROSECOND);
		int64_t until = tuza_now() + i % 37 * TUZA_MICROSECOND;

		if (i % 5 == 0)
			tuza_yield();
		while (tuza_now() < until)
			;
		if (tuza_timer_stop(t))
			stopped++;
		else if (recv_time(tuza_timer_chan(t), &until)) // would wait for ever, if stop lied
			received++;
		CHECK(is_empty(tuza_timer_chan(t)));
		tuza_timer_free(t);
	}
	CHECK_EQ(stopped, N); // nobody else receives
	CHECK_EQ(received, 0);
}

// Go issue 47329: a timer that keeps being put off and called back is not lost.
TEST(timer_that_moves_fires_at_its_last_time)
{
	tuza_timer *t = tuza_timer_new(TUZA_HOUR);
	int64_t at;

	for (int i = 0; i < 2000; i++) {
		int64_t before = tuza_now();

		CHECK(tuza_timer_reset(t, 10 * TUZA_HOUR) || i > 0);
		CHECK(tuza_timer_reset(t, TUZA_HOUR));
		CHECK(tuza_timer_reset(t, 20 * TUZA_MICROSECOND));
		CHECK_EQ(TUZA_SELECT(
				 TUZA_RECV(tuza_timer_chan(t), &at), TUZA_AFTER(5 * TUZA_SECOND)),
			0);
		CHECK(at - before >= 20 * TUZA_MICROSECOND);
	}
	tuza_timer_free(t);
}

// Go issue 47762: many timers at random places, moved about, all fire.
TEST(adjusting_many_timers_loses_none)
{
	enum { N = 300 };
	static tuza_timer *t[N];
	int64_t at;

	for (int i = 0; i < N; i++)
		t[i] = tuza_timer_new((i * 37 % N) * MS + TUZA_SECOND);
	for (int i = 0; i < N; i++)
		CHECK(tuza_timer_reset(t[i], (i * 53 % N) * 100 * TUZA_MICROSECOND));
	for (int i = 0; i < N; i++) {
		CHECK(recv_time(tuza_timer_chan(t[i]), &at));
		tuza_timer_free(t[i]);
	}
}

// The channel is counted: the timer's reference is one, the program's another.
TEST(retained_channel_outlives_its_timer)
{
	tuza_timer *running, *fired = tuza_timer_new(0);
	tuza_chan *a = NULL, *b = tuza_chan_retain(tuza_timer_chan(fired));
	int64_t at, due;

	do { // until the machine lets us be in time
		if (a)
			tuza_chan_release(a);
		due = tuza_now() + 20 * MS;
		running = tuza_timer_new(20 * MS);
		a = tuza_chan_retain(tuza_timer_chan(running));
		tuza_timer_free(running); // stops it
	} while (tuza_now() >= due);
	tuza_sleep(30 * MS);
	tuza_timer_free(fired);
	CHECK_EQ(tuza_chan_try_recv(a, &at), -EAGAIN);
	CHECK_EQ(tuza_chan_try_recv(b, &at), 0); // was there already
	tuza_chan_release(a);
	tuza_chan_release(b);
}

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

static void count(void *n) { atomic_fetch_add((atomic_int *)n, 1); }

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

// Stop and free do not wait for the call; reset lets two overlap.
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

// Go: TestAfterFuncStarvation: two goroutines that hand a value to and fro do not keep timers
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

static void *use_timers(void *finished)
{
	atomic_int n = 0;
	int64_t before = tuza_now(), at;
	tuza_timer *t = tuza_timer_new(MS);

	CHECK(recv_time(tuza_timer_chan(t), &at));
	CHECK(at >= before + MS);
	CHECK(!tuza_timer_reset(t, TUZA_HOUR));
	CHECK(tuza_timer_stop(t));
	tuza_timer_free(t);
	t = tuza_after_func(0, count, &n);
	WAIT_UNTIL(n == 1);
	tuza_timer_free(t);
	count(finished);
	return NULL;
}

// A plain thread may use timers, and start the runtime by it.
TEST_PLAIN(timers_work_on_plain_threads)
{
	atomic_int finished = 0;
	pthread_t threads[4];

	use_timers(&finished);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, use_timers, &finished), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(finished, 5);
}

static tuza_timer *kept[4];
static tuza_ticker *kept_ticker;
static atomic_int kept_calls;

static int begin_kept(void *arg)
{
	(void)arg;
	kept[0] = tuza_timer_new(TUZA_HOUR);
	kept[1] = tuza_timer_new(0);
	kept[2] = tuza_after_func(TUZA_HOUR, count, &kept_calls);
	kept[3] = tuza_timer_new(5 * MS);
	kept_ticker = tuza_ticker_new(5 * MS);
	tuza_sleep(2 * MS);
	return 0;
}

static int use_kept(void *arg)
{
	int64_t at;

	(void)arg;
	for (int i = 0; i < 2; i++)
		CHECK(recv_time(tuza_ticker_chan(kept_ticker), &at));
	CHECK(recv_time(tuza_timer_chan(kept[3]), &at));
	CHECK(tuza_timer_stop(kept[0]));
	CHECK(!tuza_timer_stop(kept[2])); // the end of the run has
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(tuza_timer_reset(kept[i], MS), i); // the value of kept[1] waited
		CHECK(recv_time(tuza_timer_chan(kept[i]), &at));
	}
	CHECK(!tuza_timer_reset(kept[2], 0));
	WAIT_UNTIL(kept_calls == 1);
	CHECK(!tuza_timer_reset(kept[0], TUZA_HOUR));
	return 0;
}

// Those with channels go on in the next run; calls are dropped, as goroutines are.
TEST_PLAIN(timers_outlive_their_run)
{
	CHECK_EQ(tuza_run(begin_kept, NULL), 0);
	CHECK_EQ(tuza_run(use_kept, NULL), 0);
	tuza_ticker_free(kept_ticker);
	for (int i = 0; i < 4; i++)
		tuza_timer_free(kept[i]);
}

static int end_at_once(void *arg)
{
	(void)arg;
	return 0;
}

static void *wait_for_timers(void *timer)
{
	tuza_chan *never = tuza_chan_new(0, 0);

	CHECK_EQ(TUZA_SELECT(TUZA_RECV(never, NULL), TUZA_AFTER(30 * MS)), 1);
	CHECK(tuza_recv(tuza_timer_chan(timer), &(int64_t){0}));
	tuza_chan_release(never);
	return NULL;
}

// A plain thread's wait ends when its time is up, whatever runs begin and end meanwhile.
TEST_PLAIN(plain_threads_wait_for_timers_across_runs)
{
	tuza_timer *timer = tuza_timer_new(60 * MS);
	pthread_t threads[3];

	CHECK_EQ(tuza_run(end_at_once, NULL), 0);
	for (int i = 0; i < 3; i++) {
		tuza_timer *t = i == 0 ? timer : tuza_timer_new(45 * MS + i);
		CHECK_EQ(pthread_create(&threads[i], NULL, wait_for_timers, t), 0);
		usleep(1000 * i);
		CHECK_EQ(tuza_run(end_at_once, NULL), 0);
		if (i != 0)
			kept[i] = t;
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (int i = 1; i < 3; i++)
		tuza_timer_free(kept[i]);
	tuza_timer_free(timer);
	WAIT_UNTIL(tuza_shutdown() == 0);
}

static void stop_null(void *arg) { tuza_timer_stop(arg); }
static void reset_null(void *arg) { tuza_timer_reset(arg, 1); }

TEST(null_timers_panic)
{
	CHECK_PANICS("time: Stop called on uninitialized Timer", stop_null, NULL);
	CHECK_PANICS("time: Reset called on uninitialized Timer", reset_null, NULL);
	tuza_timer_free(NULL);
}

// A chain whose links free their predecessors.
TEST(after_func_may_free_its_own_timer)
{
	struct chain c = {.left = 10};

	c.timer = tuza_after_func(TUZA_HOUR, chain_link, &c);
	CHECK(tuza_timer_reset(c.timer, MS));
	WAIT_UNTIL(c.done);
	tuza_timer_free(c.timer);
}
