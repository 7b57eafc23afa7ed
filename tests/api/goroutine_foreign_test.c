// SPDX-License-Identifier: MIT
/*
 * Plain OS threads among goroutines: they start them, meet them in channels and selects, and block
 * as threads.
 */
#include "../test.h"

#include <pthread.h>

enum { THREADS = 8 };

static pthread_t start_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, arg) != 0)
		abort();
	return thread;
}

static void echo(tuza_chan *in, tuza_chan *out)
{
	int v;

	while (tuza_recv(in, &v))
		tuza_send(out, v + 1);
	tuza_chan_close(out);
}

// The runtime starts by itself; goroutines that live keep it, then tuza_shutdown ends it. Again and
// again.
TEST_PLAIN(runtime_starts_by_itself_and_is_shut_down_when_idle)
{
	CHECK_EQ(tuza_shutdown(), 0);
	for (int i = 0; i < 10; i++) {
		tuza_chan *in = tuza_chan_new(sizeof(int), 0), *out = tuza_chan_new(sizeof(int), 0);
		int v = 0;

		TUZA_GO(echo, in, out);
		CHECK_EQ(tuza_shutdown(), -EBUSY);
		tuza_send(in, 41);
		CHECK(tuza_recv(out, &v));
		CHECK_EQ(v, 42);
		CHECK_EQ(tuza_num_goroutine(), 1);
		CHECK_EQ(tuza_shutdown(), -EBUSY);
		tuza_chan_close(in);
		CHECK(!tuza_recv(out, &v));
		WAIT_UNTIL(tuza_num_goroutine() == 0);
		CHECK_EQ(tuza_shutdown(), 0);
		CHECK_EQ(tuza_shutdown(), 0);
		tuza_chan_release(in);
		tuza_chan_release(out);
	}
}

// Checklist 3: a wake-up from outside is never lost, though the runtime falls asleep after each.
TEST_PLAIN(thread_and_goroutine_wake_each_other_many_times)
{
	for (size_t cap = 0; cap < 2; cap++) {
		tuza_chan *in = tuza_chan_new(sizeof(int), cap);
		tuza_chan *out = tuza_chan_new(sizeof(int), cap);
		int v = 0;

		TUZA_GO(echo, in, out);
		for (int i = 0; i < (test_is_on_valgrind() ? 2000 : 20000); i++) {
			tuza_send(in, i);
			CHECK(tuza_recv(out, &v) && v == i + 1);
		}
		tuza_chan_close(in);
		CHECK(!tuza_recv(out, &v));
		tuza_chan_release(in);
		tuza_chan_release(out);
	}
}

struct party {
	tuza_chan *c;
	int me;
	atomic_llong *sum;
};
enum { EACH = 2000 };

static void *send_numbers(void *arg)
{
	struct party *p = arg;

	for (int i = 0; i < EACH; i++)
		tuza_send(p->c, p->me * EACH + i);
	return NULL;
}

static void *recv_numbers(void *arg)
{
	struct party *p = arg;
	int v;

	while (tuza_recv(p->c, &v))
		atomic_fetch_add(p->sum, v);
	return NULL;
}

static void send_numbers_and_tell(struct party *p, atomic_int *left)
{
	send_numbers(p);
	atomic_fetch_sub(left, 1);
}

static void recv_numbers_of(struct party *p) { recv_numbers(p); }

// C11, across kinds: threads and goroutines send, threads and goroutines receive; the sum is exact.
TEST(threads_and_goroutines_share_a_channel)
{
	for (size_t cap = 0; cap < 20; cap += 7) {
		tuza_chan *c = tuza_chan_new(sizeof(int), cap);
		struct party parties[2 * THREADS];
		pthread_t senders[THREADS], receivers[THREADS];
		atomic_llong sum = 0;
		atomic_int left = THREADS;
		int64_t n = 2 * THREADS * EACH;

		for (int i = 0; i < 2 * THREADS; i++)
			parties[i] = (struct party){c, i, &sum};
		for (int i = 0; i < THREADS; i++) {
			senders[i] = start_thread(send_numbers, &parties[i]);
			receivers[i] = start_thread(recv_numbers, &parties[i]);
			TUZA_GO(send_numbers_and_tell, &parties[THREADS + i], &left);
			TUZA_GO(recv_numbers_of, &parties[i]);
		}
		tuza_blocking_begin();
		for (int i = 0; i < THREADS; i++)
			pthread_join(senders[i], NULL);
		tuza_blocking_end();
		WAIT_UNTIL(left == 0);
		tuza_chan_close(c);
		tuza_blocking_begin();
		for (int i = 0; i < THREADS; i++)
			pthread_join(receivers[i], NULL);
		tuza_blocking_end();
		WAIT_UNTIL(tuza_num_goroutine() == 1);
		CHECK(sum == n * (n - 1) / 2);
		tuza_chan_release(c);
	}
}

struct choice {
	tuza_chan *a, *b, *quit;
	int from_a, from_b;
};

static void *select_until_quit(void *arg)
{
	struct choice *s = arg;

	for (;;)
		switch (TUZA_SELECT(TUZA_RECV(s->a, NULL), TUZA_RECV(s->b, NULL),
			TUZA_RECV(s->quit, NULL), TUZA_AFTER(20 * TUZA_SECOND))) {
		case 0:
			s->from_a++;
			break;
		case 1:
			s->from_b++;
			break;
		default:
			return NULL;
		}
}

