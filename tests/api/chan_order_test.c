// SPDX-License-Identifier: MIT
// takes-long: ten thousand goroutines in a chain, several times, and valgrind counts each
/*
 * Who is served first: waiters in the order of their coming, a handed-off value to nobody else; and
 * the chains of goroutines that depend on it. After Go's test/chan/{fifo,goroutines,sieve1}.go and
 * test/chanlinear.go.
 */
#include "../test.h"

#include <time.h>

enum { WAITERS = 10 };

static void recv_in_turn(tuza_chan *c, int me, atomic_int *order)
{
	int v = -1;

	tuza_recv(c, &v);
	atomic_store(&order[me], v);
}

// C12: the receiver that came first gets the first value.
TEST(receivers_are_served_in_the_order_of_their_coming)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
	static atomic_int got[WAITERS];

	for (int i = 0; i < WAITERS; i++) {
		atomic_store(&got[i], -1);
		TUZA_GO(recv_in_turn, c, i, got);
		wait_parked("chan receive", i + 1);
	}
	for (int i = 0; i < WAITERS; i++)
		tuza_send(c, i);
	for (int i = 0; i < WAITERS; i++)
		WAIT_UNTIL(got[i] == i);
	tuza_chan_release(c);
}

static void send_own_number(tuza_chan *c, int me) { tuza_send(c, me); }

// C12: and so for senders; with a buffer, each receive moves the first of them to its tail.
TEST(senders_are_served_in_the_order_of_their_coming)
{
	for (int cap = 0; cap < 4; cap++) {
		tuza_chan *c = tuza_chan_new(sizeof(int), (size_t)cap);
		int v;

		for (int i = 0; i < cap; i++)
			tuza_send(c, i);
		for (int i = 0; i < WAITERS; i++) {
			TUZA_GO(send_own_number, c, cap + i);
			wait_parked("chan send", i + 1);
		}
		for (int i = 0; i < cap + WAITERS; i++) {
			CHECK(tuza_recv(c, &v));
			CHECK_EQ(v, i);
			CHECK_EQ(tuza_chan_len(c), i < WAITERS ? cap : cap + WAITERS - i - 1);
		}
		tuza_chan_release(c);
	}
}

// C12: no barging. Once a receiver waits, the value is its own, though the sender runs on.
TEST(handed_off_value_cannot_be_taken_by_another)
{
	for (int i = 0; i < 200; i++) {
		size_t cap = i % 50 == 0; // buffered, only a look tells that the receiver waits
		tuza_chan *c = tuza_chan_new(sizeof(int), cap);
		atomic_int got = -1;
		int v = 0;

		TUZA_GO(recv_in_turn, c, 0, &got);
		if (cap)
			wait_parked("chan receive", 1);
		while (tuza_chan_try_send(c, &(int){5}) != 0)
			tuza_yield();
		CHECK_EQ(tuza_chan_len(c), 0);
		CHECK_EQ(tuza_chan_try_recv(c, &v), -EAGAIN);
		WAIT_UNTIL(got == 5);
		tuza_chan_release(c);
	}
}

static void relay(tuza_chan *left, tuza_chan *right)
{
	int v = 0;

	CHECK(tuza_recv(right, &v));
	tuza_send(left, v + 1);
	tuza_chan_release(left);
	tuza_chan_release(right);
}

// A chain of n goroutines; the value comes out n larger.
static int run_chain(int n)
{
	tuza_chan *leftmost = tuza_chan_new(sizeof(int), 0);
	tuza_chan *right = leftmost;
	int v = 0;

	for (int i = 0; i < n; i++) {
		tuza_chan *left = right;
		right = tuza_chan_new(sizeof(int), 0);
		TUZA_GO(relay, tuza_chan_retain(left), tuza_chan_retain(right));
		if (left != leftmost)
			tuza_chan_release(left);
	}
	tuza_send(right, 0);
	CHECK(tuza_recv(leftmost, &v));
	tuza_chan_release(right);
	tuza_chan_release(leftmost);
	return v;
}

// T2.3: 10,000 goroutines wait for each other, all end, several times over.
TEST(chain_of_ten_thousand_goroutines_passes_a_value)
{
	int times = test_is_on_valgrind() ? 1 : 3;
	int n = test_is_on_valgrind() ? 1000 : 10000; // there it takes a second for each thousand

	for (int i = 0; i < times; i++)
		CHECK_EQ(run_chain(n), n);
}

static void read_then_tell(tuza_chan *c, int want, tuza_chan *turn, tuza_chan *next)
{
	int v = -1;

	tuza_chan_recv(turn, NULL);
	CHECK(tuza_recv(c, &v));
	CHECK_EQ(v, want);
	tuza_chan_send(next, NULL);
	tuza_chan_release(turn);
	tuza_chan_release(next);
}

// T2.2: ten receivers, each allowed by the one before, read in the order of their creation.
TEST(daisy_chain_reads_in_the_order_of_creation)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
	tuza_chan *turn = tuza_chan_new(0, 0), *first = tuza_chan_retain(turn);

	for (int i = 0; i < 10; i++) {
		tuza_chan *next = tuza_chan_new(0, 0);
		TUZA_GO(read_then_tell, c, i, turn, tuza_chan_retain(next));
		turn = next;
	}
	tuza_chan_send(first, NULL);
	for (int i = 0; i < 10; i++)
		tuza_send(c, i);
	tuza_chan_recv(turn, NULL);
	tuza_chan_release(first);
	tuza_chan_release(turn);
	tuza_chan_release(c);
}

