// SPDX-License-Identifier: MIT
/*
 * Timers: the cost of one that never fires, and how late a sleep ends on an idle machine.
 */
#include "bench.h"

#include <stdlib.h>
#include <tuza/tuza.h>

static int64_t timer_stop(int64_t n)
{
	int64_t missed = 0;
	for (int64_t i = 0; i < n; i++) {
		tuza_timer *t = tuza_timer_new(TUZA_HOUR);
		if (!tuza_timer_stop(t))
			missed++;
		tuza_timer_free(t);
	}
	check(missed == 0, "%lld timers of an hour had fired", (long long)missed);
	return n;
}

static void never_called(void *arg)
{
	(void)arg;
	check(false, "the function of an hour's timer was called");
}

static int64_t timer_func_stop(int64_t n)
{
	int64_t missed = 0;
	for (int64_t i = 0; i < n; i++) {
		tuza_timer *t = tuza_after_func(TUZA_HOUR, never_called, NULL);
		if (!tuza_timer_stop(t))
			missed++;
		tuza_timer_free(t);
	}
	check(missed == 0, "%lld timers of an hour had fired", (long long)missed);
	return n;
}

static int ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static double timer_late(void)
{
	int64_t n = scaled(300, 20), total = 0;
	int64_t *late = allocate((size_t)n, sizeof *late);
	for (int64_t i = 0; i < n; i++) {
		int64_t due = tuza_now() + TUZA_MILLISECOND;
		tuza_sleep(TUZA_MILLISECOND);
		late[i] = tuza_now() - due;
		check(late[i] >= 0, "a sleep ended %lld ns early", (long long)-late[i]);
		total += late[i];
	}
	qsort(late, (size_t)n, sizeof *late, ascending);
	note("median_us", "%.2f", (double)late[n / 2] / 1e3);
	note("p99_us", "%.2f", (double)late[n * 99 / 100] / 1e3);
	note("worst_us", "%.2f", (double)late[n - 1] / 1e3);
	free(late);
	return (double)total / (double)n;
}

const struct workload timer_workloads[] = {
	{.name = "timer-stop",
		.operation = "a timer made for an hour and stopped",
		.run = timer_stop,
		.memory = true},
	{.name = "timer-func-stop",
		.operation = "a function to be called in an hour, and stopped",
		.run = timer_func_stop,
		.memory = true},
	{.name = "timer-late",
		.operation = "a sleep of 1 ms alone: how late it ends, on average",
		.measure = timer_late},
	{0},
};
