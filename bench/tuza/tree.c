// SPDX-License-Identifier: MIT
/*
 * Trees of goroutines: skynet sums a million leaves through channels, fib forks and joins.
 */
#include "bench.h"

#include <tuza/tuza.h>

static void skynet(tuza_chan *out, int64_t number, int64_t leaves)
{
	if (leaves == 1) {
		tuza_send(out, number);
		return;
	}
	tuza_chan *in = tuza_chan_new(sizeof(int64_t), 0);
	int64_t sum = 0, v;
	for (int i = 0; i < 10; i++)
		TUZA_GO(skynet, in, number + i * (leaves / 10), leaves / 10);
	for (int i = 0; i < 10; i++) {
		tuza_recv(in, &v);
		sum += v;
	}
	tuza_chan_release(in);
	tuza_send(out, sum);
}

static int64_t skynet_runs(int64_t n)
{
	int64_t leaves = 10;
	while (leaves * 10 <= scaled(1000000, 10))
		leaves *= 10;
	for (int64_t i = 0; i < n; i++) {
		tuza_chan *out = tuza_chan_new(sizeof(int64_t), 0);
		int64_t sum;
		TUZA_GO(skynet, out, (int64_t)0, leaves);
		tuza_recv(out, &sum);
		tuza_chan_release(out);
		check(sum == leaves * (leaves - 1) / 2, "the sum of %lld leaves is %lld",
			(long long)leaves, (long long)sum);
	}
	return n;
}

static int64_t fib(int64_t n);

static void fib_child(int64_t n, int64_t *result, tuza_waitgroup *wg)
{
	*result = fib(n);
	tuza_waitgroup_done(wg);
}

static int64_t fib(int64_t n)
{
	if (n < 2)
		return n;
	int64_t a;
	tuza_waitgroup wg = {0};
	tuza_waitgroup_add(&wg, 1);
	TUZA_GO(fib_child, n - 1, &a, &wg);
	int64_t b = fib(n - 2);
	tuza_waitgroup_wait(&wg);
	return a + b;
}

// fib by addition, to check it.
static int64_t fib_loop(int64_t n)
{
	int64_t a = 0, b = 1;
	for (int64_t i = 0; i < n; i++) {
		int64_t sum = a + b;
		a = b;
		b = sum;
	}
	return a;
}

// Computes fib(32); at a smaller scale the largest with as small a share of its goroutines.
static int64_t fib_runs(int64_t n)
{
	int64_t of = 10;
	while (of < 32 && fib_loop(of + 1) <= scaled(fib_loop(32), 0))
		of++;
	for (int64_t i = 0; i < n; i++) {
		int64_t result = fib(of);
		check(result == fib_loop(of), "fib(%lld) is not %lld", (long long)of,
			(long long)result);
	}
	return n;
}

const struct workload tree_workloads[] = {
	{.name = "skynet",
		.operation = "a tree of goroutines with 1M leaves, 10 children a node",
		.run = skynet_runs},
	{.name = "fib-32",
		.operation = "fib(32), a goroutine for one of the two branches of each node",
		.run = fib_runs},
	{0},
};