static void send_n(tuza_chan *c, int n, atomic_int *left)
{
	while (n-- > 0)
		tuza_chan_send(c, NULL);
	atomic_fetch_sub(left, 1);
}

// A thread in a select is won by one case as a goroutine is.
TEST(threads_select_among_goroutines)
{
	tuza_chan *a = tuza_chan_new(0, 0), *b = tuza_chan_new(0, 0), *quit = tuza_chan_new(0, 0);
	struct choice choices[3];
	pthread_t threads[3];
	atomic_int left = 4;
	int from_a = 0, from_b = 0;

	for (int i = 0; i < 3; i++) {
		choices[i] = (struct choice){a, b, quit, 0, 0};
		threads[i] = start_thread(select_until_quit, &choices[i]);
	}
	for (int i = 0; i < 4; i++)
		TUZA_GO(send_n, i % 2 ? a : b, 1000, &left);
	WAIT_UNTIL(left == 0);
	tuza_chan_close(quit);
	for (int i = 0; i < 3; i++) {
		tuza_blocking_begin();
		pthread_join(threads[i], NULL);
		tuza_blocking_end();
		from_a += choices[i].from_a;
		from_b += choices[i].from_b;
	}
	CHECK_EQ(from_a, 2000);
	CHECK_EQ(from_b, 2000);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(a);
	tuza_chan_release(b);
	tuza_chan_release(quit);
}

static void *select_against_the_other(void *arg)
{
	tuza_chan **c = arg;
	int v;

	for (int i = 0; i < 3000; i++)
		if (TUZA_SELECT(TUZA_RECV(c[0], &v), TUZA_SEND(c[1], &i)) == 0)
			CHECK(v >= 0 && v < 3000);
	return NULL;
}

// No goroutine at all: two threads meet in the channels, in opposite order.
TEST_PLAIN(two_threads_meet_without_goroutines)
{
	tuza_chan *c[2] = {tuza_chan_new(sizeof(int), 0), tuza_chan_new(sizeof(int), 0)};
	tuza_chan *other_way[2] = {c[1], c[0]};
	pthread_t thread = start_thread(select_against_the_other, c);

	select_against_the_other(other_way);
	pthread_join(thread, NULL);
	tuza_chan_release(c[0]);
	tuza_chan_release(c[1]);
}

static void *recv_until_closed(void *c)
{
	int v = 9;

	CHECK(!tuza_recv((tuza_chan *)c, &v));
	CHECK_EQ(v, 0);
	return NULL;
}

TEST(close_wakes_threads_too)
{
	for (int i = 0; i < 50; i++) {
		tuza_chan *c = tuza_chan_new(sizeof(int), 0);
		pthread_t threads[4];

		for (int k = 0; k < 4; k++)
			threads[k] = start_thread(recv_until_closed, c);
		if (i % 2)
			tuza_sleep(200 * TUZA_MICROSECOND);
		tuza_chan_close(c);
		tuza_blocking_begin();
		for (int k = 0; k < 4; k++)
			pthread_join(threads[k], NULL);
		tuza_blocking_end();
		tuza_chan_release(c);
	}
}

static void *use_once_and_end(void *c)
{
	TUZA_GO(tuza_chan_send, (tuza_chan *)c, NULL);
	CHECK(tuza_chan_recv(c, NULL));
	CHECK(tuza_id() != 0);
	tuza_yield();
	tuza_sleep(TUZA_MICROSECOND);
	return NULL;
}

// Threads come, use the runtime and go.
TEST(threads_come_and_go)
{
	tuza_chan *c = tuza_chan_new(0, 0);
	pthread_t threads[THREADS];

	int rounds = test_is_on_valgrind() ? 5 : 20; // a thread takes long to start there

	for (int i = 0; i < rounds; i++) {
		for (int k = 0; k < THREADS; k++)
			threads[k] = start_thread(use_once_and_end, c);
		tuza_blocking_begin();
		for (int k = 0; k < THREADS; k++)
			pthread_join(threads[k], NULL);
		tuza_blocking_end();
	}
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(c);
}

static void *try_shutdown(void *arg)
{
	*(int *)arg = tuza_shutdown();
	return NULL;
}

static int never_runs(void *arg)
{
	(void)arg;
	CHECK(false);
	return 0;
}

static void run_in_a_run(void *arg)
{
	(void)arg;
	tuza_run(never_runs, NULL);
}

static void *try_run(void *arg)
{
	CHECK_PANICS("tuza_run: already running", run_in_a_run, NULL);
	*(int *)arg = 1;
	return NULL;
}

// What tuza_run does belongs to one thread at a time.
TEST(run_and_shutdown_inside_a_run_are_refused)
{
	int code = 0, tried = 0;

	tuza_blocking_begin();
	pthread_join(start_thread(try_shutdown, &code), NULL);
	pthread_join(start_thread(try_run, &tried), NULL);
	tuza_blocking_end();
	CHECK_EQ(code, -EBUSY);
	CHECK_EQ(tried, 1);
}
