// SPDX-License-Identifier: MIT
/*
 * 10,000 tasks of 1,000 additions each: a goroutine per task against a pool of 8 workers.
 */
#include "bench.h"

#include <stdatomic.h>
#include <tuza/tuza.h>

enum {
	task_count = 10000,
	work_load = 1000,
	worker_count = 8,
	task_sum = work_load * (work_load - 1) / 2,
};

// The barrier keeps the additions, and the calls: gcc knows the sum of 0 to n - 1 and that it need
// be computed once; Go's compiler does not.
static __attribute__((noinline)) int64_t do_task(int64_t n)
{
	int64_t sum = 0;
	for (int64_t i = 0; i < n; i++) {
		sum += i;
		__asm__ volatile("" : "+r"(sum));
	}
	return sum;
}

// Tells whether n times all tasks were done, each right.
static void check_sum(int64_t n, int64_t sum)
{
	check(sum == n * task_count * task_sum, "the sum of %lld times all tasks is %lld",
		(long long)n, (long long)sum);
}

static int64_t tasks_alone(int64_t n)
{
	int64_t sum = 0;
	for (int64_t i = 0; i < n; i++)
		for (int j = 0; j < task_count; j++)
			sum += do_task(work_load);
	check_sum(n, sum);
	return n;
}

// What the goroutines of one operation share. The total is beside the waitgroup, so that one cache
// line travels.
struct task_batch {
	tuza_waitgroup wg;
	atomic_llong total; // relaxed: a statistic, the waitgroup orders it
};

static void add_total(struct task_batch *batch, int64_t sum)
{
	atomic_fetch_add_explicit(&batch->total, sum, memory_order_relaxed);
}

static int64_t get_total(struct task_batch *batch)
{
	return atomic_load_explicit(&batch->total, memory_order_relaxed);
}

static void naive_task(struct task_batch *batch)
{
	TUZA_DEFER(tuza_waitgroup_done, &batch->wg);
	add_total(batch, do_task(work_load));
}

static int64_t tasks_naive(int64_t n)
{
	int64_t sum = 0;
	for (int64_t i = 0; i < n; i++) {
		struct task_batch batch = {0};
		tuza_waitgroup_add(&batch.wg, task_count);
		for (int j = 0; j < task_count; j++)
			TUZA_GO(naive_task, &batch);
		tuza_waitgroup_wait(&batch.wg);
		sum += get_total(&batch);
	}
	check_sum(n, sum);
	return n;
}

static void pool_worker(tuza_chan *jobs, struct task_batch *batch)
{
	TUZA_DEFER(tuza_waitgroup_done, &batch->wg);
	int64_t total = 0, job;
	while (tuza_recv(jobs, &job))
		total += do_task(job);
	add_total(batch, total);
}

static int64_t tasks_pool(int64_t n, size_t capacity)
{
	int64_t sum = 0;
	for (int64_t i = 0; i < n; i++) {
		tuza_chan *jobs = tuza_chan_new(sizeof(int64_t), capacity);
		struct task_batch batch = {0};
		tuza_waitgroup_add(&batch.wg, worker_count);
		for (int w = 0; w < worker_count; w++)
			TUZA_GO(pool_worker, jobs, &batch);
		for (int j = 0; j < task_count; j++)
			tuza_send(jobs, (int64_t)work_load);
		tuza_chan_close(jobs);
		tuza_waitgroup_wait(&batch.wg);
		tuza_chan_release(jobs);
		sum += get_total(&batch);
	}
	check_sum(n, sum);
	return n;
}

static int64_t tasks_pool_unbuffered(int64_t n) { return tasks_pool(n, 0); }

static int64_t tasks_pool_buffered(int64_t n) { return tasks_pool(n, task_count); }

const struct workload task_workloads[] = {
	{.name = "tasks-alone",
		.operation = "10,000 tasks of 1,000 additions, no goroutine",
		.run = tasks_alone,
		.memory = true},
	{.name = "tasks-naive",
		.operation = "10,000 tasks, a goroutine each",
		.run = tasks_naive,
		.memory = true},
	{.name = "tasks-pool-unbuffered",
		.operation = "10,000 tasks, 8 workers, unbuffered jobs",
		.run = tasks_pool_unbuffered,
		.memory = true},
	{.name = "tasks-pool-buffered",
		.operation = "10,000 tasks, 8 workers, jobs buffered for all",
		.run = tasks_pool_buffered,
		.memory = true},
	{0},
};