static void generate(tuza_chan *out, atomic_int *stop)
{
	for (int i = 2; !atomic_load(stop); i++)
		tuza_send(out, i);
	tuza_chan_close(out);
	tuza_chan_release(out);
}

static void filter(tuza_chan *in, tuza_chan *out, int prime)
{
	int i;

	while (tuza_recv(in, &i))
		if (i % prime != 0)
			tuza_send(out, i);
	tuza_chan_close(out);
	tuza_chan_release(in);
	tuza_chan_release(out);
}

// T2.15: the prime sieve, one goroutine for each prime; ended through its whole length at the end.
TEST(sieve_finds_the_primes_to_100)
{
	static const int primes[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59,
		61, 67, 71, 73, 79, 83, 89, 97};
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
	atomic_int stop = 0;
	int prime;

	TUZA_GO(generate, tuza_chan_retain(c), &stop);
	for (size_t i = 0; i < sizeof(primes) / sizeof(primes[0]); i++) {
		CHECK(tuza_recv(c, &prime));
		CHECK_EQ(prime, primes[i]);
		tuza_chan *next = tuza_chan_new(sizeof(int), 0);
		TUZA_GO(filter, c, tuza_chan_retain(next), prime);
		c = next;
	}
	atomic_store(&stop, 1);
	while (tuza_recv(c, &prime))
		;
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(c);
}

enum { CONSUMERS = 23, ITEMS = 271828 };

static void consume(tuza_chan *queue, tuza_chan *results)
{
	int v;

	while (tuza_recv(queue, &v)) {
		if (v % 31 == 0)
			tuza_yield();
		tuza_send(results, v);
	}
}

static void produce(tuza_chan *queue)
{
	for (int i = 0; i < ITEMS; i++)
		tuza_send(queue, i * 7 % 1000);
	tuza_chan_close(queue);
}

struct pool {
	tuza_chan *queue, *results;
	tuza_goroutine *workers[CONSUMERS];
};

static void consume_of_pool(void *arg)
{
	struct pool *pool = arg;
	consume(pool->queue, pool->results);
}

static void close_after_workers(struct pool *pool)
{
	for (int i = 0; i < CONSUMERS; i++)
		CHECK_EQ(tuza_join(pool->workers[i]), 0);
	tuza_chan_close(pool->results);
}

// T1.16: 23 workers drain one queue; count and sum come out exact after the chain of closes.
TEST(many_consumers_share_a_queue_exactly)
{
	struct pool pool = {tuza_chan_new(sizeof(int), 23), tuza_chan_new(sizeof(int), 23), {0}};
	int64_t want = 0, sum = 0;
	int count = 0, v;

	for (int i = 0; i < ITEMS; i++)
		want += i * 7 % 1000;
	for (int i = 0; i < CONSUMERS; i++)
		pool.workers[i] = tuza_spawn(consume_of_pool, &pool);
	TUZA_GO(produce, pool.queue);
	TUZA_GO(close_after_workers, &pool);
	for (; tuza_recv(pool.results, &v); count++)
		sum += v;
	CHECK_EQ(count, ITEMS);
	CHECK(sum == want);
	tuza_chan_release(pool.queue);
	tuza_chan_release(pool.results);
}

static void wait_on_two(tuza_chan *crowded, tuza_chan *own, int wakes)
{
	for (int i = 0; i < wakes; i++)
		TUZA_SELECT(TUZA_RECV(crowded, NULL), TUZA_RECV(own, NULL));
}

// CPU time for n goroutines, each queued on two channels and woken ten times by one of its own. The
// other is the same for `crowd` of them.
static int64_t time_of_waking(int n, int crowd)
{
	tuza_chan **own = calloc((size_t)n, sizeof(*own));
	tuza_chan **crowded = calloc((size_t)n, sizeof(*crowded));
	struct timespec t0, t1;

	for (int i = 0; i < n; i++) {
		own[i] = tuza_chan_new(0, 0);
		crowded[i] = tuza_chan_new(0, 0); // all of them, so that memory is the same
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t0);
	for (int i = 0; i < n; i++)
		TUZA_GO(wait_on_two, crowded[i / crowd], own[i], 10);
	for (int wake = 0; wake < 10; wake++)
		for (int i = n; i-- > 0;)
			tuza_chan_send(own[i], NULL);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t1);
	for (int i = 0; i < n; i++) {
		tuza_chan_release(own[i]);
		tuza_chan_release(crowded[i]);
	}
	free(own);
	free(crowded);
	return (t1.tv_sec - t0.tv_sec) * TUZA_SECOND + t1.tv_nsec - t0.tv_nsec;
}

// C22, T2.17: leaving a queue costs the same however long it is. To look through one of thousands
// would cost a hundred times what all the rest does. CPU time, and the least of some: what others
// do on the machine makes it more, never less.
TEST(leaving_a_queue_takes_constant_time)
{
	int64_t alone = INT64_MAX, among_all = INT64_MAX;
	// There one takes ten and twenty times as long.
	int n = test_is_on_valgrind() ? 1000 : TEST_SANITIZED ? 3000 : 8000;
	int before = tuza_gomaxprocs(1); // the time of who looks for work would count, too

	for (int i = 0; i < 3; i++) {
		int64_t took = time_of_waking(n, 1);

		alone = took < alone ? took : alone;
		took = time_of_waking(n, n);
		among_all = took < among_all ? took : among_all;
	}
	tuza_gomaxprocs(before);
	CHECK(among_all < 4 * alone);
}
