// SPDX-License-Identifier: MIT
/*
 * Ten thousand small tasks: a goroutine for each, or eight workers. The times go to standard error;
 * what is better depends on the task, so measure (bench/README.md has it beside Go).
 */
#include <stdatomic.h>
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

enum { TASKS = 10000, LOAD = 1000, WORKERS = 8 };

static atomic_long total;

static void task(int n)
{
	long sum = 0;

	for (int i = 0; i < n; i++)
		sum += i;
	atomic_fetch_add(&total, sum);
}

static void one_task(tuza_waitgroup *wg)
{
	task(LOAD);
	tuza_waitgroup_done(wg);
}

static void worker(tuza_chan *jobs, tuza_waitgroup *wg)
{
	for (int n; tuza_recv(jobs, &n);)
		task(n);
	tuza_waitgroup_done(wg);
}

static int program(void *arg)
{
	tuza_chan *jobs = tuza_chan_new(sizeof(int), TASKS);
	tuza_waitgroup wg = {0};
	int64_t start = tuza_now(), middle;

	(void)arg;
	tuza_waitgroup_add(&wg, TASKS);
	for (int i = 0; i < TASKS; i++)
		go(one_task, &wg);
	tuza_waitgroup_wait(&wg);
	middle = tuza_now();
	printf("a goroutine for each: the total is %ld\n", total);

	tuza_waitgroup_add(&wg, WORKERS);
	for (int i = 0; i < WORKERS; i++)
		go(worker, jobs, &wg);
	for (int i = 0; i < TASKS; i++)
		tuza_send(jobs, LOAD);
	tuza_chan_close(jobs);
	tuza_waitgroup_wait(&wg);
	printf("eight workers: the total is %ld\n", total);
	fprintf(stderr, "a goroutine for each: %.2f ms, eight workers: %.2f ms\n",
		(double)(middle - start) / 1e6, (double)(tuza_now() - middle) / 1e6);
	tuza_chan_release(jobs);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
a goroutine for each: the total is 4995000000
eight workers: the total is 9990000000
 */
