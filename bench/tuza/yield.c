// SPDX-License-Identifier: MIT
/*
 * Goroutines that do nothing but let each other run.
 */
#include "bench.h"

#include <stdlib.h>
#include <tuza/tuza.h>

static void yielder(tuza_waitgroup *wg, int64_t times, int64_t *yielded)
{
	for (int64_t i = 0; i < times; i++) {
		tuza_yield();
		++*yielded;
	}
	tuza_waitgroup_done(wg);
}

static int64_t yield_among(int goroutines, int64_t n)
{
	int64_t times = (n + goroutines - 1) / goroutines;
	int64_t *yielded = allocate((size_t)goroutines, sizeof *yielded);
	tuza_waitgroup wg = {0};
	tuza_waitgroup_add(&wg, goroutines);
	for (int i = 0; i < goroutines; i++)
		TUZA_GO(yielder, &wg, times, &yielded[i]);
	tuza_waitgroup_wait(&wg);
	for (int i = 0; i < goroutines; i++)
		check(yielded[i] == times, "goroutine %d yielded %lld times, not %lld", i,
			(long long)yielded[i], (long long)times);
	free(yielded);
	return times * goroutines;
}

static int64_t yield_2(int64_t n) { return yield_among(2, n); }

static int64_t yield_1000(int64_t n) { return yield_among(1000, n); }

const struct workload yield_workloads[] = {
	{.name = "yield-2", .operation = "a yield, between 2 goroutines", .run = yield_2},
	{.name = "yield-1000", .operation = "a yield, among 1,000 goroutines", .run = yield_1000},
	{0},
};
