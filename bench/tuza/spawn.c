// SPDX-License-Identifier: MIT
/*
 * Starting goroutines and waiting for them, many at once and one at a time.
 */
#include "bench.h"

#include <stdlib.h>
#include <tuza/tuza.h>

// How many goroutines a batch starts before it waits for all: as many as the tasks of tasks.c.
enum { batch_size = 10000 };

static void spawned(tuza_waitgroup *wg, uint32_t *runs)
{
	++*runs;
	tuza_waitgroup_done(wg);
}

static int64_t spawn_batch(int64_t n)
{
	uint32_t *runs = allocate(batch_size, sizeof *runs);
	int64_t batches = (n + batch_size - 1) / batch_size;
	tuza_waitgroup wg = {0};
	for (int64_t b = 0; b < batches; b++) {
		tuza_waitgroup_add(&wg, batch_size);
		for (int i = 0; i < batch_size; i++)
			TUZA_GO(spawned, &wg, &runs[i]);
		tuza_waitgroup_wait(&wg);
	}
	for (int i = 0; i < batch_size; i++)
		check(runs[i] == batches, "goroutine %d ran %u times, not %lld", i, runs[i],
			(long long)batches);
	free(runs);
	return batches * batch_size;
}

static int64_t spawn_one(int64_t n)
{
	uint32_t runs = 0;
	tuza_waitgroup wg = {0};
	for (int64_t i = 0; i < n; i++) {
		tuza_waitgroup_add(&wg, 1);
		TUZA_GO(spawned, &wg, &runs);
		tuza_waitgroup_wait(&wg);
	}
	check(runs == n, "%u goroutines ran, not %lld", runs, (long long)n);
	return n;
}

const struct workload spawn_workloads[] = {
	{.name = "spawn-batch",
		.operation = "a goroutine: 10,000 started, then all joined",
		.run = spawn_batch,
		.memory = true},
	{.name = "spawn-one",
		.operation = "a goroutine: one started and joined at a time",
		.run = spawn_one,
		.memory = true},
	{0},
};
